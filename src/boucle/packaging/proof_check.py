"""The Check ``parity`` of a graph that the platform made: how many rows differ, the worst of them cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boucle.core.check import Check
from boucle.core.i18n import N_, _
from boucle.packaging.comparison import Tolerance
from boucle.packaging.figures import finite, percent

MOST_SELF = 0.001  # of the real rows: a model that disagrees with itself on more is told of
_SHOWN_CELLS = 12
_GROUPS = {
    "sample": N_("{n} of the sample"),
    "reference": N_("{n} of the reference"),
    "generated": N_("{n} generated on thresholds and edges"),
}
_ROWS = {
    "sample": N_("row {row} of the sample"),
    "reference": N_("row {row} of the reference"),
    "generated": N_("generated row {row}"),
}


@dataclass
class Tally:
    """Figures of one group of rows. ``excused`` rows are those on which the model disagrees with itself."""

    name: str
    is_generated: bool = False
    rows: int = 0
    differing: int = 0
    labels: int = 0
    excused: int = 0
    refused: int = 0
    left_out: int = 0
    largest: float = 0.0


@dataclass(frozen=True)
class Difference:
    """One row on which graph and model differ, as callers send it; ``gap`` is infinite for labels and refusals."""

    group: str
    row: int
    cells: tuple[tuple[str, str], ...]
    graph: str
    model: str
    gap: float = float("inf")


def parity_of(tallies: Sequence[Tally], differences: Sequence[Difference], allowed: Tolerance, problem: str) -> Check:
    """Return the Check: passed, or a warning, since the version then runs in Python."""
    expected = _("labels identical, numbers within {absolute:g}, the same rows refused").format(
        absolute=allowed.absolute
    )
    evidence = _figures(tallies)
    advice = _(
        "Nothing is wrong with the model: the version answers from its own Python environment, as in the notebook. "
        "Please report what is said here: a graph that differs is an error of ours."
    )
    if problem:
        observed = _("not proven: {problem}").format(problem=problem[:300])
        return Check("parity", "warn", observed, expected, advice, evidence)
    n_rows, wrong = sum(t.rows for t in tallies), sum(t.differing for t in tallies)
    if n_rows == 0:
        return Check("parity", "warn", _("not proven: there was no row to ask"), expected, advice, evidence)
    told = _("{wrong} of {rows} rows differ ({groups}); ").format(wrong=wrong, rows=n_rows, groups=_groups(tallies))
    if wrong:
        worst = max(differences, key=lambda found: found.gap)
        return Check("parity", "warn", told + _worst(worst), expected, advice, {**evidence, "worst_row": _row(worst)})
    told += _("largest difference {largest:.2g}").format(largest=evidence["largest_difference"])
    return _with_self_disagreement(Check("parity", "pass", told, expected, evidence=evidence), tallies)


def _with_self_disagreement(check: Check, tallies: Sequence[Tally]) -> Check:
    """Return a passed Check that says on how many rows the model disagrees with itself; a warning when on many."""
    excused = sum(tally.excused for tally in tallies)
    if not excused:
        return check
    real = [tally for tally in tallies if not tally.is_generated]
    n_real, real_excused = sum(tally.rows for tally in real), sum(tally.excused for tally in real)
    observed = check.observed + _(
        "; on {excused} more the model disagrees with itself, alone against together ({percent} of the real rows)"
    ).format(excused=excused, percent=percent(real_excused, n_real))
    if real_excused <= MOST_SELF * n_real:
        return Check("parity", "pass", observed, check.expected, evidence=check.evidence)
    advice = _(
        "Served answers may depend on how many rows arrive together. Rounding before a threshold causes it "
        "(PCA before trees, for instance): scale or round the features first if this matters."
    )
    return Check("parity", "warn", observed, check.expected, advice, check.evidence)


def _groups(tallies: Sequence[Tally]) -> str:
    """Return how many rows of each group were asked, and how many there was no time for."""
    told = [_(_GROUPS.get(tally.name, "{n} " + tally.name)).format(n=tally.rows) for tally in tallies]
    left_out = sum(tally.left_out for tally in tallies)
    if left_out:
        told.append(_("{n} left out for lack of time").format(n=left_out))
    return ", ".join(told)


def _worst(worst: Difference) -> str:
    cells = [f"{name[:40]} = {cell}" for name, cell in worst.cells[:_SHOWN_CELLS]]
    left = len(worst.cells) - len(cells)
    if left > 0:
        cells.append(_("{left} more columns").format(left=left))
    return _("{row} ({cells}): {graph} from the graph, {model} from the model").format(
        row=_(_ROWS.get(worst.group, worst.group + " {row}")).format(row=worst.row),
        cells=", ".join(cells),
        graph=worst.graph,
        model=worst.model,
    )


def _row(worst: Difference) -> list[list[str]]:
    """Return the whole row as pairs of texts: JSON has no infinity, and a float must keep its last digit."""
    return [[name, cell] for name, cell in worst.cells]


def _figures(tallies: Sequence[Tally]) -> dict[str, Any]:
    return {
        "rows": sum(tally.rows for tally in tallies),
        **{f"rows_{tally.name}": tally.rows for tally in tallies},
        "rows_differing": sum(tally.differing for tally in tallies),
        "labels_differing": sum(tally.labels for tally in tallies),
        "largest_difference": finite(max([tally.largest for tally in tallies], default=0.0)),
        "rows_excused": sum(tally.excused for tally in tallies),
        "rows_refused": sum(tally.refused for tally in tallies),
        "rows_left_out": sum(tally.left_out for tally in tallies),
    }
