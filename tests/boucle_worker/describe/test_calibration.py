"""Graphs of calibrated classifiers give the same probabilities, on the knots of their curves too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from xgboost import XGBClassifier

from faithful import compared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 4))
OTHERS = RANDOM.normal(size=(300, 4)) * 2
SCORE = ROWS[:, 0] + ROWS[:, 1] + RANDOM.normal(size=300) / 2
TARGETS = {2: (SCORE > 0).astype(int), 3: np.digitize(SCORE, [-0.5, 0.5])}
NAMES = np.array(["a", "b", "c"])
BASES = [
    LogisticRegression(),
    make_pipeline(StandardScaler(), LinearSVC()),
    SVC(),
    GaussianNB(),
    KNeighborsClassifier(),
    RandomForestClassifier(10, max_depth=4, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_probabilities_are_the_mean_of_the_folds(base: Any, n_classes: int, method: str) -> None:
    model = CalibratedClassifierCV(base, method=method, cv=3).fit(ROWS, NAMES[TARGETS[n_classes]])
    found = compared(model, ROWS, OTHERS, OTHERS * 50)
    assert found.labels == 0
    assert found.probabilities < 1e-9


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_classifier_for_all_folds_and_a_frozen_one_are_calibrated_alike(n_classes: int, method: str) -> None:
    target = TARGETS[n_classes]
    together = CalibratedClassifierCV(LogisticRegression(), method=method, ensemble=False).fit(ROWS, target)
    frozen = FrozenEstimator(LogisticRegression().fit(ROWS, target))
    alone = CalibratedClassifierCV(frozen, method=method).fit(ROWS, target)
    # Not the training rows: they lie on knots, where the model itself answers otherwise to one row than to many.
    assert compared(together, OTHERS).is_exact
    assert compared(alone, OTHERS).is_exact


def test_a_score_on_a_knot_of_an_isotonic_curve_takes_its_level() -> None:
    base = LogisticRegression().fit(ROWS[:, :1], TARGETS[2])
    base.coef_, base.intercept_ = np.array([[1.0]]), np.array([0.0])  # so that scores are the rows themselves
    model = CalibratedClassifierCV(FrozenEstimator(base), method="isotonic").fit(ROWS[:, :1], TARGETS[2])
    knots = model.calibrated_classifiers_[0].calibrators[0].X_thresholds_
    near = np.concatenate([knots, np.nextafter(knots, -np.inf), np.nextafter(knots, np.inf)])[:, None]
    found = compared(model, near)
    assert (found.labels, found.probabilities) == (0, 0.0)


def test_classes_are_as_probable_where_each_curve_says_zero() -> None:
    model = CalibratedClassifierCV(LogisticRegression(), method="sigmoid", cv=2).fit(ROWS, TARGETS[3])
    for fold in model.calibrated_classifiers_:
        for curve in fold.calibrators:
            curve.a_, curve.b_ = 0.0, 800.0  # 1 / (1 + exp(800)) is 0
    assert compared(model, ROWS).probabilities == 0.0
    np.testing.assert_array_equal(model.predict_proba(ROWS[:1]), [[1 / 3, 1 / 3, 1 / 3]])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sigmoids_next_to_nothing_are_divided_by_their_sum(n_classes: int) -> None:
    model = CalibratedClassifierCV(make_pipeline(StandardScaler(), LinearSVC()), cv=3).fit(ROWS, TARGETS[n_classes])
    found = compared(model, ROWS, OTHERS * 1e2, OTHERS * 1e3)
    assert found.labels == 0
    assert found.probabilities < 1e-9


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_single_precision_scores_are_bent_in_the_precision_of_the_library(n_classes: int, method: str) -> None:
    model = CalibratedClassifierCV(XGBClassifier(n_estimators=5), method=method, cv=3).fit(ROWS, TARGETS[n_classes])
    found = compared(model, ROWS, OTHERS)
    assert found.labels == 0
    assert found.probabilities < 1e-6


def test_a_pipeline_of_texts_is_calibrated_from_raw_rows() -> None:
    rows = pd.DataFrame({"size": ROWS[:, 0], "city": np.array(["Paris", "Lyon", None])[RANDOM.integers(0, 3, 300)]})
    encoder = make_column_transformer((StandardScaler(), ["size"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
    base = make_pipeline(encoder, RandomForestClassifier(5, random_state=0))
    model = CalibratedClassifierCV(base, method="isotonic", cv=3).fit(rows, TARGETS[2])
    assert compared(model, rows, rows.assign(city="Rome")).is_exact
