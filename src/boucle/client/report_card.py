"""A report at a glance, as text, as HTML for notebooks, and as a table of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Optional

from boucle.client.card import framed_html
from boucle.client.moments import moment, time_text
from boucle.client.printable import printable
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import NotFound
from boucle.core.i18n import N_, _
from boucle.core.report import ColumnReport, Histogram, Metric, Quality, Report, Traffic

MARKS = {"pass": "✓", "warn": "!", "fail": "✗"}
MOVES = ("drift", "answers", "concept")  # checks whose name begins so say that something moved
_COLOURS = {"pass": "#1a7f37", "warn": "#bf8700", "fail": "#e5534b"}  # read on white and on black alike
_CELL = "padding:.15em .9em .15em 0;text-align:left;vertical-align:top;border:0;background:none"
_BLUE, _HEIGHT, _WIDTH, _SHOWN, _SHOWN_ALERTS = "#4a8fe7", 34, 170, 12, 6
_WORDS = {"critical": N_("critical"), "warning": N_("warning"), "info": N_("info")}
_SEVERITIES = {"critical": "fail", "warning": "warn", "info": "pass"}  # the gravest first


class ReportView:
    """What is known of a window, ready to be looked at: show it in a notebook or print it.

    >>> boucle.Client().report("churn", since="24h").summary  # doctest: +SKIP
    """

    def __init__(self, report: Report) -> None:
        self.report = report

    @property
    def summary(self) -> tuple[str, ...]:
        """Sentences, the most important first."""
        return self.report.summary

    @property
    def columns(self) -> tuple[ColumnReport, ...]:
        """The inputs, worst first."""
        return self.report.columns

    @property
    def answers(self) -> tuple[ColumnReport, ...]:
        """The parts of the answers, worst first."""
        return self.report.answers

    @property
    def checks(self) -> tuple[Check, ...]:
        """All that was looked at."""
        return self.report.checks

    @property
    def quality(self) -> Optional[Quality]:
        """Figures of quality; None before any outcome is known."""
        return self.report.quality

    @property
    def traffic(self) -> Traffic:
        """Requests, rows and latencies."""
        return self.report.traffic

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The newest alerts of the model, open and closed."""
        return self.report.alerts

    @property
    def has_drifted(self) -> bool:
        """True when inputs, answers or how they hang together moved."""
        return has_drifted(self.report)

    def __getitem__(self, name: str) -> ColumnReport:
        """Return one column, or one part of the answers. Raises NotFound, naming those there are."""
        parts = {part.name: part for part in (*self.answers, *self.columns)}
        if name not in parts:
            raise NotFound(_("column"), name, tuple(parts))
        return parts[name]

    def to_polars(self) -> Any:
        """Return a polars DataFrame, one row a column, worst first. Raises ImportError without polars."""
        import polars as pl

        return pl.DataFrame([_flat(part) for part in self.columns], infer_schema_length=None)

    def to_pandas(self) -> Any:
        """Return a pandas DataFrame, one row a column, worst first. Raises ImportError without pandas."""
        import pandas as pd

        return pd.DataFrame([_flat(part) for part in self.columns])

    def __repr__(self) -> str:
        """Return the report as text."""
        return report_text(self.report)

    def _repr_html_(self) -> str:
        """Return the report as HTML, for notebooks: no script, nothing from elsewhere."""
        return report_html(self.report)


def has_drifted(report: Report) -> bool:
    """Return True when a check of drift did not pass.

    >>> from boucle.core.report import Span
    >>> has_drifted(Report("churn", 1, Span(0, 1), 1, checks=(Check("drift:age", "fail"),)))
    True
    """
    moved = (check for check in report.checks if check.name.partition(":")[0] in MOVES)
    return any(check.status != "pass" for check in moved)


