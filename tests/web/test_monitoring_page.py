"""The section *Monitoring* of a model's page, and the same report as one file."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from boucle.core.alert import Severity
from boucle.core.check import Check
from boucle.core.errors import Unavailable
from boucle.core.report import ColumnReport, Histogram, Report, Span
from boucle.loop.periodic import Shelf
from boucle.loop.reports import ReportQuery
from boucle.monitoring.ports import Judged
from boucle.web.app import create_app
from boucle.web.pages.alert_groups import commands, groups_of
from boucle.web.pages.histograms import bars_of, lines_of
from boucle.web.pages.monitoring import Moved
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
    columns = seen.partition('id="columns"')[2].partition('id="quality"')[0]
    names = re.findall(r'<span class="what">([^<]+)</span>', columns)

    assert names[:2] == ["balance", "job"]
    assert "2 of 7 columns moved: job, balance." in seen
    assert columns.count('<path class="ref"') == columns.count('<path class="cur"') > 7
    assert '<th scope="row">services</th>' in seen


def test_a_summary_comes_before_all_and_figures_say_how_far_the_worst_moved(page: str, watched: Watched) -> None:
    report = watched.plane().reports(ReportQuery("churn", 2))  # type: ignore[misc]  # it is there
    worst = report.columns[0]

    assert section_of(page).index("2 alerts are open.") < section_of(page).index('class="moves"')
    assert worst.name == "balance"
    assert worst.wasserstein == pytest.approx(0.43, abs=0.05)
    assert f"{worst.wasserstein:.2g} SD" in page


def test_four_figures_say_at_once_how_it_stands(page: str) -> None:
    glance = section_of(page).partition('<dl class="glance">')[2].partition("</dl>")[0]
    told = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", part)).strip() for part in re.findall(r"<dd>.*?</dd>", glance)]

    assert [told[0], told[1]] == ["2 1 critical", "2 of 9"]
    assert re.fullmatch(r"0\.8\d* expected 0\.8\d*", told[2])
    assert re.search(r"refused or failed$", told[3])
    assert re.findall(r'href="#(\w+)"', glance) == ["alerts", "columns", "quality", "traffic"]
    assert all(f'id="{name}"' in page for name in ("alerts", "columns", "quality", "traffic"))


def test_what_an_alertmanager_told_is_no_column() -> None:
    (group,) = groups_of([replace(DRIFT_ALERT, check=Check("alertmanager:HighLatency", "fail"))])

    assert (group.subject, group.title) == ("", "From an Alertmanager: HighLatency")


def test_alerts_about_one_column_stand_together_the_gravest_first() -> None:
    names = ("drift", "range:age", "concept:input:age", "quality:auc", "feed:job", "estimate:f1", "answers:prediction")
    grave: dict[str, Severity] = {"feed:job": "critical", "estimate:f1": "info"}
    alerts = [
        replace(DRIFT_ALERT, id=str(i), opened_at=i, check=Check(name, "fail"), severity=grave.get(name, "warning"))
        for i, name in enumerate(names)
    ]
    groups = groups_of([*alerts, OVER, replace(alerts[1], id="sliced", slice="job=retired", opened_at=99)])

    assert [(group.title, group.kinds, len(group.alerts)) for group in groups] == [
        ("job", "Feed", 1),
        ("Drift", "", 1),
        ("age", "Range, Concept drift", 2),
        ("Quality", "", 2),
        ("Answers: prediction", "", 1),
        ("Range: age", "", 1),
    ]


def test_an_alert_says_how_to_be_left_in_peace_and_how_its_rows_are_read(page: str) -> None:
    seen = section_of(page)

    assert "boucle watch churn --silence 2h --check quality:accuracy" in seen
    assert "boucle log churn --since 2026-07-11T13:00 --until 2026-07-12T13:00 --out rows.parquet" in seen
    assert f"POST /api/v1/alerts/{QUALITY_ALERT.id}/close" in seen


def test_what_is_typed_about_an_alert_is_safe_in_a_shell() -> None:
    odd = replace(DRIFT_ALERT, check=Check("drift:it's; rm -rf", "fail"))

    assert shlex.split(commands(odd, 60_000_000).splitlines()[0])[-1] == "drift:it's; rm -rf"


def test_an_anchor_of_an_alert_lies_inside_what_unfolds(page: str) -> None:
    for alert in (DRIFT_ALERT, QUALITY_ALERT, OVER):
        before = page.partition(f'id="alert-{alert.id}"')[0]
        assert before.count("<details") > before.count("</details>")


def test_a_column_moved_no_later_than_its_oldest_open_alert() -> None:
    column = ColumnReport("age", "fail", since=50)

    assert [Moved(column, opened_at=at).since for at in (20, 80, None)] == [20, 50, 50]


def test_a_constant_reference_is_measured_by_ks_alone() -> None:
    moved = Moved(ColumnReport("flat", "fail", p_value=0.0, jensen_shannon=0.0, psi=0.0, ks=0.65))

    assert moved.how_far == "KS 0.65"
    assert moved.figures == [("p-value", "< 1e-300"), ("Kolmogorov-Smirnov", "0.65")]


def test_past_periodic_reports_are_found_on_the_page(watched: Watched, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    past = shelf.keep(Report("churn", 2, Span(0, 1), NOW_US), b"<html>churn</html>")
    seen = section_of(client(create_app(watched.plane(shelf=shelf)), Accept="text/html").get("/models/churn").text)

    assert "1 periodic report<" in seen
    assert f'href="/models/churn/reports/{past.file}"' in seen


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
    assert '<path class="known" d="M' in seen


def test_slices_that_need_a_look_are_named(page: str) -> None:
    assert "<code>job=retired</code>" in section_of(page)


def test_the_list_of_models_marks_those_with_open_alerts(watched: Watched) -> None:
    html = client(create_app(watched.plane()), Accept="text/html").get("/").text

    assert re.search(r'badge open-alerts critical" href="/models/churn#monitoring">.*2 alerts</a>', html)
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
