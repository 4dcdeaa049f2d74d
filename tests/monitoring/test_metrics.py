"""Figures from counts alone equal those of scikit-learn on the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from boucle.core.counting import count
from boucle.core.profile import Profile
from boucle.core.report import Metric
from boucle.core.signature import Signature
from boucle.core.table import Column
from boucle.monitoring.metrics import area, confusion, precision_at, proportion, realised
from boucle.monitoring.outcomes import Outcome, outcome_table, quality_grid

N = 3_000


def classifier(*classes: Any, probabilities: bool = True) -> Signature:
    return Signature("numpy", (), "classification", "text", classes, probabilities)


REGRESSOR = Signature("numpy", (), "regression", "float", interval_level=0.8)


def profile_of(signature: Signature, outcomes: list[Outcome], reference: Column | None = None) -> Profile:
    grid = quality_grid(signature, reference)
    return count(grid, outcome_table(grid, outcomes))


def figures(signature: Signature, profile: Profile) -> dict[str, Metric]:
    return {metric.name: metric for metric in realised(profile, signature)}


def values(signature: Signature, profile: Profile) -> dict[str, float]:
    return {name: float(m.realised) for name, m in figures(signature, profile).items() if m.realised is not None}


@pytest.fixture(scope="module")
def two() -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    truth = rng.random(N) < 0.3
    return truth, np.clip(rng.beta(2, 5, N) + 0.25 * truth, 0, 1)


@pytest.fixture(scope="module")
def many() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    truth = rng.choice(5, N, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    logits = rng.normal(size=(N, 5)) + 1.5 * np.eye(5)[truth]
    shares = np.exp(logits)
    return truth, shares / shares.sum(axis=1, keepdims=True)


def of_two(truth: Any, score: Any) -> list[Outcome]:
    names = ("no", "yes")
    rows = zip(truth.tolist(), score.tolist(), strict=True)
    return [Outcome(names[t], names[s > 0.5], probabilities=(1 - s, s)) for t, s in rows]


def of_many(truth: Any, shares: Any) -> list[Outcome]:
    names = "abcde"
    rows = zip(truth.tolist(), shares.argmax(axis=1).tolist(), shares.tolist(), strict=True)
    return [Outcome(names[t], names[s], probabilities=tuple(p)) for t, s, p in rows]


def test_two_classes_are_judged_as_scikit_learn_judges_their_rows(two: tuple[Any, Any]) -> None:
    truth, score = two
    signature = classifier("no", "yes")
    found = values(signature, profile_of(signature, of_two(truth, score)))
    said = score > 0.5
    exact = {
        "accuracy": sk.accuracy_score(truth, said),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, said),
        "precision": sk.precision_score(truth, said),
        "recall": sk.recall_score(truth, said),
        "f1": sk.f1_score(truth, said),
        "log_loss": sk.log_loss(truth, score),
        "brier": sk.brier_score_loss(truth, score),
    }
    assert {name: found[name] for name in exact} == pytest.approx(exact, abs=1e-12)
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, score), abs=2e-4)


def test_scores_of_rare_events_near_zero_keep_their_order() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(20_000) < 0.01
    score = 1e-4 * np.exp(rng.normal(size=20_000) + 1.5 * truth)
    signature = classifier(0, 1)
    grid = quality_grid(signature)
    outcomes = [
        Outcome(int(t), 0, probabilities=(1 - s, s)) for t, s in zip(truth.tolist(), score.tolist(), strict=True)
    ]
    found = values(signature, count(grid, outcome_table(grid, outcomes)))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, score), abs=2e-3)


def test_many_classes_are_judged_as_scikit_learn_judges_their_rows(many: tuple[Any, Any]) -> None:
    truth, shares = many
    signature = classifier(*"abcde")
    found = values(signature, profile_of(signature, of_many(truth, shares)))
    said = shares.argmax(axis=1)
    exact = {
        "accuracy": sk.accuracy_score(truth, said),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, said),
        "precision": sk.precision_score(truth, said, average="macro"),
        "recall": sk.recall_score(truth, said, average="macro"),
        "f1": sk.f1_score(truth, said, average="macro"),
        "log_loss": sk.log_loss(truth, shares),
        "brier": sk.brier_score_loss(truth, shares),
    }
    assert {name: found[name] for name in exact} == pytest.approx(exact, abs=1e-12)
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, shares, multi_class="ovr"), abs=2e-3)


def test_the_confusion_matrix_is_that_of_scikit_learn(many: tuple[Any, Any]) -> None:
    truth, shares = many
    signature = classifier(*"abcde")
    names, matrix = confusion(profile_of(signature, of_many(truth, shares)))
    assert names == (*"abcde", "unseen")
    assert matrix[:5, :5].tolist() == sk.confusion_matrix(truth, shares.argmax(axis=1)).tolist()


def test_the_calibration_error_is_that_of_ten_bins_of_equal_width(two: tuple[Any, Any]) -> None:
    truth, score = two
    signature = classifier("no", "yes")
    place = np.ceil(score * 10).astype(int)
    expected = sum(abs(truth[place == k].sum() - score[place == k].sum()) for k in range(11)) / len(
        truth
    )  # Naeini et al. 2015, by hand
    found = values(signature, profile_of(signature, of_two(truth, score)))
    assert found["calibration_error"] == pytest.approx(expected, abs=1e-9)


def test_a_regressor_is_judged_as_scikit_learn_judges_its_rows() -> None:
    rng = np.random.default_rng(4)
    truth = rng.gamma(2.0, 50.0, N)
    said = truth + rng.normal(3, 20, N)
    outcomes = [
        Outcome(t, s, interval=(s - 25, s + 25), naive=t + 40)
        for t, s in zip(truth.tolist(), said.tolist(), strict=True)
    ]
    reference = rng.gamma(2.0, 50.0, 5_000)
    found = values(REGRESSOR, profile_of(REGRESSOR, outcomes, Column("float", reference)))
    mae = sk.mean_absolute_error(truth, said)
    expected = {
        "mae": mae,
        "rmse": sk.root_mean_squared_error(truth, said),
        "r2": sk.r2_score(truth, said),
        "mape": sk.mean_absolute_percentage_error(truth, said),
        "bias": float(np.mean(said - truth)),
        "mase": mae / float(np.mean(np.abs(reference - np.median(reference)))),
        "naive_ratio": mae / 40.0,
        "interval_coverage": float(np.mean(np.abs(said - truth) <= 25)),
        "interval_width": 50.0,
    }
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_naive_forecast_of_a_series_is_the_value_before() -> None:
    reference = Column("float", np.array([1.0, 4.0, 2.0, 2.0]))  # steps of 3, 2 and 0
    grid = quality_grid(REGRESSOR, reference, is_series=True)
    profile = count(grid, outcome_table(grid, [Outcome(10.0, 15.0), Outcome(10.0, 10.0)]))
    assert values(REGRESSOR, profile)["mase"] == pytest.approx(2.5 / (5 / 3))


def test_rows_of_several_labels_are_judged_as_scikit_learn_judges_them() -> None:
    rng = np.random.default_rng(5)
    tags = ["r", "python", "stan", "plots"]
    truth, said = rng.random((500, 4)) < 0.4, rng.random((500, 4)) < 0.3
    outcomes = [
        Outcome(
            [tag for tag, there in zip(tags, t, strict=True) if there],
            [tag for tag, there in zip(tags, s, strict=True) if there],
        )
        for t, s in zip(truth.tolist(), said.tolist(), strict=True)
    ]
    signature = Signature("numpy", (), "classification", "text")
    found = values(signature, profile_of(signature, outcomes))
    expected = {
        "accuracy": sk.accuracy_score(truth, said),  # all labels right
        "label_precision": sk.precision_score(truth, said, average="micro"),
        "label_recall": sk.recall_score(truth, said, average="micro"),
        "label_coverage": float(np.mean(said.any(axis=1))),
    }
    assert found == pytest.approx(expected, abs=1e-12)


def test_precision_at_k_counts_the_events_among_the_highest_scores() -> None:
    truth, score = np.zeros(100, bool), np.linspace(0.005, 0.995, 100)
    truth[[99, 98, 96, 40]] = True
    profile = profile_of(classifier(0, 1), of_two(truth, score))
    profile_of_words = profile_of(classifier("no", "yes"), of_two(truth, score))
    assert precision_at(profile_of_words, 5) == pytest.approx(3 / 5)
    assert precision_at(profile, 4) == pytest.approx(3 / 4)  # the truth "yes" means the class 1


def test_scores_of_an_anomaly_detector_are_ranked_whatever_their_range() -> None:
    rng = np.random.default_rng(6)
    truth = rng.random(2_000) < 0.05
    score = -rng.gamma(2.0, 1.0, 2_000) + 6.0 * truth
    signature = Signature("numpy", (), "regression", "float")
    outcomes = [Outcome(bool(t), s) for t, s in zip(truth.tolist(), score.tolist(), strict=True)]
    found = values(signature, profile_of(signature, outcomes, Column("bool", truth)))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, score), abs=2e-3)
    n = int(truth.sum())
    assert found["precision_at_n"] == pytest.approx(truth[np.argsort(-score)[:n]].mean(), abs=0.03)


def test_a_proportion_has_the_interval_of_wilson() -> None:
    expected = stats.binomtest(37, 50).proportion_ci(0.95, method="wilson")
    assert proportion(37, 50)[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_mean_has_the_normal_interval() -> None:
    rng = np.random.default_rng(7)
    error = rng.normal(0, 3, 400)
    outcomes = [Outcome(0.0, e) for e in error.tolist()]
    found = figures(REGRESSOR, profile_of(REGRESSOR, outcomes))["mae"]
    half = stats.norm.ppf(0.975) * stats.sem(np.abs(error))
    assert (found.low, found.high) == pytest.approx((np.abs(error).mean() - half, np.abs(error).mean() + half))


def test_the_interval_of_an_area_holds_the_true_one_19_times_in_20() -> None:
    rng = np.random.default_rng(8)
    true_area = stats.norm.cdf(1 / np.sqrt(2))  # of two normals one standard deviation apart
    edges, held = np.linspace(-4, 5, 400), 0
    for _trial in range(300):
        negatives = np.bincount(np.searchsorted(edges, rng.normal(0, 1, 200)), minlength=401)
        positives = np.bincount(np.searchsorted(edges, rng.normal(1, 1, 60)), minlength=401)
        value, error = area(positives, negatives)
        held += abs(value - true_area) <= 1.96 * error
    assert 0.91 <= held / 300 <= 0.98


def test_a_model_without_labels_has_no_figures() -> None:
    signature = classifier("no", "yes")
    assert realised(Profile.empty(quality_grid(signature)), signature) == ()
    assert realised(Profile.empty(quality_grid(REGRESSOR)), REGRESSOR) == ()


def test_one_class_alone_gives_no_area_and_no_division_by_zero() -> None:
    signature = classifier("no", "yes")
    found = values(signature, profile_of(signature, [Outcome("no", "no", probabilities=(0.9, 0.1))] * 5))
    assert found["accuracy"] == 1.0
    assert not {"auc", "precision", "recall", "f1"} & set(found)
