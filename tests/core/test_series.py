"""Any window of a series is the sum of the profiles of its steps."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boucle.core.counting import count
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.core.table import Column, Table

GRID = Grid((Part("age", "number", edges=(0.0, 10.0, 20.0)), Part("sold", "level", levels=("false", "true"))))


def profile(ages: Any) -> Profile:
    values = np.asarray(ages, dtype=float)
    return count(GRID, Table({"age": Column("float", values), "sold": Column("bool", values > 7)}))


def added(steps: list[tuple[int, Profile]], window: Span) -> Profile:
    found = Profile.empty(GRID)
    for time, step in steps:
        if window.start <= time < window.stop:
            found = found + step
    return found


def assert_same(one: Profile, other: Profile) -> None:
    assert one.n_rows == other.n_rows
    for exact in ("counts", "missing", "low", "high"):
        assert getattr(one, exact).tolist() == getattr(other, exact).tolist()
        assert getattr(one, exact).dtype == getattr(other, exact).dtype
    for close in ("sums", "squares"):
        np.testing.assert_allclose(getattr(one, close), getattr(other, close), rtol=1e-9, atol=1e-9)


AGES = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=4)
STEPS = st.lists(st.tuples(st.integers(0, 120), AGES), max_size=90)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(-5, 125), st.integers(-5, 125))
def test_any_window_is_the_sum_of_its_steps_in_whatever_order_they_came(steps: Any, start: int, stop: int) -> None:
    held = [(time, profile(ages)) for time, ages in steps]
    series = Series(GRID, held)
    assert_same(series.within(Span(start, stop)), added(held, Span(start, stop)))
    assert series.times == tuple(sorted({time for time, _ages in steps}))


@settings(max_examples=60, deadline=None)
@given(STEPS, STEPS, st.integers(0, 120), st.integers(0, 120))
def test_newer_steps_replace_what_was_held_from_the_first_of_them_on(a: Any, b: Any, at: int, start: int) -> None:
    older = [(time, profile(ages)) for time, ages in a]
    newer = [(time + at, profile(ages)) for time, ages in b]
    series = Series(GRID, older)
    series.extend(newer)
    first = min((time for time, _step in newer), default=1000)
    left = [(time, step) for time, step in older if time < first] + newer
    for window in (Span(0, 1000), Span(start, start + 40), Span(start, at)):
        assert_same(series.within(window), added(left, window))


def test_a_series_may_grow_minute_by_minute_far_beyond_its_room() -> None:
    series, held = Series(GRID, []), []
    for minute in range(300):
        held.append((minute, profile([minute])))
        series.extend(held[-2:])
    assert len(series) == 300
    assert_same(series.within(Span(37, 288)), added(held, Span(37, 288)))
    assert series.n_rows.tolist() == [1] * 300
    assert [time for time, _step in series.steps] == list(range(300))


def test_an_absurd_value_takes_no_digits_from_the_windows_after_it() -> None:
    series = Series(GRID, [(0, profile([1e300, -1e300])), (1, profile([25.5, 5.25])), (2, profile([30.0]))])
    later = series.within(Span(1, 3))
    assert later.sums.tolist() == [0.0, 5.25, 0.0, 55.5, 0.0, 0.0, 0.0, 0.0]
    assert later.squares.tolist() == [25.5**2 + 5.25**2 + 900.0, 0.0]
    assert (later.low[0], later.high[0]) == (5.25, 30.0)


def test_old_steps_can_be_forgotten() -> None:
    held = [(minute, profile([minute])) for minute in range(100)]
    series = Series(GRID, held)
    before = series.n_bytes
    series.forget(90)
    assert series.times == tuple(range(90, 100))
    assert_same(series.within(Span(0, 95)), added(held[90:], Span(0, 95)))
    assert series.n_bytes < before


@pytest.mark.parametrize("window", [Span(5, 5), Span(9, 2), Span(100, 200)], ids=["empty", "reversed", "beyond"])
def test_a_window_without_steps_is_empty(window: Span) -> None:
    assert_same(Series(GRID, [(3, profile([1.0]))]).within(window), Profile.empty(GRID))


def test_a_grid_without_parts_counts_rows() -> None:
    nothing = Grid(())
    rows = count(nothing, Table({"age": Column("float", np.zeros(3))}))
    assert Profile.from_bytes(nothing, rows.to_bytes()).n_rows == 3
    assert Series(nothing, [(0, rows), (1, rows)]).within(Span(0, 2)).n_rows == 6
