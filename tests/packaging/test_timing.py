"""Timing by a clock that is given."""

from __future__ import annotations

from boucle.core.table import Table
from boucle.packaging.timing import measure, timing_check
from tables import answers, floats

ROWS = Table({"x": floats([1.0, 2.0, 3.0])})


class Model:
    """Takes ``seconds`` for each call, by its own clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.now = seconds, 0.0
        self.sizes: list[int] = []

    def predict(self, rows: Table) -> Table:
        self.now += self.seconds
        self.sizes.append(rows.n_rows)
        return answers(prediction=floats([0.0] * rows.n_rows))

    def clock(self) -> float:
        return self.now


def test_one_row_and_a_hundred_are_timed_after_one_call_that_does_not_count() -> None:
    model = Model(0.125)
    timing = measure(model.predict, ROWS, model.clock)
    assert (timing.one_ms, timing.hundred_ms) == (125.0, 125.0)
    assert (timing.runs, timing.runs_hundred) == (2, 2)
    assert model.sizes == [1, 1, 1, 100, 100, 100]


def test_a_fast_model_is_timed_fifty_times_at_most() -> None:
    model = Model(0.0001)
    assert measure(model.predict, ROWS, model.clock).runs == 50


def test_a_fast_model_passes_with_its_figures() -> None:
    model = Model(0.125)
    check = timing_check(measure(model.predict, ROWS, model.clock))
    assert (check.status, check.observed) == ("pass", "1 row in 125 ms, 100 rows in 125 ms (medians)")
    assert check.evidence["one_row_ms"] == 125.0


def test_a_model_that_takes_a_second_for_a_row_is_a_warning() -> None:
    model = Model(1.5)
    check = timing_check(measure(model.predict, ROWS, model.clock))
    assert check.status == "warn"
    assert check.advice


def test_windows_are_timed_one_and_a_hundred_at_a_time() -> None:
    model = Model(0.125)
    rows = Table({"x": floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])})
    check = timing_check(measure(model.predict, rows, model.clock, rows_each=3))
    assert model.sizes == [3, 3, 3, 300, 300, 300]
    assert check.observed == "1 window in 125 ms, 100 windows in 125 ms (medians)"
    assert check.evidence["rows_a_window"] == 3
