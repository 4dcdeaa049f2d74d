"""The sample of a window model: the newest rows whose windows are answered, and which answers those are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boucle.client.capture.series import newest_rows, series_sample
from boucle.core.cutting import sliding
from boucle.core.errors import InvalidRequest, InvalidRows
from boucle.core.table import Column, Table
from boucle.core.window import Window

HOURS = Window(3, "at", step=1)
PAIRS = Window(3, "at", "pair", step=1)
FILLED = Window(3, "at", step=1, gaps="fill", most_filled=1)


def rows(*at: int, pair: str = "") -> Table:
    columns = {"at": Column("int", np.array(at, dtype=np.int64)), "close": Column("float", np.array(at) * 1.5)}
    if pair:
        columns["pair"] = Column("text", np.array(list(pair), dtype=object))
    return Table(columns)


def starts(table: Table, window: Window) -> list[Any]:
    """Return the first time of each sliding window, with its group."""
    made = sliding(table, window)
    firsts = made.table.columns["at"].values[:: window.rows].tolist() if made.n else []
    return list(zip(made.groups or [None] * made.n, firsts, strict=True))


def test_without_answers_every_window_of_a_short_example_is_in_the_sample() -> None:
    sample = series_sample(rows(5, 1, 2, 4, 3), HOURS)
    assert sample.table.columns["at"].values.tolist() == [1, 2, 3, 4, 5]
    assert sample.answers.tolist() == [0, 1, 2]


def test_answers_to_the_last_windows_keep_the_rows_of_those_windows() -> None:
    sample = series_sample(rows(1, 2, 3, 4, 5), HOURS, 2)
    assert sample.table.columns["at"].values.tolist() == [2, 3, 4, 5]
    assert sample.answers.tolist() == [0, 1]


def test_a_long_example_keeps_a_thousand_windows_and_the_answers_to_them() -> None:
    sample = series_sample(rows(*range(5000)), Window(120, "at", step=1))
    assert sample.table.columns["at"].values.tolist() == list(range(5000 - 1119, 5000))
    assert sample.answers.tolist() == list(range(4881 - 1000, 4881))


def test_wide_windows_come_in_smaller_numbers() -> None:
    assert len(series_sample(rows(*range(60_000)), Window(50_000, "at")).answers) == 40


def test_windows_across_a_hole_are_none() -> None:
    sample = series_sample(rows(1, 2, 3, 4, 7, 8, 9), HOURS)
    assert starts(sample.table, HOURS) == [(None, 1), (None, 2), (None, 7)]
    assert sample.answers.tolist() == [0, 1, 2]


def test_the_last_windows_stay_in_the_sample_however_many_rows_behind_them_are_none() -> None:
    alone = rows(*range(10), *range(20, 4020, 2))  # every second hour is missing: no window there
    sample = series_sample(alone, HOURS, 2)
    assert starts(sample.table, HOURS) == [(None, 6), (None, 7)]


def test_neighbours_are_neighbours_without_a_step() -> None:
    assert series_sample(rows(1, 2, 50, 51), Window(3, "at")).answers.tolist() == [0, 1]


def test_each_group_keeps_its_newest_windows() -> None:
    table = rows(1, 1, 2, 2, 3, 3, 4, pair="abababa")
    sample = series_sample(table, PAIRS)
    assert starts(sample.table, PAIRS) == [("a", 1), ("a", 2), ("b", 1)]
    assert sample.answers.tolist() == [0, 1, 2]


def test_answers_to_the_last_windows_of_groups_leave_the_first_groups_out() -> None:
    table = rows(1, 1, 2, 2, 3, 3, 4, pair="abababa")
    sample = series_sample(table, PAIRS, 2)
    assert starts(sample.table, PAIRS) == [("a", 2), ("b", 1)]
    assert sample.answers.tolist() == [0, 1]


def test_many_groups_share_the_thousand() -> None:
    at = np.tile(np.arange(600), 4)
    table = Table(
        {"at": Column("int", at), "pair": Column("text", np.repeat(np.array(list("abcd"), dtype=object), 600))}
    )
    sample = series_sample(table, PAIRS)
    assert len(sample.answers) == 1000
    assert sample.answers[:2].tolist() == [598 - 250, 598 - 249]


@pytest.mark.parametrize(
    ("table", "n_answers", "told"),
    [
        (rows(1, 2), None, "has 2 rows and no whole window: give at least 3 consecutive rows"),
        (rows(), None, "has 0 rows"),
        (rows(1, 2, 4, 5), None, "no whole window"),
        (rows(1, 2, 3, 4), 3, r"There are 3 answers, but the example has 2 windows of 3 rows.*n from 1 to 2"),
        (rows(1, 2, 3, 4), 0, "There are 0 answers"),
    ],
)
def test_too_few_windows_are_refused(table: Table, n_answers: int | None, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        series_sample(table, HOURS, n_answers)


@pytest.mark.parametrize("table", [rows(1, 2, 2, 3), rows(2, 2, *range(3, 4000))], ids=["near", "long ago"])
def test_two_rows_at_one_time_are_refused(table: Table) -> None:
    with pytest.raises(InvalidRows, match="one row at each time"):
        series_sample(table, HOURS)


def test_a_time_between_the_steps_is_refused() -> None:
    table = Table({"at": Column("float", np.array([1.0, 2.0, 3.0, 3.5, 4.0, 5.0]))})
    with pytest.raises(InvalidRows, match="a whole number of steps"):
        series_sample(table, HOURS)


@given(
    gaps=st.lists(st.sampled_from([1, 1, 1, 2, 3, 5, 9]), min_size=2, max_size=60),
    n_rows=st.integers(1, 6),
    most_filled=st.integers(0, 3),
    share=st.floats(0.01, 1),
)
@settings(max_examples=150, deadline=None)
def test_the_windows_of_the_sample_are_the_last_of_the_example(
    gaps: list[int], n_rows: int, most_filled: int, share: float
) -> None:
    most_filled = min(most_filled, n_rows - 1)
    window = Window(n_rows, "at", step=1, gaps="fill" if most_filled else "refuse", most_filled=most_filled)
    table = rows(*np.cumsum(gaps).tolist())
    whole = starts(table, window)
    n_answers = max(1, int(len(whole) * share))
    try:
        sample = series_sample(table, window, n_answers)
    except InvalidRequest:
        assert len(whole) == 0 or most_filled
        return
    assert [whole[i - n_answers] for i in sample.answers] == starts(sample.table, window)
    if not most_filled:
        assert len(sample.answers) == n_answers


def test_the_reference_of_a_series_is_its_newest_rows_as_they_stood() -> None:
    newest = newest_rows(rows(5, 1, 4, 2, 3), HOURS, 3)
    assert newest.columns["at"].values.tolist() == [5, 4, 3]
