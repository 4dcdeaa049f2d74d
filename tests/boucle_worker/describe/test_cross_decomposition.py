"""Graphs of partial least squares answer and transform as the models do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression

from fitted import NUMBER, ROWS, UNSEEN, fit, gaps
from transformed import gap

BOTH = np.column_stack([NUMBER, ROWS[:, 2] ** 2])


@pytest.mark.parametrize("model", [PLSRegression(), PLSCanonical(), CCA()], ids=repr)
def test_targets_are_those_of_the_model(model: object) -> None:
    assert gaps(model, BOTH).value < 1e-12


def test_one_target_comes_without_an_axis_of_columns() -> None:
    found = gaps(PLSRegression(), NUMBER)

    assert found.value < 1e-12
    assert found.description.outputs["value"]["shape"] == [None]


@pytest.mark.parametrize("model", [PLSRegression(), PLSCanonical(), CCA(), PLSSVD()], ids=repr)
def test_scores_are_those_of_the_model(model: object) -> None:
    assert gap(fit(model, ROWS, BOTH), ROWS, UNSEEN) < 1e-12


@pytest.mark.parametrize("model", [PLSRegression(), CCA()], ids=repr)
def test_rows_in_single_precision_are_centred_in_single_precision(model: object) -> None:
    assert gaps(model, BOTH, unseen=UNSEEN[:300], dtype="float32").value < 1e-12
