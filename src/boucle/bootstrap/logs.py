"""Logs as JSON lines, one file for each process, rotated; values of callers are fields, never interpolated."""

from __future__ import annotations

import json
import logging
import logging.handlers
from datetime import UTC, datetime
from pathlib import Path

MAX_FIELD = 2_000
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, extra fields, and the trace when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        at = datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="microseconds")
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line.update({k: str(v)[:MAX_FIELD] for k, v in record.__dict__.items() if k not in _PLAIN})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def write_logs(folder: Path, process: str, level: str) -> None:
    """Send the logs of this process to ``<folder>/<process>.log`` (10 MB, three kept)."""
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{process}.log", maxBytes=10_000_000, backupCount=3, encoding="utf-8"
    )
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
