"""Tables keep their cells through every move: stored, read, cut, put together."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boucle.core.errors import BoucleError
from boucle.core.table import Column, Table, concat
from boucle_worker.frames import FrameError

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "datetime": st.integers(-(2**62), 2**62),
}


def column(kind: str, cells: list[Any]) -> Column:
    missing = np.array([cell is None for cell in cells], dtype=bool)
    if kind == "text":
        values = np.empty(len(cells), dtype=object)
        values[:] = cells
        return Column(kind, values)
    if kind == "float":
        return Column(kind, np.array([np.nan if cell is None else cell for cell in cells], dtype=float))
    if kind == "datetime":
        return Column(kind, np.array(["NaT" if c is None else c for c in cells], dtype="datetime64[us]"))
    dtype = bool if kind == "bool" else np.int64
    filled = np.array([0 if cell is None else cell for cell in cells], dtype=dtype)
    return Column(kind, filled, missing if missing.any() else None)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    n_rows = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    columns = {}
    for i, kind in enumerate(kinds):
        cells = draw(st.lists(st.none() | CELLS[kind], min_size=n_rows, max_size=n_rows))
        columns[f"c{i}"] = column(kind, cells)
    return Table(columns)


@given(tables())
def test_a_stored_table_reads_back_cell_by_cell(table: Table) -> None:
    assert Table.from_bytes(table.to_bytes()).rows() == table.rows()


@given(tables(), st.data())
def test_a_table_cut_anywhere_is_whole_when_put_together(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, table.n_rows))
    together = concat([table.take(slice(0, at)), table.take(slice(at, None))])
    assert together.rows() == table.rows()


@given(tables(), st.data())
def test_a_stored_table_that_was_cut_is_refused(table: Table, data: st.DataObject) -> None:
    stored = table.to_bytes()
    cut = stored[: data.draw(st.integers(0, len(stored) - 1))]
    with pytest.raises(FrameError):
        Table.from_bytes(cut)


def test_tables_with_other_kinds_are_not_put_together() -> None:
    with pytest.raises(BoucleError, match="column 'a' differs"):
        concat([Table({"a": column("int", [1])}), Table({"a": column("float", [1.0])})])


def test_the_digest_is_that_of_the_cells() -> None:
    one, two = Table({"a": column("int", [1])}), Table({"a": column("int", [2])})
    assert one.digest() == Table({"a": column("int", [1])}).digest() != two.digest()
