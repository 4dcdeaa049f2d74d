"""Parity: does a graph answer as the model did that it was made from?"""

from __future__ import annotations

from typing import Any

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.table import Table
from boucle.packaging.comparison import PARITY, Comparison, Tolerance, shown_answer
from boucle.packaging.figures import finite, percent


def parity_check(compared: Comparison, graph: Table, notebook: Table, tolerance: Tolerance = PARITY) -> Check:
    """Return the Check ``parity`` of the graph's answers beside those of the notebook, on the same rows or windows."""
    evidence = _figures(compared)
    expected = _("labels identical, numbers within {absolute:g} + {relative:g} of their size").format(
        absolute=tolerance.absolute, relative=tolerance.relative
    )
    is_windowed = tolerance is not PARITY
    if is_windowed:
        expected += _("; a forecast lies so near the last value that more would hide an error")
    advice = _(
        "The file does not answer as the model in the notebook. Export it again (double precision, the rows it was "
        "fitted on), or deploy the model itself: it then runs in its own Python environment."
    )
    if compared.problem:
        observed = _("the answers have another shape: {problem}").format(problem=compared.problem)
        return Check("parity", "fail", observed, expected, advice, evidence)
    row = compared.worst_row()
    if row is not None:
        observed = _(
            "{wrong} of {rows} rows ({percent}) differ, {labels} by their label; "
            "row {row}: {found} from the file, {notebook} in the notebook"
        )
        if is_windowed:
            observed = _(
                "{wrong} of {rows} windows ({percent}) differ; "
                "window {row}: {found} from the file, {notebook} in the notebook"
            )
        observed = observed.format(
            wrong=len(compared.rows),
            rows=compared.n_rows,
            percent=percent(len(compared.rows), compared.n_rows),
            labels=len(compared.label_rows),
            row=row,
            found=shown_answer(graph, row),
            notebook=shown_answer(notebook, row),
        )
        return Check("parity", "fail", observed, expected, advice, evidence)
    observed = _("{rows} rows answer as in the notebook; the largest difference is {largest:.3g}")
    if is_windowed:
        observed = _("{rows} windows answer as in the notebook; the largest difference is {largest:.3g}")
    observed = observed.format(rows=compared.n_rows, largest=compared.largest)
    return Check("parity", "pass", observed, expected, evidence=evidence)


def unproven_check(name: str) -> Check:
    """Return the Check ``parity`` or ``reproduce`` of a model that came without answers to compare with."""
    return Check(
        name,
        "warn",
        _("unproven: no answers came with the model, so nothing shows that it answers as in the notebook"),
        _("answers of the model on the rows of the example"),
        _("Deploy again with answers=model.predict(example)."),
        {"rows": 0, "unproven": True},
    )


def _figures(compared: Comparison) -> dict[str, Any]:
    return {
        "rows": compared.n_rows,
        "rows_differing": len(compared.rows),
        "labels_differing": len(compared.label_rows),
        "largest_difference": finite(compared.largest),
        "largest_difference_row": compared.largest_row,
    }
