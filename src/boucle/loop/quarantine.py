"""Records that cannot be read are kept apart, whole, so that one of them never stops the collector nor is lost."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path

from boucle.core.files import publish
from boucle.loop.decoding import Refused

log = logging.getLogger(__name__)


def keep_refused(folder: Path, refused: Iterable[Refused]) -> None:
    """Write each record as a JSON file named by its content, so that it is there once however often it is refused.

    ``request`` and ``answer`` are base64.
    """
    for record, cause in refused:
        document = record._asdict() | {
            "request": base64.b64encode(record.request).decode(),
            "answer": base64.b64encode(record.answer).decode(),
            "cause": cause,
        }
        data = json.dumps(document, ensure_ascii=False, indent=1).encode()
        path = folder / f"{record.logged_at}-{hashlib.sha256(data).hexdigest()[:16]}.json"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            publish(path, data)
            log.error("a record of the inference log cannot be read and is kept in %s: %s", path, cause)
