"""A model, or all of them, as they fare now: one screen that is written anew."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Optional

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live as Screen
from rich.table import Table
from rich.text import Text

from boucle.client.client import Client
from boucle.client.printable import printable
from boucle.client.report_card import (
    alert_lines,
    basis_of,
    column_lines,
    coverage_text,
    quality_lines,
    title_of,
    traffic_text,
)
from boucle.client.watching import Asked
from boucle.core.alert import Alert
from boucle.core.document import to_json
from boucle.core.errors import TooSlow, Unavailable
from boucle.core.i18n import _
from boucle.core.report import Report

MOST_COLUMNS, MOST_ALERTS = 10, 10
BARS = "▁▂▃▄▅▆▇█"
_GAP = 2  # characters after each column of a table
_SHORT = {"Wasserstein": "W"}
_LESSER = ("KS", "JS", "PSI", "W")  # the first is missed least: the p-value and the mark judge
_STYLES = {"✗": "red", "!": "yellow", "✓": "green", "critical": "bold red", "warning": "yellow"}


@dataclass(frozen=True)
class Seen:
    """What one look found: a report for one model, the rows of the list for all of them; open alerts."""

    alerts: list[Alert]
    report: Optional[Report] = None
    models: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Live:
    """``name`` None means all models."""

    client: Client
    name: Optional[str]
    as_json: bool = False

    def look(self) -> Seen:
        """Ask the platform."""
        alerts = self.client.alerts(self.name)
        if self.name is None:
            return Seen(alerts, models=self.client.models())
        return Seen(alerts, self.client.watching.report(self.name, Asked()))


def follow(live: Live, every_s: Optional[float], sleep: Callable[[float], None] = time.sleep) -> None:
    """Show a look, and another every so many seconds until Ctrl-C; None means one only.

    On a terminal the screen is written over; elsewhere, and as JSON (one document a line), looks follow each other.
    A platform that does not answer for a while is waited for, unless it is the first look.
    """
    seen = live.look()
    if every_s is None:
        _written(live, Console(highlight=False), seen)
        return
    with _showing(live) as show:
        try:
            show(seen, "")
            while True:
                sleep(every_s)
                try:
                    seen = live.look()
                    show(seen, "")
                except (Unavailable, TooSlow) as error:
                    show(seen, str(error))
        except KeyboardInterrupt:
            return


@contextmanager
def _showing(live: Live) -> Iterator[Callable[[Seen, str], None]]:
    console = Console(highlight=False)
    if live.as_json or not console.is_terminal:

        def write(seen: Seen, trouble: str) -> None:
            if trouble:
                Console(stderr=True, highlight=False, markup=False).print(printable(trouble), soft_wrap=True)
            else:
                _written(live, console, seen)

        yield write
        return
    with Screen(console=console, auto_refresh=False, screen=False) as screen:
        yield lambda seen, trouble: screen.update(screen_of(seen, console.width, trouble), refresh=True)


def _written(live: Live, console: Console, seen: Seen) -> None:
    if live.as_json:
        told = {"alerts": to_json(seen.alerts)}
        told |= {"models": list(seen.models)} if seen.report is None else {"report": to_json(seen.report)}
        print(json.dumps(told, ensure_ascii=False), flush=True)
    else:
        console.print(screen_of(seen, console.width))


def screen_of(seen: Seen, width: int, trouble: str = "") -> Group:
    """Return the screen of a look, so many characters wide, with the trouble of a newer one that failed."""
    parts: list[Any] = _all_models(seen) if seen.report is None else _head(seen.report)
    parts += _alerts(seen.alerts[:MOST_ALERTS], len(seen.alerts), with_model=seen.report is None)
    parts += [] if seen.report is None else _figures(seen.report, width)  # last: a small terminal cuts it off
    if trouble:
        parts += [Text(), Text(printable(trouble), style="red")]
    at = dt.datetime.now(dt.timezone.utc).strftime("%H:%M:%S")
    return Group(*parts, Text(), Text(_("seen at {time} UTC").format(time=at), style="dim"))


def table_of(rows: Sequence[Sequence[str]], width: Optional[int] = None) -> Table:
    """Return rows of texts, the header first, as a table; marks and severities in their colours.

    Where ``width`` (characters) is less than they take, titles are shortened and figures left out that others tell.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="dim")
    styles = {_(word): style for word, style in _STYLES.items()}
    shown = rows if width is None else fitting(rows, width)
    for title in shown[0]:
        table.add_column(Text(title), overflow="fold")
    for row in shown[1:]:
        table.add_row(*(Text(cell, style=styles.get(cell, "")) for cell in row))
    return table


