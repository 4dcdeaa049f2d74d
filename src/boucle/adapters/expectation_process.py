"""The process in which user-written expectations are judged: ``python -m boucle.adapters.expectation_process``.

Arguments: a folder with ``rows.arrow`` and ``rules.json``, seconds for each rule, a folder of Python modules ("" for
none). Memory is limited to 4 GiB where the system can. ``results.jsonl`` gets a line that says it is ready, then one
line of JSON for each rule; what a rule prints goes nowhere that is read as data.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

ROWS, RULES, RESULTS = "rows.arrow", "rules.json", "results.jsonl"
TIMED_OUT = (-signal.SIGALRM, 128 + signal.SIGALRM)
READY = '{"ready": true}'
N_EXAMPLES = 20
MOST_BYTES = 4 * 1024**3  # of what a process allots to itself; threads that only reserve addresses are not counted


def main(arguments: list[str]) -> None:
    """Judge each rule of a folder."""
    _limit_memory(MOST_BYTES)
    folder, limit_s, code = Path(arguments[0]), float(arguments[1]), arguments[2]
    if code:
        sys.path.insert(0, code)
    rows = pl.read_ipc(folder / ROWS)
    rules = json.loads((folder / RULES).read_bytes())
    with (folder / RESULTS).open("w", encoding="utf-8", buffering=1) as results:
        results.write(READY + "\n")
        for rule in rules:
            signal.setitimer(signal.ITIMER_REAL, limit_s)  # its default action ends the process: no rule can catch it
            told = judged(rows, rule)
            signal.setitimer(signal.ITIMER_REAL, 0)
            results.write(json.dumps(told) + "\n")


def _limit_memory(most_bytes: int) -> None:
    """Let nothing allot more, so that a rule that does fails and not the machine: macOS and Windows do not count so."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def judged(rows: pl.DataFrame, rule: dict[str, Any]) -> dict[str, Any]:
    """Return ``n_rows``, ``n_kept``, ``error`` and ``examples`` of a rule; a null keeps it."""
    try:
        breaks = ~_of(rows, rule).fill_null(value=True)
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001  # whatever the author's rule raises is its verdict
        text = str(error).strip().splitlines() or [""]
        return {"n_rows": rows.height, "n_kept": 0, "error": f"{type(error).__name__}: {text[0]}"[:500], "examples": []}
    examples = breaks.arg_true().head(N_EXAMPLES).to_list()
    return {"n_rows": rows.height, "n_kept": rows.height - int(breaks.sum()), "error": "", "examples": examples}


def _of(rows: pl.DataFrame, rule: dict[str, Any]) -> pl.Series:
    """Return a boolean column (n_rows,). Raises TypeError when a rule gives something else."""
    if rule.get("sql"):
        found: Any = rows.select(pl.sql_expr(rule["sql"]).alias("kept")).to_series()
        if len(found) == 1 and rows.height != 1:  # an expression over all rows, such as AVG(price) > 3
            found = found[0]
            found = True if found is None else found
    else:
        module, _colon, name = rule["function"].partition(":")
        found = getattr(importlib.import_module(module), name)(rows)
    if isinstance(found, bool):
        return pl.repeat(found, rows.height, dtype=pl.Boolean, eager=True)
    column = found if isinstance(found, pl.Series) else pl.Series(found)
    if column.dtype == pl.Null:
        column = column.cast(pl.Boolean)
    if column.dtype != pl.Boolean or len(column) != rows.height:
        raise TypeError(f"expected true or false for each of {rows.height} rows, found {len(column)} of {column.dtype}")
    return column


if __name__ == "__main__":
    main(sys.argv[1:])
