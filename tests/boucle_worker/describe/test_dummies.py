"""Graphs of dummies answer the same to each row, whatever it holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from boucle_worker.describe import Cannot
from faithful import compared
from fitted import CLASSES, NUMBER, ROWS, THREE, UNSEEN, gaps


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("strategy", ["prior", "most_frequent"])
def test_a_dummy_classifier_answers_the_same_to_each_row(strategy: str, classes: str) -> None:
    assert gaps(DummyClassifier(strategy=strategy), CLASSES[classes]).is_exact


def test_a_dummy_classifier_answers_the_told_class() -> None:
    assert gaps(DummyClassifier(strategy="constant", constant=2), THREE).is_exact


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_a_dummy_regressor_answers_the_same_to_each_row(strategy: str) -> None:
    holed = np.where(UNSEEN > 0, UNSEEN, np.nan)

    assert gaps(DummyRegressor(strategy=strategy), NUMBER, unseen=holed).value == 0.0


def test_a_dummy_regressor_answers_several_targets() -> None:
    assert gaps(DummyRegressor(), np.column_stack([NUMBER, ROWS[:, 2]])).value == 0.0


def test_a_dummy_needs_no_numbers() -> None:
    cities = pd.DataFrame({"city": ["Paris", "Lyon", None] * 10})

    assert compared(DummyClassifier().fit(cities, [0, 1, 1] * 10), cities).is_exact


@pytest.mark.parametrize("strategy", ["stratified", "uniform"])
def test_dice_are_refused(strategy: str) -> None:
    with pytest.raises(Cannot, match="its DummyClassifier draws at random"):
        gaps(DummyClassifier(strategy=strategy), THREE)
