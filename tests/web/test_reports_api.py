"""Reports over HTTP: which window, against what, and what is refused."""

from __future__ import annotations

import httpx
import pytest

from boucle.core.document import from_json
from boucle.core.report import Report, Span
from boucle.web.api.reports import LEAST
from boucle.web.app import create_app
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World, populated
from web.watched import HOUR_US, MOVED_AT, Watched

ONE = "/api/v1/models/churn/report"


@pytest.fixture(scope="module")
def asked() -> httpx.Client:
    watched = Watched(populated())
    watched.served()
    return client(create_app(watched.plane()), Authorization=f"Bearer {TOKEN}")


def report(asked: httpx.Client, **params: str | int) -> Report:
    answer = asked.get(ONE, params=params)
    assert answer.status_code == 200, answer.text
    return from_json(Report, answer.json())


def test_the_newest_window_of_the_champion_is_the_default(asked: httpx.Client) -> None:
    found = report(asked)

    assert (found.version, found.window.stop) == (2, NOW_US - HOUR_US // 2 + 60_000_000)
    assert found.window.stop - found.window.start == 24 * HOUR_US
    assert found.columns[0].name == "balance"


def test_times_are_read_as_iso_or_as_microseconds(asked: httpx.Client) -> None:
    by_number = report(asked, since=MOVED_AT - 2 * HOUR_US, until=MOVED_AT)
    by_text = report(asked, since="2026-07-12T03:00:00Z", until="2026-07-12T07:00:00+02:00")

    assert by_number.window == by_text.window
    assert by_number.n_rows == by_text.n_rows > 0
    assert all(column.status == "pass" for column in by_number.columns)


def test_a_window_can_be_compared_with_another_one(asked: httpx.Client) -> None:
    moved, still = (MOVED_AT, NOW_US), (MOVED_AT - 12 * HOUR_US, MOVED_AT)
    beside_old = report(asked, since=moved[0], until=moved[1], against=f"{still[0]}/{still[1]}")
    beside_itself = report(asked, since=moved[0], until=moved[1], against=f"{moved[0]}/{moved[1]}")

    assert beside_old.against == "window"
    assert {column.name for column in beside_old.columns if column.status != "pass"} >= {"balance", "job"}
    assert [column.name for column in beside_itself.columns if column.status != "pass"] == []


@pytest.mark.parametrize(
    ("params", "code", "told"),
    [
        ({"since": "yesterday"}, "invalid-time", "2026-07-01T00:00:00Z"),
        ({"since": "2026-07-12T03:00:00"}, "invalid-time", "offset"),
        ({"until": "9" * 18}, "invalid-time", "until is"),
        ({"since": "20", "until": "10"}, "invalid-window", "Send a since before its until."),
        ({"since": "20", "until": "20"}, "invalid-window", "Send a since before its until."),
        ({"since": str(NOW_US + HOUR_US)}, "invalid-window", "Send a since before its until."),
        ({"against": "last week"}, "invalid-window", "SINCE/UNTIL"),
        ({"against": "5/4"}, "invalid-window", "Send a since before its until."),
        ({"version": "0"}, "invalid-request", "version"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_its_cure(
    asked: httpx.Client, params: dict[str, str], code: str, told: str
) -> None:
    answer = asked.get(ONE, params=params)

    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:boucle:problem:{code}"
    assert told in answer.text


@pytest.mark.parametrize("path", [ONE, f"{ONE}.html", "/models/churn/report.html"])
def test_a_window_that_ends_in_the_first_second_of_all_times_begins_with_them(asked: httpx.Client, path: str) -> None:
    answer = asked.get(path, params={"until": "0001-01-01T00:00:01Z"})

    assert answer.status_code == 200
    if path == ONE:
        assert from_json(Report, answer.json()).window == Span(LEAST, LEAST + 1_000_000)


@pytest.mark.parametrize("params", [{"slice": "job=king"}, {"version": 99}])
def test_a_slice_or_version_that_is_not_there_is_404(asked: httpx.Client, params: dict[str, str]) -> None:
    assert asked.get(ONE, params=params).status_code == 404


def test_a_model_that_is_not_there_is_404_and_one_nobody_asked_has_an_empty_report(asked: httpx.Client) -> None:
    empty = asked.get("/api/v1/models/house-price/report").json()

    assert asked.get("/api/v1/models/nobody/report").status_code == 404
    assert (empty["n_rows"], empty["columns"], empty["summary"]) == (0, [], ["Nobody has asked this version yet."])


def test_the_file_is_a_download_for_programs_and_for_people(asked: httpx.Client) -> None:
    for path in (f"{ONE}.html", "/models/churn/report.html"):
        answer = asked.get(path, params={"version": 2})
        assert answer.headers["content-disposition"] == 'attachment; filename="churn-2-2026-07-12T1331.html"'
        assert answer.text.startswith("<!doctype html>") or "<!doctype html>" in answer.text[:20]


def test_reports_want_the_token_and_a_platform_that_watches(world: World) -> None:
    bare = create_app(world.plane())

    assert client(bare).get(ONE).status_code == 401
    assert client(bare, Authorization=f"Bearer {TOKEN}").get(ONE).status_code == 503