def is_judged(report: Report) -> bool:
    """Return True when rows were compared with others: a window that holds none, or too few, says nothing.

    >>> from boucle.core.report import Span
    >>> is_judged(Report("churn", 1, Span(0, 1), 1))
    False
    """
    compared = (check for check in report.checks if check.name.partition(":")[0] in ("drift", "answers"))
    return report.n_rows > 0 and any(check.evidence.get("n_parts", 1) for check in compared)


def title_of(report: Report) -> str:
    """Return one line: model, version, window and slice."""
    title = _("{name} version {version}: {since} to {until} UTC").format(
        name=report.model,
        version=report.version,
        since=time_text(report.window.start),
        until=time_text(report.window.stop),
    )
    return f"{title}, {report.slice}" if report.slice else title


def basis_of(report: Report) -> str:
    """Return one line: how many rows are compared with how many."""
    text = _("{n} rows, beside {reference} of the reference")
    if report.against != "reference":
        text = _("{n} rows, beside {reference} of the earlier window")
    return text.format(n=f"{report.n_rows:,}", reference=f"{report.n_reference:,}")


def column_lines(parts: Sequence[ColumnReport]) -> list[list[str]]:
    """Return the header and a line for each part, in order."""
    header = ["", _("column"), _("since (UTC)"), "p", "Wasserstein", "JS", "PSI", "KS", _("missing")]
    return [header, *(_line(part) for part in parts)]


def quality_lines(quality: Quality) -> list[list[str]]:
    """Return the header and a line for each metric."""
    header = [_("metric"), _("realised"), _("estimated"), _("expected")]
    rows = [[one.name, _realised(one), _figure(one.estimated), _figure(one.expected)] for one in quality.metrics]
    return [header, *rows]


def coverage_text(quality: Quality) -> str:
    """Return what the figures rest on."""
    text = _("{n} outcomes known, {share} of the answers").format(
        n=f"{quality.n_labelled:,}", share=f"{quality.label_coverage:.0%}"
    )
    if quality.label_lag_s is not None:
        text += _(", {hours:.1f} h after the answer").format(hours=quality.label_lag_s / 3_600)
    if quality.n_unknown:
        text += _("; {n} outcomes name an answer that is not in the log").format(n=quality.n_unknown)
    return text


def traffic_text(traffic: Traffic) -> str:
    """Return requests, errors and latencies in one line."""
    text = _("{requests} requests, {rows} rows, {refused} refused, {failed} failed").format(
        requests=f"{traffic.n_requests:,}",
        rows=f"{traffic.n_rows:,}",
        refused=f"{traffic.n_refused:,}",
        failed=f"{traffic.n_failed:,}",
    )
    if traffic.n_lost:
        text += _(", {lost} not written down").format(lost=f"{traffic.n_lost:,}")
    if traffic.p50_ms is not None and traffic.p99_ms is not None:
        text += f", p50 {traffic.p50_ms:.1f} ms, p99 {traffic.p99_ms:.1f} ms"
    return text


def alert_lines(alerts: Sequence[Alert]) -> list[list[str]]:
    """Return the header and a line for each alert; slices are told when there are any."""
    header = [_("severity"), _("check"), _("slice"), _("open since (UTC)"), _("what was seen")]
    lines = [
        header,
        *([_(_WORDS[a.severity]), a.check.name, a.slice, time_text(a.opened_at), a.check.observed] for a in alerts),
    ]
    return lines if any(alert.slice for alert in alerts) else [[*line[:2], *line[3:]] for line in lines]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines of equal columns.

    >>> aligned([["a", "bb"], ["ccc", "d"]])
    ['a    bb', 'ccc  d']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def report_text(report: Report) -> str:
    """Return the report for a terminal or a log: summary, alerts, columns, answers, quality, traffic."""
    lines = [title_of(report), f"  {basis_of(report)}", *(f"  {sentence}" for sentence in report.summary)]
    for title, rows in _tables(report):
        lines += ["", title, *(f"  {line}" for line in aligned(rows))]
    return "\n".join(map(printable, [*lines, "", traffic_text(report.traffic)]))


