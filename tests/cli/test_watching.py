"""The commands about how a model fares, against the real routes: log, feedback, drift, report, watch."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from boucle.cli.live import Seen, follow, table_of
from boucle.cli.main import app
from boucle.cli.watch_policy import members_of
from boucle.client.report_card import alert_lines, column_lines
from boucle.core.check import Check
from boucle.core.document import to_json
from boucle.core.errors import InvalidRequest, NotFound, Unavailable
from boucle.core.i18n import speaking
from boucle.core.report import Report
from boucle.core.watching import WatchPolicy
from client.watched import CALM, HOUR, ID, NOON, REPORT, ROWS, Watched, watching
from web.made_up import TOKEN

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def running() -> Iterator[Watched]:
    with watching() as watched:
        yield watched


@pytest.fixture
def watched(running: Watched) -> Watched:
    running.store.save_policy("churn", WatchPolicy())
    running.reports.clear()
    running.logs.clear()
    running.truths.clear()
    running.report = REPORT
    return running


@pytest.fixture
def run(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder; an error of ours is raised as it is."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": str(tmp_path), "URL": watched.url, "TOKEN": TOKEN, "LANGUAGE": "en"}.items():
        monkeypatch.setenv(f"BOUCLE_{name}", value)
    monkeypatch.setenv("COLUMNS", "120")

    def invoke(*arguments: str, stdin: str | bytes = "") -> Result:
        done = CliRunner().invoke(app, arguments, input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return invoke


def test_the_log_is_written_to_a_parquet_file(run: Run, watched: Watched) -> None:
    done = run("log", "churn", "--out", "window.parquet", "--since", "24h", "--until", "now", "--version", "1")

    assert done.stdout == "window.parquet: 2 rows, 0.0 MB\n"
    assert pl.read_parquet("window.parquet")["city"].to_list() == ["Lyon", None]
    (asked,) = watched.logs
    assert (asked.version, asked.window.stop - asked.window.start) == (1, 24 * HOUR)
    assert [path.name for path in Path().iterdir()] == ["window.parquet"]


def test_the_log_goes_to_standard_output_as_csv_or_as_json(run: Run) -> None:
    assert pl.read_csv(run("log", "churn").stdout_bytes)["city"].to_list() == ["Lyon", None]
    assert json.loads(run("log", "churn", "--json").stdout)["rows"] == ROWS.rows()
    told = json.loads(run("log", "churn", "--out", "w.csv", "--json").stdout)
    assert told == {"path": "w.csv", "rows": 2, "bytes": Path("w.csv").stat().st_size}


def test_a_log_that_is_refused_leaves_the_file_of_before(run: Run) -> None:
    Path("w.csv").write_text("before")
    with pytest.raises(NotFound, match="churn"):
        run("log", "curn", "--out", "w.csv")
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("w.csv", "before")]


def test_a_file_of_another_kind_is_refused_with_one_that_is_right(run: Run, watched: Watched) -> None:
    with pytest.raises(InvalidRequest, match=r"churn\.parquet"):
        run("log", "churn", "--out", "w.xlsx")
    with pytest.raises(InvalidRequest, match="cannot be written"):
        run("log", "churn", "--out", "nowhere/w.csv")
    assert len(watched.logs) <= 1


CSV = f"id,value\n{ID}:0,1\n{ID}:1,stays\n"
JSON = json.dumps([{"id": f"{ID}:0", "value": 1}, {"id": f"{ID}:1", "value": "stays"}])
TRUTHS = [{"id": f"{ID}:0", "value": 1}, {"id": f"{ID}:1", "value": "stays"}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("truth.csv", CSV),
        ("truth.csv", f"prediction_id,row,value\n{ID},0,1\n{ID},1,stays\n"),
        ("truth.json", JSON),
        ("truth.json", json.dumps({"truth": TRUTHS})),
        ("truth.jsonl", "\n".join(map(json.dumps, TRUTHS))),
        ("-", CSV),
    ],
    ids=["csv", "by row", "json", "wrapped", "lines", "standard input"],
)
def test_outcomes_are_told_from_a_file(run: Run, watched: Watched, name: str, text: str) -> None:
    if name != "-":
        Path(name).write_text(text)
    assert run("feedback", "churn", name, stdin=text).stdout == "2 accepted, 0 rejected\n"
    assert watched.truths == TRUTHS


def test_outcomes_are_told_from_a_parquet_file_with_other_names(run: Run, watched: Watched) -> None:
    pl.DataFrame({"key": [f"{ID}:0", f"{ID}:1"], "left": [1, None]}).write_parquet("t.parquet")
    done = run("feedback", "churn", "t.parquet", "--id-column", "key", "--value-column", "left", "--json")

    rejected = [{"id": f"{ID}:1", "detail": "The value is missing."}]
    assert json.loads(done.stdout) == {"accepted": 1, "rejected": rejected, "n_rejected": 1}
    assert watched.truths == TRUTHS[:1]


def test_outcomes_that_are_rejected_are_listed_and_the_others_kept(run: Run) -> None:
    done = run("feedback", "churn", "-", stdin=f"{CSV}row 7,1\n{ID}:2,\n")
    lines = done.stdout.splitlines()

    assert (done.exit_code, lines[0]) == (0, "2 accepted, 2 rejected")
    assert sorted(line.partition(":")[0] for line in lines[1:]) == [f"  {ID}", "  row 7"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key,value\na,1\n", "no column id; it has: key, value.*--id-column"),
        ("id,left\na,1\n", "no column value; it has: id, left.*--value-column"),
        ("id,value\n", "holds no rows"),
        ("[1]", "holds no rows"),
        ('{"id": ', "no JSON"),
        ("id,value\na,1\n\udce9,1\n", "not written in UTF-8, from line 3 on"),
        (f'id,value\na,"{"x" * 131_073}"\n', "no CSV that can be read, at line 2.*quotation mark"),
        ("[" * 100_000, "lists within lists"),
    ],
    ids=["no id", "no value", "empty", "no rows", "malformed", "Latin-1", "a huge cell", "deep"],
)
@pytest.mark.parametrize("name", ["-", "truth.csv"])
def test_a_file_without_outcomes_is_refused_with_the_cure(run: Run, text: str, message: str, name: str) -> None:
    body = text.encode("utf-8", "surrogateescape")
    Path("truth.csv").write_bytes(body)
    with pytest.raises(InvalidRequest, match=message):
        run("feedback", "churn", name, stdin=body)


def test_half_a_character_and_lists_of_lists_are_rejected_alone(run: Run, watched: Watched) -> None:
    halves = [{"id": "\udfff", "value": 1}, {"id": f"{ID}:1", "value": "\ud800"}, {"id": f"{ID}:2", "value": [["a"]]}]
    done = run("feedback", "churn", "-", stdin=json.dumps([TRUTHS[0], *halves]))

    assert done.stdout.splitlines()[0] == "1 accepted, 3 rejected"
    assert "lists within a list" in done.stdout
    assert done.stdout.count("half a character") == 2
    assert watched.truths == TRUTHS[:1]


def test_a_deep_cell_is_a_text(run: Run, watched: Watched) -> None:
    run("feedback", "churn", "-", stdin=f"id,value\n{ID}:0,{'[' * 2_000}\n{ID}:1,1\n")
    assert [truth["value"] for truth in watched.truths][-1] == 1


def test_drift_shows_the_columns_worst_first(run: Run) -> None:
    done = run("drift", "churn")
    lines = done.stdout.splitlines()

    assert done.exit_code == 0
    assert lines[0] == "churn version 1: 2026-05-03 12:00 to 2026-05-04 12:00 UTC"
    assert "  1 of 2 columns moved: price." in lines
    assert [line.split()[1] for line in lines if line[:1] in "✗✓" and line.strip()] == ["price", "city"]


def test_drift_ends_with_2_only_when_asked_to_and_when_something_moved(run: Run, watched: Watched) -> None:
    assert run("drift", "churn", "--exit-code").exit_code == 2
    watched.report = CALM
    assert run("drift", "churn", "--exit-code").exit_code == 0


@pytest.mark.parametrize(
    "unknown",
    [
        replace(CALM, n_rows=0),
        replace(CALM, checks=()),
        replace(CALM, checks=(Check("drift", "pass", evidence={"n_parts": 0}),)),
    ],
    ids=["no rows", "too few rows", "nothing to compare"],
)
def test_drift_ends_with_3_when_nothing_could_be_judged(run: Run, watched: Watched, unknown: Report) -> None:
    watched.report = unknown
    done = run("drift", "churn", "--exit-code")
    assert done.exit_code == 3
    assert "Nothing could be judged" in done.stderr
    assert run("drift", "churn").exit_code == 0


@pytest.mark.parametrize("width", [80, 60])
def test_a_narrow_table_leaves_figures_out_and_breaks_no_word(width: int) -> None:
    parts = [replace(part, name="a_rather_long_name") for part in REPORT.columns]
    out = io.StringIO()
    Console(file=out, width=width).print(table_of(column_lines(parts), width))
    lines = out.getvalue().splitlines()

    assert len(lines) == 3
    assert lines[0].split()[-1] == "missing"
    assert "2026-05-04 10:00  1e-12" in lines[1]
    assert ("PSI" in lines[0], "KS" in lines[0]) == (width == 80, False)


EVIL = "\x1b]0;owned\x07\x9b2J"


@pytest.mark.parametrize("command", [("drift",), ("report",), ("watch", "--once")], ids=lambda words: words[0])
def test_no_name_of_others_commands_the_terminal(run: Run, watched: Watched, command: tuple[str, ...]) -> None:
    checks = (replace(REPORT.checks[0], observed=EVIL),)
    columns = (replace(REPORT.columns[0], name=EVIL),)
    watched.report = replace(REPORT, summary=(EVIL,), checks=checks, columns=columns, slices=((EVIL, "fail"),))

    text = run(command[0], "churn", *command[1:]).stdout

    assert "]0;owned" in text
    assert not {"\x1b", "\x07", "\x9b"} & set(text)


def test_a_reason_of_others_commands_no_terminal(run: Run, watched: Watched) -> None:
    watched.store.save_policy("churn", WatchPolicy(owner=EVIL))
    assert "owner=\ufffd]0;owned" in run("watch", "churn", "--show").stdout


def test_severities_are_told_in_the_language_and_in_their_colour() -> None:
    with speaking("fr"):
        rows = alert_lines(REPORT.alerts)
        table = table_of(rows)

    assert rows[1][0] == "critique"
    (cell, *_others) = table.columns[0].cells
    assert getattr(cell, "style", "") == "bold red"


def test_drift_tells_the_whole_report_as_json_of_what_was_asked(run: Run, watched: Watched) -> None:
    arguments = ("--since", str(NOON - HOUR), "--until", str(NOON), "--against", "48h/24h", "--version", "1")
    assert json.loads(run("drift", "churn", "--json").stdout) == to_json(REPORT)
    assert json.loads(run("drift", "churn", "--json", *arguments).stdout)["against"] == "window"

    query = watched.reports[-1]
    assert query.against is not None
    assert query.against.stop - query.against.start == 24 * HOUR
    assert (query.since, query.until, query.version) == (NOON - HOUR, NOON, 1)


def test_a_report_is_read_here_or_written_as_one_file(run: Run) -> None:
    assert "accuracy  0.81 (0.79 … 0.83)  0.83       0.9" in run("report", "churn").stdout
    assert run("report", "churn", "--html", "r.html").stdout == "The report is in r.html\n"
    assert "price moved &lt;up&gt;" in Path("r.html").read_text(encoding="utf-8")
    told = json.loads(run("report", "churn", "--html", "r.html", "--json").stdout)
    assert told == {"path": "r.html", "bytes": Path("r.html").stat().st_size}


def test_a_model_is_watched_once(run: Run) -> None:
    text = run("watch", "churn", "--once").stdout

    assert "One alert is open." in text
    assert "critical  drift:price" in text
    assert "900 requests" in text
    assert "price" in text


def test_all_models_are_watched_at_once(run: Run) -> None:
    lines = run("watch", "--once").stdout.splitlines()
    assert lines[0].split() == ["name", "champion", "open", "alerts", "requests", "errors", "p99", "lately"]
    assert lines[1].split() == ["churn", "1", "1", "903", "4", "19.5", "ms", "▄█"]

    told = json.loads(run("watch", "--once", "--json").stdout)
    assert ([model["name"] for model in told["models"]], [a["id"] for a in told["alerts"]]) == (["churn"], ["a1"])


class Flaky:
    """A live view whose second look fails."""

    as_json = True
    name = None

    def __init__(self) -> None:
        self.n_looks = 0

    def look(self) -> Seen:
        self.n_looks += 1
        if self.n_looks == 2:
            raise Unavailable("Nothing answers.")
        return Seen([], models=[{"name": f"look {self.n_looks}"}])


def test_watching_goes_on_until_ctrl_c_whatever_the_platform_does(capsys: pytest.CaptureFixture[str]) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    live: Any = Flaky()
    follow(live, 5.0, sleep)

    out, error = capsys.readouterr()
    assert [json.loads(line)["models"][0]["name"] for line in out.splitlines()] == ["look 1", "look 3"]
    assert (naps, error) == ([5.0, 5.0, 5.0], "Nothing answers.\n")


def test_the_policy_is_shown_the_way_it_is_set(run: Run) -> None:
    lines = run("watch", "churn", "--show").stdout.splitlines()
    assert {"window_s=86400", "false_alarms=0.01", "slices=", "silent_after_s=none"} <= set(lines)

    shown = [f"--set={line}" for line in lines if not line.startswith("expectations")]
    assert json.loads(run("watch", "churn", *shown, "--json").stdout) == to_json(WatchPolicy())


def test_the_policy_is_changed_by_words(run: Run, watched: Watched) -> None:
    words = (
        "window_s=2h",
        "slices=job=clerk,note=gold",
        "severities=drift=critical",
        "owner=ada",
        "false_alarms=0.05",
    )
    run("watch", "churn", *(word for one in words for word in ("--set", one)))

    assert watched.store.policy("churn") == WatchPolicy(
        window_s=7_200,
        slices=("job=clerk", "note=gold"),
        severities={"drift": "critical"},
        owner="ada",
        false_alarms=0.05,
    )


def test_the_policy_is_taken_from_a_file(run: Run, watched: Watched) -> None:
    Path("policy.json").write_text('{"expectations": [{"name": "paid", "sql": "price > 0"}], "patience": 3}')
    run("watch", "churn", "--policy", "policy.json", "--set", "calm=4")

    policy = watched.store.policy("churn")
    assert (policy.expectations[0].sql, policy.patience, policy.calm) == ("price > 0", 3, 4)


def test_alerts_are_silenced_for_a_while(run: Run, watched: Watched) -> None:
    done = run("watch", "churn", "--silence", "2h", "--check", "drift:price", "--reason", "known")

    (silence,) = watched.store.policy("churn").silences
    assert (silence.until, silence.check) == (NOON + 2 * HOUR, "drift:price")
    assert done.stdout.splitlines()[-5:].count("silent until 2026-05-04 14:00 UTC: drift:price known") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("watch", "--show"), "boucle watch NAME --show"),
        (("watch", "churn", "--reason", "known"), "--silence 2h"),
        (("watch", "churn", "--silence", "long"), "2h"),
        (("watch", "churn", "--set", "windows_s=60"), "no windows_s.*window_s"),
        (("watch", "churn", "--set", "patience=many"), "patience=many is not understood"),
        (("watch", "churn", "--set", "window_s=soon"), "Expected 3600, 30min, 24h"),
        (("watch", "churn", "--set", "expectations=[{}]"), "expectations=.* is not understood"),
        (("watch", "churn", "--policy", "deep.json"), "deep.json holds lists within lists"),
        (("watch", "churn", "--policy", "half.json"), "half a character"),
        (("watch", "churn", "--set", "owner=\udce9"), "half a character"),
        (("watch", "churn", "--set", "expectations=" + "[" * 9_000), "expectations=.* is not understood"),
        (("drift", "churn", "--since", "yesterday"), "since is yesterday.*24h"),
    ],
    ids=lambda words: ascii(" ".join(words)[:60]) if isinstance(words, tuple) else "",
)
def test_a_word_that_is_not_understood_is_refused_with_the_cure(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    Path("deep.json").write_text("[" * 100_000)
    Path("half.json").write_text('{"owner": "\\ud800"}')
    with pytest.raises(InvalidRequest, match=message):
        run(*arguments)


def test_a_member_may_be_json() -> None:
    rule = {"name": "paid", "sql": "a > 0"}
    (found,) = members_of([f"expectations=[{json.dumps(rule)}]"])["expectations"]
    assert (found.name, found.sql) == ("paid", "a > 0")
