"""References keep their grids and profiles through their bytes."""

import numpy as np
import pytest

from boucle.core.counting import count
from boucle.core.errors import InvalidDocument
from boucle.core.grid import Grid, Part
from boucle.core.reference import Reference
from boucle.core.table import Column, Table

AGE, COST = (Grid((Part(name, "number", edges=(1.0, 2.0)),)) for name in ("age", "cost"))
PROFILE = count(AGE, Table({"age": Column("float", np.array([0.5, 1.5, np.nan]))}))


def test_a_packed_reference_is_read_as_it_was() -> None:
    found = Reference.from_bytes(Reference({"features": AGE, "traffic": COST}, {"features": PROFILE}).to_bytes())
    assert found.grids == {"features": AGE, "traffic": COST}
    assert list(found.profiles) == ["features"]
    assert found.profiles["features"].grid is found.grids["features"]
    assert found.profiles["features"].sums.tolist() == PROFILE.sums.tolist()


def test_bytes_cut_short_are_refused() -> None:
    packed = Reference({"features": AGE}, {"features": PROFILE}).to_bytes()
    for length in (0, 2, 9, len(packed) - 1):
        with pytest.raises(InvalidDocument, match="reference: expected"):
            Reference.from_bytes(packed[:length])