def report_html(report: Report) -> str:
    """Return the report for a notebook. Everything told by others is escaped; it follows the notebook's colours."""
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.summary)
    legend = _("grey: {before}, blue: this window").format(
        before=_("reference") if report.against == "reference" else _("earlier window")
    )
    parts = [
        f'<div style="opacity:.7">{escape(basis_of(report))}</div>',
        f'<ul style="margin:.4em 0 .6em;padding-left:1.2em">{said}</ul>',
        _alerts_html(_open(report)),
        f'<div style="opacity:.7;margin-top:.6em">{escape(legend)}</div>' if report.columns or report.answers else "",
        _parts_html(_("columns, worst first"), report.columns),
        _parts_html(_("answers"), report.answers),
        _quality_html(report.quality) if report.quality is not None else "",
        f'<div style="margin-top:.6em">{escape(traffic_text(report.traffic))}</div>',
    ]
    return framed_html(title_of(report), "".join(parts))


def histogram_svg(histogram: Histogram, name: str) -> str:
    """Return a histogram as one small inline picture: reference in grey, window in blue, a title under each bin."""
    n_bins = max(len(histogram.labels), 1)
    top = max([*histogram.reference, *histogram.current, 1e-9])
    slot = _WIDTH / n_bins
    bars = []
    for i, (label, before, now) in enumerate(zip(histogram.labels, histogram.reference, histogram.current)):
        told = escape(_("{label}: {before} before, {now} now").format(label=label, before=_pct(before), now=_pct(now)))
        pair = _bar(i * slot, slot * 0.45, before / top, 'fill="currentColor" fill-opacity=".4"')
        pair += _bar(i * slot + slot * 0.45, slot * 0.45, now / top, f'fill="{_BLUE}"')
        bars.append(f"<g><title>{told}</title>{pair}</g>")
    label = escape(_("Histogram of {name}").format(name=name), quote=True)
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(bars)}</svg>"
    )


def _bar(x: float, width: float, share: float, fill: str) -> str:
    height = share * _HEIGHT
    return f'<rect x="{x:.1f}" y="{_HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}" {fill}/>'


def _tables(report: Report) -> list[tuple[str, list[list[str]]]]:
    found = []
    if _open(report):
        found.append((_("open alerts"), alert_lines(_open(report))))
    if report.columns:
        found.append((_("columns, worst first"), column_lines(report.columns)))
    if report.answers:
        found.append((_("answers"), column_lines(report.answers)))
    if report.quality is not None and report.quality.metrics:
        found.append((coverage_text(report.quality), quality_lines(report.quality)))
    return found


def _open(report: Report) -> list[Alert]:
    grave = tuple(_SEVERITIES)
    found = [alert for alert in report.alerts if alert.is_open]
    return sorted(found, key=lambda alert: (grave.index(alert.severity), alert.opened_at))


def _alerts_html(alerts: Sequence[Alert]) -> str:
    """Return the gravest alerts as a table, and the others folded away."""
    if not alerts:
        return ""
    head, *lines = alert_lines(alerts)
    rows = [_alert_html(alert.severity, line) for alert, line in zip(alerts, lines)]
    table = f"<table>{_head(head)}{''.join(rows[:_SHOWN_ALERTS])}</table>"
    if rows[_SHOWN_ALERTS:]:
        more = escape(_("{n} more open alerts").format(n=len(rows) - _SHOWN_ALERTS))
        inner = f"<table>{_head(head)}{''.join(rows[_SHOWN_ALERTS:])}</table>"
        table += f'<details><summary style="cursor:pointer">{more}</summary>{inner}</details>'
    return f'<div style="font-weight:600;margin-top:.8em">{escape(_("open alerts"))}</div>{table}'


def _alert_html(severity: str, line: Sequence[str]) -> str:
    colour = "" if severity == "info" else f";color:{_COLOURS[_SEVERITIES[severity]]}"
    styles = [_CELL + colour, *[f"{_CELL};white-space:nowrap"] * (len(line) - 2), _CELL]
    return "<tr>" + "".join(f'<td style="{style}">{escape(c)}</td>' for style, c in zip(styles, line)) + "</tr>"


