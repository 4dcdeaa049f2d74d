"""Replay: the sample's rows asked again, together and one by one, beside the answers that the notebook gave.

Some models disagree with themselves: a row next to a threshold falls on one side alone and on the other among a
thousand, because sums are rounded in another order. Such a row is no error of the build, so it is told apart from
a model that answers otherwise than its notebook did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.signature import Task
from boucle.core.table import Table, concat
from boucle.packaging.comparison import REPRODUCED, Comparison, compare, shown_answer
from boucle.packaging.figures import finite, percent
from boucle.packaging.ports import Predict

LEAST_SINGLE = 16  # rows asked one by one even when they are slow
SINGLE_BUDGET_S = 1.0


@dataclass(frozen=True)
class Replay:
    """What came of it. All row positions are those of the sample.

    ``against_notebook``: the batch beside the notebook's answers; ``against_itself``: ``n_single`` rows alone
    beside the same rows in the batch; ``excused``: rows that differ from the notebook in the batch but equal it
    when asked alone; ``is_repeatable``: the same batch asked twice answers the same (looked at only when rows differ).
    """

    answers: Table
    notebook: Table
    against_notebook: Comparison
    against_itself: Comparison
    self_rows: tuple[int, ...]
    n_single: int
    excused: tuple[int, ...] = ()
    is_repeatable: bool = True

    @property
    def wrong_rows(self) -> tuple[int, ...]:
        """Rows that answer otherwise than the notebook did, however they are asked."""
        return tuple(row for row in self.against_notebook.rows if row not in self.excused)


def replay(predict: Predict, rows: Table, notebook: Table, task: Task, clock: Callable[[], float]) -> Replay:
    """Ask the rows in one batch, then one by one for a second (16 at least), those that differed first."""
    batch = predict(rows)
    against = compare(batch, notebook, task, REPRODUCED)
    if against.problem:
        return Replay(batch, notebook, against, Comparison(0), (), 0)
    order = [*against.rows, *(row for row in range(rows.n_rows) if row not in set(against.rows))]
    alone = _one_by_one(predict, rows, order, clock)
    asked = order[: alone.n_rows]
    itself = compare(alone, batch.take(asked), task, REPRODUCED)
    wrong_alone = {asked[i] for i in compare(alone, notebook.take(asked), task, REPRODUCED).rows}
    excused = tuple(row for row in against.rows if row in set(asked) - wrong_alone)
    differs = len(excused) < len(against.rows)
    return Replay(
        answers=batch,
        notebook=notebook,
        against_notebook=against,
        against_itself=itself,
        self_rows=tuple(sorted(asked[i] for i in itself.rows)),
        n_single=len(asked),
        excused=excused,
        is_repeatable=not differs or compare(predict(rows), batch, task, REPRODUCED).is_same,
    )


def reproduce_check(replayed: Replay) -> Check:
    """Return the Check ``reproduce``: fail when the notebook's answers do not come back, warn on self-disagreement."""
    expected = _("the answers of the notebook: labels identical, numbers within 1e-9")
    if replayed.against_notebook.problem:
        observed = _("the answers have another shape: {problem}").format(problem=replayed.against_notebook.problem)
        return Check("reproduce", "fail", observed, expected, _shape_advice(), _figures(replayed))
    if replayed.wrong_rows:
        return Check("reproduce", "fail", _difference(replayed), expected, _advice(replayed), _figures(replayed))
    if replayed.self_rows:
        return Check("reproduce", "warn", _disagreement(replayed), expected, _self_advice(), _figures(replayed))
    observed = _("{rows} rows answer as in the notebook, together and, {single} of them, one by one").format(
        rows=replayed.against_notebook.n_rows, single=replayed.n_single
    )
    return Check("reproduce", "pass", observed, expected, evidence=_figures(replayed))


def _one_by_one(predict: Predict, rows: Table, order: Sequence[int], clock: Callable[[], float]) -> Table:
    """Return the answers of the first rows of ``order``, each asked alone: as many as fit in the budget."""
    answers: list[Table] = []
    end = clock() + SINGLE_BUDGET_S
    for row in order:
        if len(answers) >= LEAST_SINGLE and clock() >= end:
            break
        answers.append(predict(rows.take(np.array([row]))))
    return concat(answers)


def _difference(replayed: Replay) -> str:
    against = replayed.against_notebook
    row = against.largest_row if against.largest_row in replayed.wrong_rows else replayed.wrong_rows[0]
    return _(
        "{wrong} of {rows} rows ({percent}) answer otherwise than in the notebook; "
        "row {row}: {found} here, {notebook} in the notebook"
    ).format(
        wrong=len(replayed.wrong_rows),
        rows=against.n_rows,
        percent=percent(len(replayed.wrong_rows), against.n_rows),
        row=row,
        found=shown_answer(replayed.answers, row),
        notebook=shown_answer(replayed.notebook, row),
    )


def _disagreement(replayed: Replay) -> str:
    return _(
        "as in the notebook, but the model disagrees with itself: {rows} of {single} rows ({percent}) "
        "answer otherwise alone than together; labels differ on {labels}, numbers by up to {largest:.3g}"
    ).format(
        rows=len(replayed.self_rows),
        single=replayed.n_single,
        percent=percent(len(replayed.self_rows), replayed.n_single),
        largest=replayed.against_itself.largest,
        labels=len(replayed.against_itself.label_rows),
    )


def _advice(replayed: Replay) -> str:
    if not replayed.is_repeatable:
        return _(
            "The model does not give the same answer twice to the same rows. Take chance out of its predict "
            "(set random_state or a seed), then deploy again."
        )
    return _(
        "The model, the library versions or the code here are not those that answered in the notebook. Deploy from "
        "a fresh kernel, name the exact versions with requirements=[...] and the local modules with code=[...]."
    )


def _shape_advice() -> str:
    return _("Deploy again from the notebook, so that the answers come from the model that is deployed.")


def _self_advice() -> str:
    return _(
        "Served answers may depend on how many rows arrive together. Rounding before a threshold causes it "
        "(PCA before trees, for instance): scale or round the features first if this matters."
    )


def _figures(replayed: Replay) -> dict[str, Any]:
    against, itself = replayed.against_notebook, replayed.against_itself
    return {
        "rows": against.n_rows,
        "rows_differing": len(replayed.wrong_rows),
        "labels_differing": len(against.label_rows),
        "largest_difference": finite(against.largest),
        "largest_difference_row": against.largest_row,
        "rows_alone": replayed.n_single,
        "self_rows_differing": len(replayed.self_rows),
        "self_labels_differing": len(itself.label_rows),
        "self_largest_difference": finite(itself.largest),
        "excused_rows": list(replayed.excused[:20]),
    }
