"""Evidently beside the platform: what it is handed, how it is run, and what is said when it fails.

Its environment is some 80 packages: with BOUCLE_TEST_EVIDENTLY=1 the last test makes it and runs Evidently itself.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from boucle.adapters.evidently import (
    MOST_LEVELS,
    REQUIREMENTS,
    EvidentlyFailed,
    EvidentlyReports,
    Lend,
    aligned,
    common,
)
from boucle.adapters.project_process import ProjectProcesses
from boucle.core.errors import InvalidRequest
from boucle.core.table import Column, Table
from boucle.settings import load

REAL = "BOUCLE_TEST_EVIDENTLY"


def texts(*values: str | None) -> Column:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return Column("text", made)


def numbers(*values: float) -> Column:
    return Column("float", np.array(values))


def moments(n: int) -> Column:
    return Column("datetime", np.datetime64("2026-01-01", "us") + np.arange(n))


REFERENCE = Table(
    {"price": numbers(1.0, 2.0), "city": texts("Lyon", None), "at": moments(2), "sold": numbers(0.0, 1.0)}
)
ROWS = Table(
    {
        "prediction_id": texts("a:0", "b:0"),
        "at": moments(2),
        "price": Column("int", np.array([3, 4]), np.array([False, True])),
        "city": texts("Nice", "Rome"),
        "input_at": moments(2),
        "prediction": numbers(1.0, 1.0),
        "truth": numbers(1.0, float("nan")),
    }
)


class StandIn:
    """An environment whose Python is a script of the shell."""

    def __init__(self, folder: Path, body: str) -> None:
        self.folder = folder
        self.python = folder / "python"
        self.python.write_text(f"#!/bin/sh\n{body}\n")
        self.python.chmod(0o700)
        self.locked: list[tuple[str, ...]] = []

    def interpreters(self) -> dict[str, Path]:
        return {"3.14": Path("/nowhere"), "3.12": Path("/nowhere")}

    def lock(self, requirements: tuple[str, ...], interpreter: str) -> str:
        self.locked.append((*requirements, interpreter))
        return "pinned"

    def ensure(self, lock: str, interpreter: str, *, require_hashes: bool = True) -> Path:
        assert (lock, require_hashes) == ("pinned", True)
        return self.python

    def reports(self, timeout_s: float = 30.0) -> EvidentlyReports:
        return EvidentlyReports(Lend(self, self.lock, self.folder / "envs", ProjectProcesses(), timeout_s))


def test_a_log_is_named_as_the_reference_is(tmp_path: Path) -> None:
    found = aligned(ROWS, REFERENCE.names, "sold")

    assert found.names == ("price", "city", "at", "sold")
    assert found.columns["at"] is ROWS.columns["input_at"]
    assert found.columns["sold"] is ROWS.columns["truth"]
    both = Table({"at": moments(2), "input_at": numbers(1.0, 2.0), "input_input_at": moments(2)})
    assert aligned(both, ("at", "input_at"), "sold").columns["at"] is both.columns["input_input_at"]
    unknown = Table({**ROWS.columns, "truth": texts(None, None)})
    assert "sold" not in aligned(unknown, REFERENCE.names, "sold").names


def test_columns_are_compared_when_both_sides_hold_them_in_a_like_kind() -> None:
    ids = texts(*(f"id{i}" for i in range(MOST_LEVELS + 1)))
    left = Table({"n": numbers(1.0), "ok": texts("yes"), "when": moments(1), "id": ids, "empty": texts(None)})
    right = Table({"n": Column("int", np.array([1])), "ok": numbers(1.0), "when": moments(1), "id": ids})

    assert common(left, right) == {"numerical": ["n"], "categorical": [], "datetime": ["when"]}
    assert common(left, left)["categorical"] == ["ok"]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="elsewhere rows are files until the next use")
def test_the_tables_are_no_files_that_a_kill_would_leave(tmp_path: Path) -> None:
    look = 'for f in current reference; do readlink "$3/$f.parquet"; head -c 4 "$3/$f.parquet"; done > "$3/report.html"'
    out = StandIn(tmp_path, look).reports().write(REFERENCE, REFERENCE, tmp_path / "o.html", lambda _line: None)

    first, second = out.read_text().removesuffix("PAR1").split("PAR1")
    assert first.startswith(f"/proc/{os.getpid()}/fd/")
    assert second.strip() not in ("", first.strip())


def test_evidently_is_run_alone_with_both_tables_and_tells_nobody(tmp_path: Path) -> None:
    seen = 'echo "$1 $DO_NOT_TRACK $BOUCLE_TOKEN" > "$3/report.html"; cat "$3/columns.json" >> "$3/report.html"; '
    stand_in = StandIn(tmp_path, seen + 'ls "$3" >> "$3/report.html"')
    said: list[str] = []
    os.environ["BOUCLE_TOKEN"] = "s3cret"
    try:
        out = stand_in.reports().write(
            REFERENCE, aligned(ROWS, REFERENCE.names, "sold"), tmp_path / "o.html", said.append
        )
        stand_in.reports().write(REFERENCE, REFERENCE, tmp_path / "o2.html", said.append)
    finally:
        del os.environ["BOUCLE_TOKEN"]

    first, columns, *files = out.read_text().replace("}", "}\n").splitlines()
    assert first == "-I 1 "
    assert columns == '{"numerical": ["price", "sold"], "categorical": ["city"], "datetime": ["at"]}'
    assert {"reference.parquet", "current.parquet"} <= set(files)
    assert stand_in.locked == [(*REQUIREMENTS, "3.12")]  # once: what was pinned stays
    assert said[-1] == "Evidently compares 2 rows with 2"


@pytest.mark.parametrize(
    ("body", "timeout_s", "cause"),
    [
        ("echo no such column >&2; exit 3", 30.0, "status 3: no such column"),
        ("exit 0", 30.0, "status 0"),
        ("sleep 60", 0.3, "no report in 0.3 s"),
    ],
)
def test_a_run_that_leaves_no_report_says_why_and_writes_nothing(
    tmp_path: Path, body: str, timeout_s: float, cause: str
) -> None:
    with pytest.raises(EvidentlyFailed, match=cause):
        StandIn(tmp_path, body).reports(timeout_s).write(
            REFERENCE, REFERENCE, tmp_path / "out.html", lambda _line: None
        )
    assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize(
    ("current", "cause"), [(REFERENCE.take(slice(0, 0)), "nothing to compare|no column"), (Table({}), "no column")]
)
def test_nothing_is_made_when_there_is_nothing_to_compare(tmp_path: Path, current: Table, cause: str) -> None:
    with pytest.raises(InvalidRequest, match=cause):
        StandIn(tmp_path, "exit 1").reports().write(REFERENCE, current, tmp_path / "out.html", lambda _line: None)


@pytest.mark.slow
@pytest.mark.skipif(REAL not in os.environ, reason=f"Evidently's environment is some 80 packages: set {REAL}=1")
def test_evidently_itself_makes_its_report_of_a_window(tmp_path: Path) -> None:
    from boucle.bootstrap.evidently import evidently_reports

    dice = np.random.default_rng(0)
    cities = texts(*(("Lyon", "Nice", None)[i % 3] for i in range(2_000)))
    table = Table({"price": numbers(*dice.normal(0, 1, 2_000)), "city": cities, "at": moments(2_000)})
    moved = Table({**table.columns, "price": numbers(*dice.normal(2, 1, 2_000))})

    reports = evidently_reports(load({"BOUCLE_HOME": str(tmp_path / "home")}))
    page = reports.write(table, moved, tmp_path / "out.html", lambda _line: None).read_text()

    assert "price" in page
    assert "<script src=" not in page
