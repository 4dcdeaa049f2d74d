"""The reference rows decide once into which cells later rows are counted."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boucle.core.counting import count
from boucle.core.freezing import edges_of, freeze
from boucle.core.grid import MOST
from boucle.core.schema import ColumnSchema, Schema, infer
from boucle.core.table import Column, Table


def texts(cells: Sequence[str | None]) -> Column:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return Column("text", values)


def test_few_distinct_numbers_have_a_bin_each_and_one_below_and_one_above() -> None:
    edges = np.array(edges_of([3, 1, 1, 8]))
    assert np.searchsorted(edges, [0.9, 1, 3, 8, 8.1]).tolist() == [0, 1, 2, 3, 4]
    assert edges[1:].tolist() == [2.0, 5.5, 8.0]


def test_many_distinct_numbers_fall_into_256_bins_of_equal_share() -> None:
    values = np.random.default_rng(5).permutation(25_600)
    counts = np.bincount(np.searchsorted(edges_of(values), values), minlength=258)
    assert counts.tolist() == [0] + [100] * 256 + [0]


def test_a_frequent_value_among_many_does_not_repeat_an_edge() -> None:
    values = np.concatenate([np.zeros(5_000), np.random.default_rng(5).normal(10, 1, 5_000)])
    edges = edges_of(values)
    assert len(edges) == len(set(edges))
    assert 128 <= len(edges) <= 131


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40))
def test_edges_ascend_are_finite_and_hold_all_values_between_them(values: list[float]) -> None:
    edges = np.array(edges_of(values))
    assert (np.diff(edges) > 0).all()
    assert np.isfinite(edges).all()
    finite = [min(max(value, -MOST), MOST) for value in values if np.isfinite(value)]
    places = np.searchsorted(edges, finite)
    assert ((places > 0) & (places < len(edges))).all()
    assert len(set(places.tolist())) == len(set(finite))


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]], ids=["none", "none that is finite"])
def test_a_column_without_numbers_has_one_bin(values: list[float]) -> None:
    assert edges_of(values) == ()


def test_absurd_numbers_are_taken_for_the_largest_that_is_counted() -> None:
    assert edges_of([1e300, -1e300, 1e200])[1:] == (0.0, MOST)


def test_the_most_frequent_levels_are_kept_and_the_others_are_known() -> None:
    cells = [f"level {i}" for i in range(90) for _ in range(100 - i)]
    table = Table({"city": texts(cells)})
    part = freeze(table, infer(table)).parts[0]
    assert (len(part.levels), len(part.others)) == (64, 26)
    assert (part.levels[0], part.others[0]) == ("level 0", "level 64")


def test_categories_of_the_schema_that_the_rows_lack_are_known() -> None:
    schema = Schema((ColumnSchema("city", "category", categories=("Lyon", "Metz")),))
    assert freeze(Table({"city": texts(["Lyon", None])}), schema).parts[0].levels == ("Lyon", "Metz")


def test_texts_that_come_back_are_levels_and_others_are_words() -> None:
    schema = Schema((ColumnSchema("code", "text"), ColumnSchema("note", "text")))
    table = Table({"code": texts(["a b", "c"] * 60), "note": texts([f"the door {i}" for i in range(120)])})
    parts = freeze(table, schema).parts
    assert [part.name for part in parts] == ["code", "note.length", "note.unknown_words", "note.keywords"]
    assert parts[0].levels == ("a b", "c")
    assert parts[3].levels[:2] == ("door", "the")
    assert "2" in parts[3].levels + parts[3].others
    assert "3" not in parts[3].levels + parts[3].others  # the words are those of every other row


def test_the_same_rows_give_the_same_bytes_in_any_order() -> None:
    rng = np.random.default_rng(7)
    table = Table({"x": Column("float", rng.normal(size=900)), "city": texts(list("abc") * 300)})
    again = table.take(rng.permutation(900))
    assert freeze(table, infer(table)).to_bytes() == freeze(again, infer(table)).to_bytes()


def test_a_column_that_the_reference_lacks_or_that_holds_nulls_alone_can_be_counted() -> None:
    kinds = ("float", "int", "bool", "category", "text", "datetime")
    schema = Schema(tuple(ColumnSchema(kind, kind) for kind in kinds))  # type: ignore[arg-type]  # words of the type
    grid = freeze(Table({"text": texts([None, None])}), schema)
    profile = count(grid, Table({"text": texts(["new words"]), "float": Column("float", np.array([2.0]))}))
    assert profile.counts[profile.part(grid.index("float"))].tolist() == [1]
    assert profile.counts[profile.part(grid.index("text.keywords"))].tolist() == [0, 1]
    assert profile.missing[grid.index("category")] == 1
