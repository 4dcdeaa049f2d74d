"""Window: a model that answers once for many rows, as forecasters do. How rows become windows: ``core/cutting.py``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Optional

from boucle.core.errors import InvalidRequest, shown
from boucle.core.i18n import _

Gaps = Literal["refuse", "fill"]
MAX_ROWS = 10_000


@dataclass(frozen=True)
class Window:
    """One answer for the newest ``rows`` rows of each group (of all rows without ``group_by``).

    ``order_by`` is a column of dates or numbers that puts rows in order. ``step`` is the distance from row to row
    (seconds for dates, else the column's own unit); None means that neighbours are neighbours whatever lies between,
    as with markets that close. Where a step is stated, a hole is refused or, with ``gaps="fill"``, filled: each
    column takes the last value of the column that ``fill`` names for it, of itself when none is named. No window
    holds more than ``most_filled`` filled rows (half of its rows at most), nor any of a longer hole.

    >>> Window(120, "timestamp", step=3600, gaps="fill", fill={"open": "close"}, most_filled=6).rows
    120
    """

    rows: int
    order_by: str
    group_by: Optional[str] = None
    step: Optional[float] = None
    gaps: Gaps = "refuse"
    fill: dict[str, str] = field(default_factory=dict)
    most_filled: int = 0


def require_window(window: Window, kinds: Mapping[str, str]) -> None:
    """Raise InvalidRequest unless the window can be cut from columns of these kinds."""
    _require_columns(window, kinds)
    kind, step = kinds[window.order_by], window.step
    if not 1 <= window.rows <= MAX_ROWS:
        raise _unusual(_("A window has 1 to {most} rows, not {rows}.").format(most=MAX_ROWS, rows=window.rows))
    if window.gaps not in ("refuse", "fill"):
        raise _unusual(_("gaps is {found}, expected refuse or fill.").format(found=shown(window.gaps)))
    if step is not None and not (step > 0 and math.isfinite(step)):
        raise _unusual(_("The step of a window is a number above 0, not {step}.").format(step=step))
    if step is not None and (step * 1_000_000 < 1 if kind == "datetime" else kind == "int" and step != int(step)):
        finest = _("a microsecond or more") if kind == "datetime" else _("a whole number")
        raise _unusual(
            _("The step of {name}, which is {kind}, is {finest}, not {step}.").format(
                name=shown(window.order_by), kind=kind, finest=finest, step=step
            )
        )
    if window.gaps == "fill" and (step is None or not 1 <= window.most_filled <= window.rows // 2):
        raise _unusual(
            _(
                "To fill holes, give the step from row to row and most_filled, the most rows to fill: 1 to {most}."
            ).format(most=window.rows // 2)
        )
    _require_fill(window, kinds)


def _require_columns(window: Window, kinds: Mapping[str, str]) -> None:
    for role, name in (("order_by", window.order_by), ("group_by", window.group_by)):
        if name is not None and name not in kinds:
            raise _unusual(
                _("{role} names the column {name}, which is not there. Columns: {there}").format(
                    role=role, name=shown(name), there=shown(list(kinds))
                )
            )
    if kinds[window.order_by] not in ("datetime", "int", "float"):
        raise _unusual(
            _("order_by needs a column of dates or numbers; {name} is {kind}.").format(
                name=shown(window.order_by), kind=kinds[window.order_by]
            )
        )
    if window.group_by == window.order_by:
        raise _unusual(_("order_by and group_by both name {name}.").format(name=shown(window.order_by)))


def _require_fill(window: Window, kinds: Mapping[str, str]) -> None:
    strangers = sorted({*window.fill, *window.fill.values()} - set(kinds))
    if strangers:
        raise _unusual(_("fill names columns that are not there: {names}").format(names=shown(strangers)))
    for name, filler in window.fill.items():
        if name in (window.order_by, window.group_by):
            raise _unusual(_("fill names {name}, which the window itself fills.").format(name=shown(name)))
        kind, given = (_plain(kinds[name]), _plain(kinds[filler]))
        if kind != given and not (kind == "float" and given in ("int", "bool")):
            raise _unusual(
                _("fill gives the {given} {filler} to {name}, which is {kind}.").format(
                    given=given, filler=shown(filler), name=shown(name), kind=kind
                )
            )


def _plain(kind: str) -> str:
    return "text" if kind == "category" else kind


def _unusual(text: str) -> InvalidRequest:
    return InvalidRequest("unusual-window", text)
