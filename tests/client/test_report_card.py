"""How a report looks: as text, in a notebook, as a table."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from boucle.client.report_card import ReportView, aligned, histogram_svg
from boucle.core.errors import NotFound
from boucle.core.report import ColumnReport, Histogram, Report, Span
from client.watched import CALM, NOON, REPORT

TEXT = """\
churn version 1: 2026-05-03 12:00 to 2026-05-04 12:00 UTC
  12,345 rows, beside 20,000 of the reference
  One alert is open.
  1 of 2 columns moved: price.

open alerts
  severity  check        open since (UTC)  what was seen
  critical  drift:price  2026-05-04 11:00  price moved <up>

columns, worst first
     column  since (UTC)       p      Wasserstein  JS    PSI   KS   missing
  ✗  price   2026-05-04 10:00  1e-12  1.3          0.4   0.61  0.5  1 % → 2 %
  ✓  city                      0.4                 0.01  0.02       0 %

4,938 outcomes known, 40% of the answers, 24.0 h after the answer; 3 outcomes name an answer that is not in the log
  metric    realised            estimated  expected
  accuracy  0.81 (0.79 … 0.83)  0.83       0.9

900 requests, 12,345 rows, 3 refused, 1 failed, p50 4.2 ms, p99 19.5 ms"""


def test_a_report_reads_as_text() -> None:
    assert repr(ReportView(REPORT)) == TEXT


def test_a_report_in_a_notebook_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    html = ReportView(REPORT)._repr_html_()

    ET.fromstring(html)  # noqa: S314  # our own text
    assert "<script" not in html
    assert "http" not in html
    assert html.count("<svg") == 1


def test_what_others_told_is_escaped_in_a_notebook() -> None:
    evil = replace(REPORT, columns=(replace(REPORT.columns[0], name="<img src=x>"),), slice='"><b>')
    html = ReportView(evil)._repr_html_()

    assert "<img" not in html
    assert "<b>" not in html
    assert "price moved &lt;up&gt;" in html


def test_a_histogram_draws_reference_and_window_to_one_scale() -> None:
    root = ET.fromstring(histogram_svg(Histogram(("a", "b"), (0.75, 0.25), (0.25, 0.5)), "x"))  # noqa: S314
    heights = [float(bar.attrib["height"]) for bar in root.iter("rect")]

    assert heights == [34.0, 11.3, 11.3, 22.7]  # shares over the highest, 0.75, times 34 pixels
    assert [title.text for title in root.iter("title")] == ["a: 75 % before, 25 % now", "b: 25 % before, 50 % now"]


def test_columns_that_did_not_move_are_folded_away_beyond_a_dozen() -> None:
    many = tuple(ColumnReport(f"c{i}", "pass") for i in range(20))
    html = ReportView(replace(REPORT, columns=many))._repr_html_()

    assert "8 more that did not move" in html
    assert all(f">c{i}<" in html for i in range(20))


def test_the_gravest_alerts_come_first_and_many_are_folded_away() -> None:
    (one,) = [alert for alert in REPORT.alerts if alert.is_open]
    mild = [replace(one, id=str(i), check=replace(one.check, name=f"drift:c{i}"), severity="warning") for i in range(9)]
    html = ReportView(replace(REPORT, alerts=(*mild, one)))._repr_html_()

    assert html.index("drift:price") < html.index("drift:c0")
    assert "4 more open alerts" in html.partition("<details>")[2]
    ET.fromstring(html)  # noqa: S314  # our own text


def test_the_slice_of_an_alert_is_told_when_there_is_one() -> None:
    (one,) = [alert for alert in REPORT.alerts if alert.is_open]
    sliced = ReportView(replace(REPORT, alerts=(replace(one, slice="city=Lyon"), one)))

    assert "drift:price  city=Lyon  2026-05-04 11:00" in repr(sliced)
    assert "slice" not in repr(ReportView(REPORT))


def test_a_constant_reference_has_no_distances_over_its_groups() -> None:
    part = ColumnReport("flat", "fail", p_value=0.0, jensen_shannon=0.0, psi=0.0, ks=0.65)
    html = ReportView(replace(REPORT, columns=(part,)))._repr_html_()

    assert "p &lt;1e-300, KS 0.65" in html


def test_the_columns_are_a_table_worst_first() -> None:
    table = ReportView(REPORT).to_polars()
    assert table["name"].to_list() == ReportView(REPORT).to_pandas()["name"].tolist() == ["price", "city"]
    assert table["since"][0].hour == 10


@pytest.mark.parametrize(("report", "expected"), [(REPORT, True), (CALM, False)], ids=["moved", "calm"])
def test_a_report_knows_whether_something_moved(report: Report, expected: bool) -> None:
    assert ReportView(report).has_drifted is expected


def test_a_report_of_nothing_says_so() -> None:
    nothing = Report("churn", 1, Span(0, NOON), NOON, summary=("Nobody has asked this version yet.",))
    view = ReportView(nothing)

    assert "Nobody has asked this version yet." in repr(view)
    ET.fromstring(view._repr_html_())  # noqa: S314  # our own text
    assert view.to_polars().height == 0


def test_a_column_is_found_by_its_name() -> None:
    view = ReportView(REPORT)
    assert view["price"].status == "fail"
    with pytest.raises(NotFound, match="price, city"):
        view["prize"]


def test_lines_without_cells_are_no_lines() -> None:
    assert aligned([]) == []
