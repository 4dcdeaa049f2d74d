"""Rows counted in any cut add up to the rows counted at once, and each cell falls where a person would put it."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boucle.core.counting import count, count_by, level_of
from boucle.core.freezing import freeze
from boucle.core.grid import MOST, Grid, Part
from boucle.core.profile import Profile
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.table import Column, Table, concat

SCHEMA = Schema(
    (
        ColumnSchema("price", "float"),
        ColumnSchema("rooms", "int"),
        ColumnSchema("sold", "bool"),
        ColumnSchema("city", "category"),
        ColumnSchema("note", "text"),
        ColumnSchema("seen", "datetime"),
    )
)
WORDS = ["red", "green", "blue", "été", "", "door open", "the red door", "17"]
ROW = st.tuples(
    st.floats(width=32) | st.none(),
    st.integers(-(2**53), 2**53) | st.none(),
    st.booleans() | st.none(),
    st.sampled_from(["Lyon", "Paris", "Rome"]) | st.text(max_size=3) | st.none(),
    st.sampled_from(WORDS) | st.none(),
    st.integers(-(2**50), 2**52) | st.none(),
)


def texts(cells: list[Any]) -> Column:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return Column("text", values)


def masked(kind: str, cells: list[Any], dtype: Any) -> Column:
    missing = np.array([cell is None for cell in cells], dtype=bool)
    return Column(kind, np.array([cell or 0 for cell in cells], dtype=dtype), missing if missing.any() else None)


def table_of(rows: list[Any]) -> Table:
    price, rooms, sold, city, note, seen = ([row[i] for row in rows] for i in range(6))
    stamps = np.array([np.iinfo(np.int64).min if cell is None else cell for cell in seen], dtype=np.int64)
    return Table(
        {
            "price": Column("float", np.array([np.nan if cell is None else cell for cell in price], dtype=float)),
            "rooms": masked("int", rooms, np.int64),
            "sold": masked("bool", sold, bool),
            "city": texts(city),
            "note": texts(note),
            "seen": Column("datetime", stamps.view("datetime64[us]")),
        }
    )


REFERENCE = table_of(
    [
        (i * 0.37 % 11, i % 7, i % 3 == 0, ["Lyon", "Paris"][i % 2], f"the {WORDS[i % 3]} door {i}", i * 10**9)
        for i in range(120)
    ]
)
GRID = freeze(REFERENCE, SCHEMA)


def assert_same(one: Profile, other: Profile) -> None:
    assert one.n_rows == other.n_rows
    for exact in ("counts", "missing", "low", "high"):
        assert getattr(one, exact).tolist() == getattr(other, exact).tolist()
    for close in ("sums", "squares"):
        np.testing.assert_allclose(getattr(one, close), getattr(other, close), rtol=1e-9, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_rows_counted_in_any_cut_add_up_to_the_rows_counted_at_once(rows: list[Any], cuts: list[int]) -> None:
    table = table_of(rows)
    found = Profile.empty(GRID)
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, stop in itertools.pairwise(ends):
        found = found + count(GRID, table.take(slice(start, stop)))
    assert_same(found, count(GRID, table))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ROW, st.integers(-3, 3)), min_size=1, max_size=30))
def test_each_key_holds_the_profile_of_its_own_rows_in_whatever_order_they_come(pairs: list[Any]) -> None:
    table, keys = table_of([row for row, _key in pairs]), np.array([key for _row, key in pairs], dtype=np.int64)
    found = count_by(GRID, table, keys)
    assert sorted(found) == sorted(set(keys.tolist()))
    for key, profile in found.items():
        assert_same(profile, count(GRID, table.take(keys == key)))


@settings(max_examples=40, deadline=None)
@given(st.lists(ROW, max_size=20))
def test_each_cell_of_a_single_valued_part_is_counted_once_or_missing(rows: list[Any]) -> None:
    profile = count(GRID, table_of(rows))
    for place, part in enumerate(GRID.parts):
        if part.aspect != "keywords":
            assert profile.present(place) + profile.missing[place] == len(rows)
    assert np.isfinite(profile.sums).all()
    assert np.isfinite(profile.squares).all()


def test_more_rows_and_keys_than_a_chunk_holds_are_all_counted() -> None:
    n = 30_000
    grid = Grid((Part("age", "number", edges=(0.5,)),))
    table = Table({"age": Column("int", np.arange(n) % 2)})
    found = count_by(grid, table, np.arange(n) // 10)
    assert len(found) == 3_000
    assert {tuple(profile.counts.tolist()) for profile in found.values()} == {(5, 5)}
    assert count(grid, table).counts.tolist() == [15_000, 15_000]


def test_a_value_on_an_edge_lies_in_the_bin_on_its_left() -> None:
    grid = Grid((Part("age", "number", edges=(1.0, 2.0)),))
    profile = count(grid, Table({"age": Column("float", np.array([0.0, 1.0, 1.5, 2.0, 2.1]))}))
    assert profile.counts.tolist() == [2, 2, 1]
    assert profile.sums.tolist() == [1.0, 3.5, 2.1]
    assert profile.squares.tolist() == [pytest.approx(0 + 1 + 2.25 + 4 + 4.41)]
    assert (profile.low.tolist(), profile.high.tolist()) == ([0.0], [2.1])


def test_a_column_that_the_table_lacks_is_missing_in_all_rows() -> None:
    profile = count(GRID, REFERENCE.select(["price"]))
    assert profile.missing.tolist() == [0] + [120] * (len(GRID.parts) - 1)
    assert profile.counts.sum() == 120


@pytest.mark.parametrize(
    "column",
    [texts(["a", "b"]), Column("matrix", np.zeros((2, 3)))],
    ids=["texts", "a matrix"],
)
def test_what_is_not_a_number_is_missing_where_numbers_are_counted(column: Column) -> None:
    profile = count(Grid((Part("age", "number", edges=(1.0,)),)), Table({"age": column}))
    assert profile.missing.tolist() == [2]


def test_infinite_numbers_and_nan_are_missing_and_absurd_ones_never_make_a_sum_infinite() -> None:
    values = np.array([np.inf, -np.inf, np.nan, 1e300, -1e300, 3.0])
    profile = count(Grid((Part("age", "number", edges=(1.0,)),)), Table({"age": Column("float", values)}))
    assert profile.missing.tolist() == [3]
    assert profile.counts.tolist() == [1, 2]
    assert profile.high.tolist() == [MOST]
    assert np.isfinite(profile.squares).all()


def test_levels_fall_into_their_own_bin_into_other_or_into_unseen() -> None:
    grid = Grid((Part("city", "level", levels=("Lyon", "Paris"), others=("Metz",)),))
    cells = ["Paris", "Metz", "Oslo", None, "Paris", "other"]
    profile = count(grid, Table({"city": texts(cells)}))
    assert profile.counts.tolist() == [0, 2, 1, 2]
    assert profile.missing.tolist() == [1]


@pytest.mark.parametrize(
    ("column", "counts"),
    [
        (Column("int", np.array([1, 1, 0, 7])), [1, 2, 0, 0, 0, 1]),
        (Column("float", np.array([1.0, 0.5, np.nan, 0.0])), [1, 1, 0, 0, 0, 1]),
        (Column("bool", np.array([True, False, True, True])), [0, 0, 1, 3, 0, 0]),
    ],
    ids=["ints", "floats", "booleans"],
)
def test_levels_are_found_whatever_the_kind_of_the_column(column: Column, counts: list[int]) -> None:
    grid = Grid((Part("prediction", "level", levels=("0", "1", "false", "true")),))
    assert count(grid, Table({"prediction": column})).counts.tolist() == counts


@pytest.mark.parametrize(("value", "level"), [(True, "true"), (3.0, "3"), (0.5, "0.5"), ("x", "x"), (7, "7")])
def test_a_value_has_one_level_whatever_its_type(value: Any, level: str) -> None:
    assert level_of(value) == level


def test_dates_are_counted_by_hour_and_weekday_in_utc() -> None:
    seen = np.array(["2024-02-29T23:59:59", "1969-12-28T00:00:00", "NaT"], dtype="datetime64[us]")
    profile = count(GRID, Table({"seen": Column("datetime", seen)}))
    hours, days = (profile.counts[profile.part(GRID.index("seen." + aspect))] for aspect in ("hour", "weekday"))
    assert {i: int(n) for i, n in enumerate(hours) if n} == {23: 1, 0: 1}
    assert {i: int(n) for i, n in enumerate(days) if n} == {3: 1, 6: 1}  # a Thursday and a Sunday
    assert profile.missing[GRID.index("seen.hour")] == 1
    assert profile.sums[profile.part(GRID.index("seen"))].sum() == 1709251199e6 - 345600e6


def test_of_a_text_length_unknown_words_and_the_rows_that_hold_a_keyword_are_counted() -> None:
    keywords = Part("note", "level", "keywords", levels=("red", "door"), others=("the",))
    grid = Grid(
        (
            Part("note", "number", "length", edges=(5.0,)),
            Part("note", "number", "unknown_words", edges=(0.0, 0.5)),
            keywords,
        )
    )
    profile = count(grid, Table({"note": texts(["The red, RED door", "a red cat", "", None])}))
    length, unknown, words = (profile.counts[profile.part(place)].tolist() for place in range(3))
    assert (length, unknown, words) == ([1, 2], [2, 0, 1], [2, 1, 1, 1])
    assert profile.missing.tolist() == [1, 1, 1]
    assert profile.sums[profile.part(1)].sum() == pytest.approx(2 / 3)


def test_an_empty_table_has_an_empty_profile() -> None:
    assert_same(count(GRID, concat([REFERENCE.take(slice(0, 0))])), Profile.empty(GRID))
    assert count_by(GRID, REFERENCE.take(slice(0, 0)), np.zeros(0, dtype=np.int64)) == {}
