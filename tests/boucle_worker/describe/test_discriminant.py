"""Graphs of models that compare distances to the centres of classes answer as the models do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline

from boucle_worker.describe import Cannot
from fitted import CLASSES, THREE, TWO, UNSEEN, gaps

MODELS = [
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    LinearDiscriminantAnalysis(solver="eigen"),
    QuadraticDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(reg_param=0.1),
    NearestCentroid(),
    NearestCentroid(metric="manhattan"),
    NearestCentroid(shrink_threshold=0.2),
    NearestCentroid(priors="empirical"),
    NearestCentroid(priors="empirical", metric="manhattan"),
]


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_labels_and_probabilities_are_those_of_the_model(model: object, classes: str) -> None:
    found = gaps(model, CLASSES[classes])

    assert found.labels == 0
    assert found.probabilities < 1e-12


@pytest.mark.parametrize("solver", ["svd", "eigen"])
def test_rows_turned_by_a_discriminant_feed_a_classifier(solver: str) -> None:
    model = make_pipeline(LinearDiscriminantAnalysis(solver=solver, n_components=1), LogisticRegression())

    assert gaps(model, THREE).probabilities < 1e-12


def test_huge_rows_are_equally_near_to_all_centres() -> None:
    huge = np.array([[1e300, 1, 1, 1, 1], [-1e20, 3, 0, 0, 0], [1e10, 1, 0, 0, 0], [0, 1e155, 0, 0, 0]])

    assert gaps(NearestCentroid(), THREE, unseen=huge).labels == 0


@pytest.mark.parametrize("contamination", [0.1, 0.033])
def test_outliers_lie_outside_the_ellipse(contamination: float) -> None:
    found = gaps(EllipticEnvelope(contamination=contamination, random_state=0), unseen=UNSEEN[:300])

    assert found.labels == 0
    assert found.scores < 1e-10


def test_a_discriminant_without_axes_transforms_nothing() -> None:
    model = make_pipeline(LinearDiscriminantAnalysis(), LogisticRegression())
    model.fit(UNSEEN[:300], TWO)
    model[0].solver = "lsqr"

    with pytest.raises(Cannot, match="transforms nothing with solver 'lsqr'"):
        gaps(_Fitted(model), TWO)


class _Fitted:
    """A model that stays as it is."""

    def __init__(self, model: object) -> None:
        self.model = model

    def fit(self, *_data: object) -> object:
        return self.model