def _quality_html(quality: Quality) -> str:
    if not quality.metrics:
        return f'<div style="margin-top:.6em">{escape(coverage_text(quality))}</div>'
    return _table_html(coverage_text(quality), quality_lines(quality))


def _table_html(title: str, rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(c)}</td>' for c in row) + "</tr>" for row in rows[1:]
    )
    return f'<div style="font-weight:600;margin-top:.8em">{escape(title)}</div><table>{_head(rows[0])}{cells}</table>'


def _parts_html(title: str, parts: Sequence[ColumnReport]) -> str:
    if not parts:
        return ""
    header = _head(["", _("column"), "", _("figures"), _("missing")])
    shown = [part for i, part in enumerate(parts) if part.status != "pass" or i < _SHOWN]
    rest = [part for part in parts if part not in shown]
    table = f"<table>{header}{''.join(map(_part_html, shown))}</table>"
    if rest:
        more = escape(_("{n} more that did not move").format(n=len(rest)))
        inner = f"<table>{header}{''.join(map(_part_html, rest))}</table>"
        table += f'<details><summary style="cursor:pointer">{more}</summary>{inner}</details>'
    return f'<div style="font-weight:600;margin-top:.8em">{escape(title)}</div>{table}'


def _part_html(part: ColumnReport) -> str:
    line = _line(part)
    told = ", ".join(check.observed for check in part.checks if check.status != "pass" and check.observed)
    since = _("since {time} UTC").format(time=line[2]) if line[2] else ""
    notes = "".join(f'<div style="opacity:.75">{escape(text)}</div>' for text in (told, since) if text)
    figures = ", ".join(f"{name} {cell}" for name, cell in zip(("p", "W", "JS", "PSI", "KS"), line[3:8]) if cell)
    svg = "" if part.histogram is None else histogram_svg(part.histogram, part.name)
    return (
        f'<tr><td style="{_CELL};color:{_COLOURS[part.status]}" title="{part.status}">{MARKS[part.status]}</td>'
        f'<td style="{_CELL};max-width:26em"><strong>{escape(part.name)}</strong>{notes}</td>'
        f'<td style="{_CELL}">{svg}</td>'
        f'<td style="{_CELL};opacity:.8">{escape(figures)}</td><td style="{_CELL};opacity:.8">{escape(line[8])}</td>'
        "</tr>"
    )


def _head(titles: Sequence[str]) -> str:
    style = f"{_CELL};font-weight:normal;opacity:.6"
    return "<tr>" + "".join(f'<th style="{style}">{escape(title)}</th>' for title in titles) + "</tr>"


def _line(part: ColumnReport) -> list[str]:
    told = (part.p_value, part.wasserstein, part.jensen_shannon, part.psi, part.ks)
    if part.ks is not None and part.wasserstein is None:  # the reference is constant: no distance over its groups
        told = (part.p_value, None, None, None, part.ks)
    far = ["<1e-300" if part.p_value == 0 else _figure(part.p_value), *map(_figure, told[1:])]
    missing = _pct(part.missing_rate)
    if part.missing_rate != part.reference_missing_rate:
        missing = f"{_pct(part.reference_missing_rate)} → {missing}"
    return [MARKS[part.status], part.name, time_text(part.since), *far, missing]


def _flat(part: ColumnReport) -> dict[str, Any]:
    names = ("name", "status", "p_value", "wasserstein", "jensen_shannon", "psi", "ks", "missing_rate")
    told = {name: getattr(part, name) for name in (*names, "reference_missing_rate")}
    return {**told, "since": None if part.since is None else moment(part.since)}


def _realised(metric: Metric) -> str:
    text = _figure(metric.realised)
    if metric.low is None or metric.high is None:
        return text
    return f"{text} ({_figure(metric.low)} … {_figure(metric.high)})"


def _figure(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.3g}"


def _pct(share: float) -> str:
    return f"{100 * share:.3g} %"
