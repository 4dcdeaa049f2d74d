"""Rules of the author's own: judged on rows, in a process that may end badly without harm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from boucle.adapters.expectation_process import judged
from boucle.adapters.expectations import ExpectationProcesses
from boucle.core.watching import Expectation
from boucle.monitoring.expectations import problem

ROWS = pl.DataFrame({"price": [3.0, -1.0, None, 2.0], "kind": ["dear", "free", "dear", None], "n": [1, 2, 3, 4]})
CODE = """
import os, polars as pl, time
print("this is not a result")
def dear(rows): return rows["price"] > 0
def all_is_well(rows): return rows.height == 4
def wrong(rows): return rows["n"]
def raising(rows): raise ValueError("no such thing")
def dying(rows): os._exit(9)
def endless(rows):
    while True:
        try: time.sleep(1)
        except BaseException: pass
def secret(rows): return os.environ.get("BOUCLE_TOKEN") is None
def greedy(rows): return len(bytearray(5 * 1024**3)) > 0
def generous(rows): return len(bytearray(1024**3)) > 0
"""


@pytest.mark.parametrize(
    ("sql", "n_kept"),
    [
        ("price > 0", 3),  # the null one keeps it
        ("price > 0 OR kind = 'free'", 4),
        ("price > 0 AND kind IS NOT NULL", 2),
        ("AVG(price) > 1", 4),
        ("AVG(price) > 9", 0),
        ("kind IN ('dear', 'free')", 4),
    ],
)
def test_an_expression_is_judged_row_by_row(sql: str, n_kept: int) -> None:
    told = judged(ROWS, {"name": "r", "sql": sql})
    assert (told["n_rows"], told["n_kept"], told["error"]) == (4, n_kept, "")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("colour = 'red'", 'unable to find column "colour"'),
        ("price >", "SQL"),
        ("n", "expected true or false for each of 4 rows"),
        ("nothing(price)", "unsupported function"),
        ("+".join(["n"] * 400) + " > 0", ""),
    ],
)
def test_a_bad_expression_is_told_and_not_raised(sql: str, error: str) -> None:
    assert error in judged(ROWS, {"name": "r", "sql": sql})["error"]


@pytest.mark.parametrize(
    "sql",
    [
        "price > (SELECT 1)",
        "EXISTS (FROM read_csv('/etc/passwd'))",
        "n IN (VALUES (1))",
        "price > 0; DROP TABLE x",
        "price > 0 -- all",
        "price /* x */ > 0",
        "x" * 2_001,
    ],
)
def test_only_an_expression_over_the_columns_is_taken(sql: str) -> None:
    assert problem(Expectation("r", sql=sql))


def test_words_of_queries_in_texts_and_names_are_no_queries() -> None:
    assert problem(Expectation("r", sql="\"table\" = 'select; --' AND EXTRACT(year FROM at) > 2000")) == ""


@pytest.mark.parametrize(
    "rule", [Expectation("r"), Expectation("r", sql="a", function="a:b"), Expectation("r", function="os.system")]
)
def test_a_rule_is_one_expression_or_one_function(rule: Expectation) -> None:
    assert problem(rule)


def test_rules_run_in_a_process_of_their_own_and_fail_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules_of_mine.py").write_text(CODE)
    monkeypatch.setenv("BOUCLE_TOKEN", "secret")
    names = ("dear", "all_is_well", "wrong", "raising", "dying", "endless", "secret", "absent")
    rules = [Expectation(name, function=f"rules_of_mine:{name}") for name in names]
    rules += [Expectation("most", sql="price > 0", least=0.7), Expectation("query", sql="SELECT 1")]
    checks = {c.name.partition(":")[2]: c for c in ExpectationProcesses(timeout_s=2.0).judge(ROWS, rules, tmp_path)}
    assert list(checks) == [*names, "most", "query"]
    assert [name for name, check in checks.items() if check.status == "pass"] == ["all_is_well", "secret", "most"]
    assert checks["dear"].evidence["rows"] == [1]
    assert "expected true or false" in checks["wrong"].observed
    assert "ValueError: no such thing" in checks["raising"].observed
    assert "ended with status 9" in checks["dying"].observed
    assert "no end after 2 s" in checks["endless"].observed
    assert "absent" in checks["absent"].observed


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what a process allots is not limited")
def test_a_rule_that_eats_memory_fails_alone_and_others_have_plenty(tmp_path: Path) -> None:
    (tmp_path / "rules_of_mine.py").write_text(CODE)
    rows = pl.select(n=pl.int_range(200_000), name=pl.int_range(200_000).cast(pl.String))
    rules = [Expectation(name, function=f"rules_of_mine:{name}") for name in ("greedy", "generous")]
    rules.append(Expectation("sorted", sql="name IN ('1', '2') OR n + 1 > AVG(n) OR n >= 0"))

    greedy, generous, expression = ExpectationProcesses(timeout_s=20.0).judge(rows, rules, tmp_path)

    assert "MemoryError" in greedy.observed
    assert (generous.status, expression.status) == ("pass", "pass")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere rows are a file until the next use")
def test_a_kill_leaves_no_row_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "rules_of_mine.py").write_text(f"""
import pathlib, time
def waits(rows):
    pathlib.Path({str(tmp_path)!r}, "judging").touch()
    time.sleep(60)
""")
    judging = f"""
import pathlib, polars as pl
from boucle.adapters.expectations import ExpectationProcesses
from boucle.core.watching import Expectation
rows = pl.DataFrame({{"name": ["Ada Lovelace"]}})
ExpectationProcesses().judge(rows, [Expectation("w", function="rules_of_mine:waits")], pathlib.Path({str(tmp_path)!r}))
"""
    left = tmp_path / "temporary"
    left.mkdir()
    process = subprocess.Popen([sys.executable, "-c", judging], env={**os.environ, "TMPDIR": str(left)})
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "judging").exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()

    assert (tmp_path / "judging").exists()
    files = [path for path in left.rglob("*") if path.is_file()]
    assert [path.name for path in files if b"Lovelace" in path.read_bytes()] == []


def test_no_rows_break_no_rule() -> None:
    assert ExpectationProcesses().judge(ROWS.head(0), [Expectation("r", sql="price > 0")])[0].status == "pass"
