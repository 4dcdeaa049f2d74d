"""The section *Monitoring* of a model's page, and the same report as one file."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from boucle.core.check import Check
from boucle.core.errors import Unavailable
from boucle.core.report import ColumnReport, Histogram, Report, Span
from boucle.loop.reports import ReportQuery
from boucle.monitoring.ports import Judged
from boucle.web.app import create_app
from boucle.web.pages.histograms import bars_of, lines_of
from boucle.web.pages.report_file import report_file
from web.in_process import client
from web.made_up import NOW_US, World, populated
from web.watched import DRIFT_ALERT, OVER, QUALITY_ALERT, Watched


@pytest.fixture(scope="module")
def watched() -> Watched:
    """A model that moved; nothing of it is changed by these tests."""
    found = Watched(populated())
    found.served()
    return found


@pytest.fixture(scope="module")
def page(watched: Watched) -> str:
    return client(create_app(watched.plane()), Accept="text/html").get("/models/churn").text


def section_of(html: str) -> str:
    return html.partition('<section id="monitoring"')[2].partition("</section>")[0]


def test_what_moved_is_told_worst_first_with_both_histograms_and_a_table(page: str) -> None:
    seen = section_of(page)
    names = re.findall(r'<span class="what">([^<]+)</span>', seen)

    assert names[:2] == ["balance", "job"]
    assert "2 of 7 columns moved: job, balance." in seen
    assert seen.count('<path class="ref"') == seen.count('<path class="cur" d="M') - 1  # one more: traffic
    assert '<th scope="row">services</th>' in seen


def test_a_summary_comes_before_all_and_figures_say_how_far_the_worst_moved(page: str, watched: Watched) -> None:
    report = watched.plane().reports(ReportQuery("churn", 2))  # type: ignore[misc]  # it is there
    worst = report.columns[0]

    assert section_of(page).index("2 alerts are open.") < section_of(page).index('class="moves"')
    assert worst.name == "balance"
    assert worst.wasserstein == pytest.approx(0.43, abs=0.05)
    assert f"{worst.wasserstein:.2g} SD" in page


def test_open_alerts_say_what_to_do_and_can_be_linked_to(page: str) -> None:
    seen = section_of(page)

    assert seen.index(f'id="alert-{QUALITY_ALERT.id}"') < seen.index(f'id="alert-{DRIFT_ALERT.id}"')
    assert QUALITY_ALERT.check.advice in seen
    assert "silent until 2026-07-12 16:00 UTC" in seen
    assert "Since <time" in seen
    assert "3 hours ago" in seen
    assert f'id="alert-{OVER.id}"' in seen.partition("1 alert that is over")[2]


def test_quality_is_shown_beside_how_much_is_known_and_what_had_been_estimated(page: str) -> None:
    seen = section_of(page)

    assert re.search(r"82\.6\s% <small>3,551 rows", seen)
    assert "They came after" in seen
    assert ["Accuracy" in seen, "had been estimated" in seen] == [True, True]
    assert '<path class="second" d="M' in seen


def test_slices_that_need_a_look_are_named(page: str) -> None:
    assert "<code>job=retired</code>" in section_of(page)


def test_the_list_of_models_marks_those_with_open_alerts(watched: Watched) -> None:
    html = client(create_app(watched.plane()), Accept="text/html").get("/").text

    assert re.search(r'href="/models/churn#monitoring">.*2 alerts</a>', html)
    assert html.count("#monitoring") == 1


def test_the_twin_holds_the_report(watched: Watched) -> None:
    told = client(create_app(watched.plane())).get("/models/churn.json").json()["report"]

    assert (told["model"], told["version"], told["columns"][0]["name"]) == ("churn", 2, "balance")


def test_a_model_nobody_asked_says_so(watched: Watched) -> None:
    seen = section_of(client(create_app(watched.plane()), Accept="text/html").get("/models/house-price").text)

    assert "No request came between 2026-07-11 14:00 UTC and 2026-07-12 14:00 UTC" in seen
    assert "<svg" not in seen


def test_an_alert_of_a_model_without_traffic_is_shown_all_the_same(world: World) -> None:
    watched = Watched(world)
    watched.store.judged(Judged("churn", {}, alerts=(DRIFT_ALERT,)))
    seen = section_of(client(create_app(watched.plane()), Accept="text/html").get("/models/churn").text)

    assert "No request came" in seen
    assert f'id="alert-{DRIFT_ALERT.id}"' in seen


def test_a_platform_that_watches_nothing_has_no_such_section(world: World) -> None:
    assert 'href="#monitoring"' not in client(create_app(world.plane()), Accept="text/html").get("/models/churn").text


def test_the_page_stands_when_the_report_cannot_be_made(world: World) -> None:
    def broken(_query: ReportQuery) -> Report:
        raise Unavailable("the database is away")

    answer = client(create_app(world.plane(reports=broken)), Accept="text/html").get("/models/churn")

    assert answer.status_code == 200
    assert "the database is away" in section_of(answer.text)


def test_what_others_wrote_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    column = ColumnReport(
        evil, "fail", histogram=Histogram((evil,), (1.0,), (1.0,)), checks=(Check("x", "fail", evil),)
    )
    alert = replace(DRIFT_ALERT, check=Check(evil, "fail", evil, evil, evil, {evil: evil}), owner=evil, slice=evil)
    report = Report(
        "m", 1, Span(0, NOW_US), NOW_US, 9, 9, summary=(evil,), columns=(column,), answers=(column,), alerts=(alert,),
        checks=(Check(evil, "fail", evil, evil),), slices=((evil, "fail"),),
    )  # fmt: skip

    html = report_file(report, "0.1.0")

    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 12


def test_the_file_needs_nothing_else_and_says_how_it_was_computed(watched: Watched) -> None:
    report = watched.plane().reports(ReportQuery("churn", 2))  # type: ignore[misc]  # it is there
    html = report_file(report, "0.1.0")

    assert not re.findall(r'<(?:script|link|img|iframe)|@import|url\(|src="', html)
    assert [part for part in ("In short", "Open alerts", "Columns", "Quality", "Traffic", "How it was computed")
            if part not in html] == []  # fmt: skip
    assert all(check.observed.split("'")[0][:20] in html for check in report.checks if check.status != "pass")


def test_bars_are_scaled_to_the_largest_and_what_is_there_can_be_seen() -> None:
    found = bars_of(Histogram(("a", "b"), (0.5, 0.0001), (0.25, 0.0)))

    assert found is not None
    assert found.reference == "M1 48V0h10V48zM13 48V47h10V48z"  # 0.5 is all of 48, 0.0001 still 1 high
    assert found.current == "M3.5 48V24h5V48z"


def test_a_line_breaks_where_a_value_is_missing() -> None:
    found = lines_of([0, 10, 20, 30], [1.0, None, 3.0, 3.0])

    assert found is not None
    assert found.first == "M0 82.5M400 7.5L600 7.5"  # from 0.8 to 3.2: a tenth of what they span on either side
    assert lines_of([0, 10], [1.0, None]) is None