def fitting(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return rows, the header first, that take at most ``width`` characters where leaving out figures is enough.

    >>> fitting([["column", "Wasserstein", "JS", "KS"], ["price", "0.1", "0.25", "0.5"]], 22)
    [['column', 'W', 'JS'], ['price', '0.1', '0.25']]
    """
    found = [list(row) for row in rows]
    if _width(found) > width:
        found[0] = [_SHORT.get(title, title) for title in found[0]]
    for title in _LESSER:
        if _width(found) > width and title in found[0]:
            place = found[0].index(title)
            found = [[*row[:place], *row[place + 1 :]] for row in found]
    return found


def _width(rows: Sequence[Sequence[str]]) -> int:
    return sum(max(cell_len(row[place]) for row in rows) + _GAP for place in range(len(rows[0])))


def bars(values: Sequence[float]) -> str:
    """Return a row of bars, the highest value the highest bar.

    >>> bars([0, 1, 2])
    '▁▄█'
    """
    top = max(values, default=0) or 1
    return "".join(BARS[int(value / top * (len(BARS) - 1))] for value in values)


def _head(report: Report) -> list[Any]:
    title, basis = printable(title_of(report)), f"  {basis_of(report)}"
    said = (Text(f"  {printable(sentence)}") for sentence in report.summary)
    return [Text(title, style="bold"), Text(basis, style="dim"), *said]


def _figures(report: Report, width: int) -> list[Any]:
    parts: list[Any] = [Text(), Text(traffic_text(report.traffic))]
    if report.traffic.per_step:
        parts.append(Text(bars([rows for _at, rows, _errors in report.traffic.per_step]), style="cyan"))
    if report.columns:
        parts += [Text(), table_of(column_lines(report.columns[:MOST_COLUMNS]), width)]
        n_left = len(report.columns) - MOST_COLUMNS
        if n_left > 0:
            more = _("… and {n} more: boucle drift {name}").format(n=n_left, name=report.model)
            parts.append(Text(more, style="dim"))
    if report.quality is not None and report.quality.metrics:
        parts += [Text(), Text(coverage_text(report.quality)), table_of(quality_lines(report.quality))]
    return parts


def _all_models(seen: Seen) -> list[Any]:
    if not seen.models:
        return [Text(_("There is no model yet. Make one with: boucle deploy MODEL NAME --example FILE"))]
    rows = [[_("name"), _("champion"), _("open alerts"), _("requests"), _("errors"), "p99", _("lately")]]
    for model in seen.models:
        n_open = sum(alert.model == model["name"] for alert in seen.alerts)
        traffic = model.get("traffic") or {}
        champion = "–" if model["champion"] is None else str(model["champion"])
        p99 = traffic.get("p99_ms")
        figures = [f"{traffic.get('requests', 0):,}", f"{traffic.get('errors', 0):,}"]
        lately = bars(traffic.get("per_minute") or ())
        rows.append([model["name"], champion, str(n_open), *figures, "" if p99 is None else f"{p99:.1f} ms", lately])
    return [table_of(rows)]


def _alerts(alerts: Sequence[Alert], n_open: int, *, with_model: bool) -> list[Any]:
    if not alerts:
        return [Text(), Text(_("No alert is open."), style="green")]
    rows = alert_lines(alerts)
    if with_model:
        rows = [[title, *row] for title, row in zip((_("model"), *(alert.model for alert in alerts)), rows)]
    more = [Text(_("… and {n} more").format(n=n_open - len(alerts)), style="dim")] if n_open > len(alerts) else []
    return [Text(), Text(_("open alerts"), style="bold"), table_of(rows), *more]
