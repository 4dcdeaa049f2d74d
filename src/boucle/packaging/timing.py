"""How long a model takes for one row (or window) and for a hundred."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.table import Table
from boucle.packaging.ports import Predict

BUDGET_S = 0.25  # for each of the two sizes
MOST_RUNS = 50
SLOW_MS = 1000.0


@dataclass(frozen=True)
class Timing:
    """Medians in milliseconds, over ``runs`` and ``runs_hundred`` calls after one that is not counted.

    ``rows_each`` are the rows of one answer: more than 1 when the model answers windows.
    """

    one_ms: float
    hundred_ms: float
    runs: int
    runs_hundred: int
    rows_each: int = 1


def measure(predict: Predict, rows: Table, clock: Callable[[], float], rows_each: int = 1) -> Timing:
    """Time the model on one row and on a hundred (the sample's rows, repeated when there are fewer).

    Of a model that answers windows of ``rows_each`` rows, on one window and on a hundred.
    """
    one = _durations_ms(predict, rows.take(slice(0, rows_each)), clock)
    hundred = _durations_ms(predict, rows.take(np.arange(100 * rows_each) % rows.n_rows), clock)
    return Timing(median(one), median(hundred), len(one), len(hundred), rows_each)


def timing_check(timing: Timing, in_python: Timing | None = None) -> Check:
    """Return the Check ``timing``: a warning when one row takes a second or more.

    ``in_python`` is the timing of the model itself, where a graph answers in its place.
    """
    evidence: dict[str, float] = {
        "one_row_ms": round(timing.one_ms, 3),
        "hundred_rows_ms": round(timing.hundred_ms, 3),
        "runs": timing.runs,
        "runs_hundred": timing.runs_hundred,
    }
    observed = _("1 row in {one:.3g} ms, 100 rows in {hundred:.3g} ms (medians)")
    expected = _("1 row in less than {slow:g} ms").format(slow=SLOW_MS)
    if timing.rows_each > 1:
        evidence["rows_a_window"] = timing.rows_each
        observed = _("1 window in {one:.3g} ms, 100 windows in {hundred:.3g} ms (medians)")
        expected = _("1 window in less than {slow:g} ms").format(slow=SLOW_MS)
    observed = observed.format(one=timing.one_ms, hundred=timing.hundred_ms)
    if in_python is not None:
        evidence["python_one_row_ms"] = round(in_python.one_ms, 3)
        evidence["python_hundred_rows_ms"] = round(in_python.hundred_ms, 3)
        beside = _("; the model in Python takes {one:.3g} ms and {hundred:.3g} ms")
        observed += beside.format(one=in_python.one_ms, hundred=in_python.hundred_ms)
    if timing.one_ms < SLOW_MS:
        return Check("timing", "pass", observed, expected, evidence=evidence)
    advice = _("Callers wait this long for each answer. Use a smaller model, or send rows in batches.")
    return Check("timing", "warn", observed, expected, advice, evidence)


def _durations_ms(predict: Predict, rows: Table, clock: Callable[[], float]) -> list[float]:
    predict(rows)
    durations: list[float] = []
    end = clock() + BUDGET_S
    while not durations or (len(durations) < MOST_RUNS and clock() < end):
        start = clock()
        predict(rows)
        durations.append((clock() - start) * 1000)
    return durations
