"""Rows become windows: in order, without holes, newest last."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boucle.core.cutting import newest, sliding
from boucle.core.document import canonical, from_json
from boucle.core.errors import InvalidRequest, InvalidRows, RowProblem
from boucle.core.schema import Schema
from boucle.core.table import Column, Table
from boucle.core.window import MAX_ROWS, Window, require_window
from tables import floats, texts

THREE = Window(3, "t")
STEPPED = replace(THREE, step=1)
FILLED = replace(STEPPED, gaps="fill", most_filled=1, fill={"open": "close"})


def series(*times: int, kind: str = "int") -> Table:
    """Rows at these times: ``close`` is ten times the time, ``open`` a quarter more."""
    values = np.array(times, dtype=np.float64 if kind == "float" else np.int64)
    return Table(
        {
            "t": Column(kind, values),
            "open": floats([10 * t + 0.25 for t in times]),
            "close": floats([10.0 * t for t in times]),
        }
    )


def hours(*at: int) -> Table:
    """Rows at these hours of 2024."""
    times = np.datetime64("2024-01-01", "us") + np.array(at).astype("timedelta64[h]")
    return Table({"t": Column("datetime", times), "close": floats(list(map(float, at)))})


def times_of(table: Table, window: Window) -> list[list[Any]]:
    values: list[Any] = table.columns[window.order_by].values.tolist()
    return [values[i : i + window.rows] for i in range(0, len(values), window.rows)]


def problems(table: Table, window: Window) -> tuple[RowProblem, ...]:
    with pytest.raises(InvalidRows) as refused:
        newest(table, window)
    return refused.value.problems


def test_the_newest_window_is_the_last_rows_in_order() -> None:
    found = newest(series(5, 1, 4, 2, 3), THREE)
    assert (found.n, found.groups) == (1, None)
    assert found.table.rows() == series(3, 4, 5).rows()


def test_sliding_windows_come_one_after_the_other() -> None:
    found = sliding(series(4, 1, 3, 2, 5), THREE)
    assert times_of(found.table, THREE) == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert found.n == 3


def test_without_a_step_neighbours_are_neighbours_whatever_lies_between() -> None:
    assert times_of(newest(series(1, 5, 900), THREE).table, THREE) == [[1, 5, 900]]


def test_groups_have_a_window_each_in_the_order_they_first_come() -> None:
    table = Table({**series(3, 7, 1, 2, 8, 4, 9).columns, "pair": texts(["b", "a", "b", "b", "a", "b", "a"])})
    window = replace(THREE, group_by="pair")
    found = newest(table, window)
    assert (found.n, found.groups) == (2, ("b", "a"))
    assert times_of(found.table, window) == [[2, 3, 4], [7, 8, 9]]
    every = sliding(table, window)
    assert (every.groups, times_of(every.table, window)) == (("b", "b", "a"), [[1, 2, 3], [2, 3, 4], [7, 8, 9]])


def test_two_groups_may_have_rows_at_the_same_time_and_far_apart() -> None:
    table = Table({**series(1, 2, 3, 1, 2, 3).columns, "pair": Column("int", np.array([7, 7, 7, 1, 1, 1]))})
    found = newest(table, replace(STEPPED, group_by="pair"))
    assert found.groups == (7, 1)


def test_a_group_without_a_name_is_a_group() -> None:
    table = Table({**series(1, 2, 3).columns, "pair": texts([None, None, None])})
    assert newest(table, replace(THREE, group_by="pair")).groups == (None,)


def test_each_group_with_too_few_rows_is_named() -> None:
    table = Table({**series(1, 2, 3, 1, 2, 1).columns, "pair": texts(["a", "a", "a", "b", "b", "c"])})
    found = problems(table, replace(THREE, group_by="pair"))
    assert [(p.code, p.row) for p in found] == [("too-few-rows", None)] * 2
    assert found[0].detail == "Group 'b', column 't': expected at least 3 rows for one answer, found 2 rows."


@pytest.mark.parametrize("n_rows", [0, 1, 2])
def test_too_few_rows_are_refused(n_rows: int) -> None:
    (found,) = problems(series(*range(n_rows)), THREE)
    assert (found.code, found.column, found.row) == ("too-few-rows", "t", None)
    assert f"at least 3 rows for one answer, found {n_rows} rows" in found.detail
    assert sliding(series(*range(n_rows)), THREE).n == 0


@pytest.mark.parametrize("window", [THREE, STEPPED, FILLED], ids=["free", "stepped", "filled"])
def test_two_rows_at_one_time_are_refused_naming_the_later(window: Window) -> None:
    (found,) = problems(series(4, 1, 2, 3, 2), window)
    assert (found.code, found.row) == ("duplicate-row", 4)
    assert found.detail == "Row 4, column 't': expected one row at each time, found 2."
    with pytest.raises(InvalidRows):
        sliding(series(4, 1, 2, 3, 2), window)


def test_a_time_between_the_steps_is_refused_naming_its_row() -> None:
    (found,) = problems(hours(0, 1, 2), Window(3, "t", step=3000))[:1]
    assert found.expected == "a whole number of steps of 3000 s after the row before"
    table = series(3, 1, 2, 0, kind="float")
    table.columns["t"].values[2] = 2.4
    assert {(p.code, p.row) for p in problems(table, STEPPED)} == {("off-step", 2), ("off-step", 0)}


def test_times_that_rounding_alone_puts_beside_a_step_are_taken() -> None:
    times = np.cumsum(np.full(500, 0.1)) + 1.7e9
    found = sliding(Table({"t": floats(times.tolist())}), Window(5, "t", step=0.1))
    assert found.n == 496


@pytest.mark.parametrize("kind", ["int", "float"])
def test_a_hole_in_the_window_is_refused_and_one_before_it_is_not(kind: str) -> None:
    (found,) = problems(series(1, 2, 3, 5, 6, kind=kind), STEPPED)
    assert (found.code, found.row) == ("hole", 3)
    assert found.detail == "Row 3, column 't': expected no hole inside the window, found 1 missing before it."
    assert times_of(newest(series(1, 3, 4, 5, kind=kind), STEPPED).table, STEPPED) == [[3, 4, 5]]


def test_too_few_rows_are_told_as_such_even_with_a_hole() -> None:
    assert problems(series(1, 9), STEPPED)[0].code == "too-few-rows"


def test_a_hole_is_filled_with_the_last_values() -> None:
    found = newest(series(1, 2, 4), FILLED)
    assert found.table.rows() == [
        {"t": 2, "open": 20.25, "close": 20.0},
        {"t": 3, "open": 20.0, "close": 20.0},
        {"t": 4, "open": 40.25, "close": 40.0},
    ]


def test_dates_are_filled_in_steps_of_seconds() -> None:
    window = Window(4, "t", step=3600, gaps="fill", most_filled=2)
    found = newest(hours(0, 3, 4), replace(window, rows=5))
    assert found.table.columns["close"].values.tolist() == [0, 0, 0, 3, 4]
    assert found.table.columns["t"].values.tolist() == hours(0, 1, 2, 3, 4).columns["t"].values.tolist()


def test_a_hole_larger_than_may_be_filled_is_refused() -> None:
    (found,) = problems(series(0, 1, 2, 5, 6), FILLED)
    assert (found.code, found.row) == ("hole", 3)
    assert "no hole of over 1 rows inside the window, found 2 missing before it" in found.detail


def test_many_small_holes_are_as_bad_as_a_large_one() -> None:
    (found,) = problems(series(0, 1, 3, 5, 6), replace(FILLED, rows=5))
    assert (found.code, found.expected) == ("hole", "at most 1 rows missing in a window")
    assert "found 2 missing" in found.detail


def test_no_window_holds_a_row_of_too_long_a_hole() -> None:
    found = sliding(series(1, 2, 3, 7, 8, 9, 11), FILLED)
    assert times_of(found.table, FILLED) == [[1, 2, 3], [7, 8, 9], [8, 9, 10], [9, 10, 11]]


def test_missing_cells_are_carried_as_they_are() -> None:
    trades = Column("int", np.array([1, 0, 4]), np.array([False, True, False]))
    table = Table({"t": Column("int", np.array([1, 2, 4])), "trades": trades, "note": texts(["a", None, "c"])})
    found = newest(table, replace(FILLED, rows=4, fill={}))
    assert [row["trades"] for row in found.table.rows()] == [1, None, None, 4]
    assert [row["note"] for row in found.table.rows()] == ["a", None, None, "c"]


def test_a_number_is_filled_by_another_with_what_is_missing_missing() -> None:
    trades = Column("int", np.array([5, 0, 4]), np.array([False, True, False]))
    table = Table({"t": Column("int", np.array([1, 2, 4])), "open": floats([0.5, 1.5, 2.5]), "trades": trades})
    found = newest(table, replace(FILLED, rows=4, fill={"open": "trades"}))
    assert [row["open"] for row in found.table.rows()] == [0.5, 1.5, None, 2.5]


@pytest.mark.parametrize(
    "order",
    [
        Column("int", np.array([1, 0, 3]), np.array([False, True, False])),
        floats([1.0, float("nan"), 3.0]),
        floats([1.0, float("inf"), 3.0]),
        Column("datetime", np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[us]")),
    ],
    ids=["int", "float", "infinite", "datetime"],
)
def test_a_row_without_a_time_is_refused(order: Column) -> None:
    (found,) = problems(Table({"t": order}), THREE)
    assert (found.code, found.row) == ("missing-value", 1)


def test_times_at_the_ends_of_their_range_are_no_trouble() -> None:
    ends = Column("int", np.array([-(2**63), 2**63 - 1, 0]))
    assert newest(Table({"t": ends}), THREE).table.columns["t"].values.tolist() == [-(2**63), 0, 2**63 - 1]
    assert problems(Table({"t": ends}), STEPPED)[0].code == "hole"
    assert problems(Table({"t": floats([-1e308, 1e308, 1.5e308])}), STEPPED)[0].code == "hole"
    table = Table({"t": floats([1e308, 1.7e308, -1.7e308, -1e308]), "pair": texts(["a", "a", "b", "b"])})
    for step in (None, 1, 1e-300, 1e300, 0.7e308):
        window = Window(2, "t", "pair", step)
        assert sliding(table, window).groups in ((), ("a", "b"))


def test_twenty_problems_are_told_and_all_are_counted() -> None:
    with pytest.raises(InvalidRows) as refused:
        newest(series(*[1] * 50), THREE)
    assert (len(refused.value.problems), refused.value.total) == (20, 49)


KINDS = {"t": "datetime", "n": "int", "close": "float", "pair": "category", "note": "text"}


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (Window(3, "when"), "order_by names the column 'when', which is not there. Columns: ['t', 'n'"),
        (Window(3, "t", group_by="who"), "group_by names the column 'who'"),
        (Window(3, "pair"), "order_by needs a column of dates or numbers; 'pair' is category"),
        (Window(3, "t", group_by="t"), "order_by and group_by both name 't'"),
        (Window(0, "t"), "A window has 1 to 10000 rows, not 0"),
        (Window(MAX_ROWS + 1, "t"), "A window has 1 to 10000 rows"),
        (Window(3, "t", gaps="skip"), "gaps is 'skip', expected refuse or fill"),  # type: ignore[arg-type]  # wrong
        (Window(3, "t", step=0), "a number above 0, not 0"),
        (Window(3, "t", step=float("nan")), "a number above 0, not nan"),
        (Window(3, "t", step=float("inf")), "a number above 0, not inf"),
        (Window(3, "t", step=1e-7), "a microsecond or more, not 1e-07"),
        (Window(3, "n", step=1.5), "a whole number, not 1.5"),
        (Window(3, "t", gaps="fill", most_filled=1), "To fill holes, give the step"),
        (Window(3, "t", step=1, gaps="fill"), "the most rows to fill: 1 to 1"),
        (Window(8, "t", step=1, gaps="fill", most_filled=5), "the most rows to fill: 1 to 4"),
        (Window(3, "t", fill={"open": "close"}), "fill names columns that are not there: ['open']"),
        (Window(3, "t", fill={"t": "t"}), "fill names 't', which the window itself fills"),
        (Window(3, "t", fill={"n": "close"}), "fill gives the float 'close' to 'n', which is int"),
    ],
)
def test_a_window_that_cannot_be_is_refused_with_the_reason(window: Window, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        require_window(window, KINDS)
    assert said in str(refused.value)


def test_windows_that_can_be_are_taken() -> None:
    require_window(Window(1, "n"), KINDS)
    fill = {"close": "n", "note": "pair"}
    require_window(Window(24, "t", "pair", 0.5, "fill", fill, 12), KINDS)


# What follows compares with a rule written another way: one dict of times, one window at a time.


def by_hand(times: list[int], last: int, window: Window) -> list[int] | None:
    """The times of the window that ends at ``last``, or None when it must not be."""
    there, most = sorted(times), window.most_filled if window.gaps == "fill" else 0
    wanted = list(range(last - window.rows + 1, last + 1))
    if window.step is None:
        at = there.index(last)
        return there[at - window.rows + 1 : at + 1] if at >= window.rows - 1 else None
    if sum(time not in there for time in wanted) > most:
        return None
    for time_ in wanted:
        before, after = [t for t in there if t <= time_], [t for t in there if t >= time_]
        if not before or not after or after[0] - before[-1] - 1 > most:
            return None
    return wanted


WINDOWS = st.builds(
    lambda rows, step, gaps, most: Window(rows, "t", None, step, gaps, {}, min(most, rows - 1)),
    st.integers(1, 5),
    st.sampled_from([None, 1]),
    st.sampled_from(["refuse", "fill"]),
    st.integers(1, 3),
).filter(lambda window: window.gaps == "refuse" or (window.step is not None and window.most_filled > 0))
TIMES = st.lists(st.integers(0, 14), min_size=1, max_size=12, unique=True)


@given(TIMES, WINDOWS)
@settings(max_examples=300, deadline=None)
def test_the_newest_window_is_the_one_found_by_hand(times: list[int], window: Window) -> None:
    expected = by_hand(times, max(times), window)
    if expected is None:
        assert {p.code for p in problems(series(*times), window)} <= {"hole", "too-few-rows"}
    else:
        assert times_of(newest(series(*times), window).table, window) == [expected]


@given(TIMES, WINDOWS)
@settings(max_examples=300, deadline=None)
def test_sliding_windows_are_those_found_by_hand(times: list[int], window: Window) -> None:
    ends = sorted(times) if window.step is None else range(min(times), max(times) + 1)
    expected = [cut for end in ends if (cut := by_hand(times, end, window)) is not None]
    found = sliding(series(*times), window)
    assert times_of(found.table, window) == expected
    assert found.n == len(expected)


@given(TIMES, WINDOWS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_rows_given_does_not_matter(times: list[int], window: Window, dice: Any) -> None:
    shuffled = list(times)
    dice.shuffle(shuffled)
    assert sliding(series(*shuffled), window).table.rows() == sliding(series(*times), window).table.rows()


@given(TIMES, TIMES, WINDOWS)
@settings(max_examples=100, deadline=None)
def test_groups_do_not_touch_each_other(a: list[int], b: list[int], window: Window) -> None:
    table = Table({**series(*a, *b).columns, "pair": texts(["a"] * len(a) + ["b"] * len(b))})
    both = sliding(table, replace(window, group_by="pair"))
    alone = [sliding(series(*times), window) for times in (a, b)]
    assert both.groups == ("a",) * alone[0].n + ("b",) * alone[1].n
    assert both.table.without(["pair"]).rows() == [row for found in alone for row in found.table.rows()]


@given(TIMES, WINDOWS)
@settings(max_examples=100, deadline=None)
def test_a_window_cut_once_is_cut_again_as_it_is(times: list[int], window: Window) -> None:
    found = sliding(series(*times), window)
    for i in range(found.n):
        one = found.table.take(slice(i * window.rows, (i + 1) * window.rows))
        assert newest(one, window).table.rows() == one.rows()


def best_ms(work: Any, n: int = 20) -> float:
    durations = []
    for _i in range(n):
        start = time.perf_counter()
        work()
        durations.append((time.perf_counter() - start) * 1000)
    return min(durations)


def test_windows_are_cut_without_a_loop_over_them() -> None:
    table = Table({**hours(*range(1119)).columns, **{name: floats([1.0] * 1119) for name in ("open", "high", "low")}})
    window = Window(120, "t", step=3600, gaps="fill", most_filled=6)
    assert sliding(table, window).n == 1000
    assert best_ms(lambda: sliding(table, window)) < 60
    few = table.take(slice(0, 120))
    assert best_ms(lambda: newest(few, window)) < 5


def test_many_groups_cost_no_loop_over_tables() -> None:
    table = Table({**series(*range(50_000)).columns, "pair": texts([str(i) for i in range(50_000)])})
    assert best_ms(lambda: newest(table, Window(1, "t", "pair")), 2) < 2000


def test_a_window_is_the_same_after_it_was_a_document() -> None:
    window = Window(24, "t", "pair", 3600, "fill", {"open": "close"}, 6)
    schema = Schema((), window)
    assert from_json(Schema, json.loads(canonical(schema))) == schema
