"""Grids keep their parts through their bytes."""

import pytest

from boucle.core.errors import InvalidDocument
from boucle.core.grid import Grid, Part

GRID = Grid(
    (
        Part("prix", "number", edges=(0.1, 1 / 3, 1e300)),
        Part("note", "level", "keywords", levels=("été", "a"), others=("z",)),
        Part("note", "number", "length"),
    )
)


def test_a_packed_grid_is_read_as_it_was() -> None:
    assert Grid.from_bytes(GRID.to_bytes()) == GRID
    assert Grid.from_bytes(Grid(()).to_bytes()) == Grid(())


def test_the_bins_of_the_parts_lie_side_by_side() -> None:
    assert [part.name for part in GRID.parts] == ["prix", "note.keywords", "note.length"]
    assert GRID.offsets == (0, 4, 8, 9)
    assert GRID.numbers.tolist() == [0, 2]
    assert GRID.outer.tolist() == [0, 3, 8]
    assert GRID.has_sums.tolist() == [True] * 4 + [False] * 4 + [True]
    assert GRID.index("note.length") == 2
    with pytest.raises(KeyError):
        GRID.index("note")


@pytest.mark.parametrize("cut", [0, 1, 2, 10, -1])
def test_bytes_cut_short_are_refused(cut: int) -> None:
    with pytest.raises(InvalidDocument, match="grid: expected"):
        Grid.from_bytes(GRID.to_bytes()[:cut])
