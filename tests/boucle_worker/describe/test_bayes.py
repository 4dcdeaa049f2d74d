"""Graphs of naive Bayes classifiers answer as the classifiers do."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB

from faithful import compared
from fitted import CLASSES, COUNTS, ROWS, THREE, UNSEEN, fit, gaps

COUNTED = [MultinomialNB(), ComplementNB(), ComplementNB(norm=True), BernoulliNB(binarize=1), CategoricalNB()]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("model", [GaussianNB(), BernoulliNB(), BernoulliNB(binarize=0.5)], ids=repr)
def test_numbers_are_classified_alike(model: object, classes: str) -> None:
    found = gaps(model, CLASSES[classes])

    assert found.labels == 0
    assert found.probabilities < 1e-12


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("model", COUNTED, ids=repr)
def test_counts_are_classified_alike(model: object, classes: str) -> None:
    unseen = np.minimum(np.clip(np.round(np.abs(UNSEEN)), 0, 5), COUNTS.max(axis=0))

    found = gaps(model, CLASSES[classes], COUNTS, unseen)

    assert found.labels == 0
    assert found.probabilities < 1e-12


def test_rows_in_single_precision_are_classified_alike() -> None:
    found = gaps(GaussianNB(), THREE, unseen=UNSEEN[:300], dtype="float32")

    assert found.labels == 0
    assert found.probabilities < 2e-6  # of likelihoods around 10, of which single precision holds 6 digits


def test_a_row_on_the_threshold_of_a_bit_counts_as_zero() -> None:
    near = np.repeat(np.array([[0.5], [np.nextafter(0.5, 0)], [np.nextafter(0.5, 1)]]), 5, axis=1)

    assert gaps(BernoulliNB(binarize=0.5), THREE, unseen=near).probabilities < 1e-12


@pytest.mark.parametrize("category", [-1.0, 99.0])
def test_the_graph_fails_on_a_category_on_which_the_model_raises(category: float) -> None:
    model = fit(CategoricalNB(), COUNTS, THREE)
    strange = COUNTS[:1].copy()
    strange[0, 2] = category

    with pytest.raises(InvalidArgument):
        compared(model, COUNTS, strange)
    with pytest.raises((ValueError, IndexError)):
        model.predict(strange)


def test_one_class_is_certain() -> None:
    assert gaps(GaussianNB(), np.zeros(len(ROWS))).is_exact
