"""Raw rows: does the model take what callers send, text, holes and dates as they are?

A bare estimator does not: it was fitted on rows that somebody prepared by hand. It is refused with the cause and
with the code of the pipeline to write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from boucle.core.check import Check
from boucle.core.diagnosis import Failure, diagnose
from boucle.core.i18n import _
from boucle.core.signature import Input
from boucle.core.table import Table, missing_mask


def raw_rows_check(rows: Table, inputs: Sequence[Input], failure: Failure | None) -> Check:
    """Return the Check ``raw-rows``; ``failure`` is what the model raised on the rows, None when it answered."""
    kinds = dict(sorted(Counter(item.kind for item in inputs).items()))
    n_holes = sum(bool(missing_mask(column).any()) for column in rows.columns.values())
    evidence = {"rows": rows.n_rows, "columns": len(inputs), "columns_with_missing": n_holes, **kinds}
    expected = _("an answer to rows as callers send them, unprepared")
    if failure is not None:
        found = diagnose(failure, inputs)
        return Check("raw-rows", "fail", found.cause, expected, found.cure, {**evidence, "error": failure.type})
    observed = _("answers raw rows: {kinds}; missing values in {holes} column(s)").format(
        kinds=", ".join(f"{count} {kind}" for kind, count in kinds.items()), holes=n_holes
    )
    return Check("raw-rows", "pass", observed, expected, evidence=evidence)
