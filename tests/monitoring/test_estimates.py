"""Quality before labels: right when scores keep their meaning, honest when they do not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from boucle.core.answer import Answer
from boucle.core.counting import count
from boucle.core.document import from_json, to_json
from boucle.core.profile import Profile
from boucle.core.report import QualityPoint
from boucle.core.signature import Signature
from boucle.core.table import Column
from boucle.monitoring.estimates import Calibration, calibrated, estimated, honesty
from boucle.monitoring.grids import answers_reference, answers_table
from boucle.monitoring.outcomes import Outcome, outcome_table, quality_grid

TWO = Signature("numpy", (), "classification", "text", ("no", "yes"), probabilities=True)
REGRESSOR = Signature("numpy", (), "regression", "float")


def answers_of(signature: Signature, answer: Answer) -> Profile:
    table = answers_table(answer)
    return count(answers_reference(signature, table)[0], table)


def quality_of(signature: Signature, outcomes: list[Outcome], reference: Column | None = None) -> Profile:
    grid = quality_grid(signature, reference)
    return count(grid, outcome_table(grid, outcomes))


def sample(rng: Any, n: int, shift: float) -> tuple[Any, Any]:
    """Return truths and the scores of an overconfident model: the true rate is less extreme than the score."""
    x = rng.normal(shift, 1.5, n)
    return rng.random(n) < 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-2.5 * x))


def labelled(truth: Any, score: Any) -> list[Outcome]:
    names = ("no", "yes")
    rows = zip(truth.tolist(), score.tolist(), strict=True)
    return [Outcome(names[t], names[s > 0.5], probabilities=(1 - s, s)) for t, s in rows]


def answered(score: Any) -> Answer:
    said = np.where(score > 0.5, "yes", "no").astype(object)
    return Answer(said, ["no", "yes"], np.column_stack([1 - score, score]))


@pytest.mark.parametrize("shift", [0.0, 0.8, -1.2], ids=["as before", "moved up", "moved down"])
def test_calibrated_scores_tell_the_quality_of_rows_without_labels(shift: float) -> None:
    rng = np.random.default_rng(11)
    calibration = calibrated(quality_of(TWO, labelled(*sample(rng, 5_000, 0.0))), TWO)
    truth, score = sample(rng, 5_000, shift)
    found = estimated(answers_of(TWO, answered(score)), calibration, TWO)
    said = score > 0.5
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, said), abs=0.025)
    assert found["f1"] == pytest.approx(sk.f1_score(truth, said), abs=0.03)
    assert found["auc"] == pytest.approx(sk.roc_auc_score(truth, score), abs=0.025)
    assert found["brier"] == pytest.approx(sk.brier_score_loss(truth, score), abs=0.02)


def test_scores_at_their_word_would_be_far_off_for_an_overconfident_model() -> None:
    truth, score = sample(np.random.default_rng(12), 5_000, 0.0)
    answers = answers_of(TWO, answered(score))
    raw = estimated(answers, Calibration("raw"), TWO)["accuracy"]
    assert raw - sk.accuracy_score(truth, score > 0.5) > 0.08


def test_the_expected_accuracy_of_a_calibrated_model_is_its_mean_confidence() -> None:
    score = np.random.default_rng(13).random(4_000)
    found = estimated(answers_of(TWO, answered(score)), Calibration("raw"), TWO)
    assert found["accuracy"] == pytest.approx(np.maximum(score, 1 - score).mean(), abs=1e-3)  # the definition of CBPE


def test_too_few_labels_leave_the_scores_at_their_word() -> None:
    truth, score = sample(np.random.default_rng(14), 99, 0.0)
    assert calibrated(quality_of(TWO, labelled(truth, score)), TWO) == Calibration("raw", 99)


def test_a_calibration_rises_and_is_a_json_document() -> None:
    found = calibrated(quality_of(TWO, labelled(*sample(np.random.default_rng(15), 800, 0.0))), TWO)
    assert list(found.rates) == sorted(found.rates)
    assert list(found.at) == sorted(found.at)
    assert from_json(Calibration, json.loads(json.dumps(to_json(found)))) == found


def test_more_classes_are_estimated_from_the_mix_of_predictions() -> None:
    signature = Signature("numpy", (), "classification", "text", ("a", "b", "c"))
    rng = np.random.default_rng(16)
    rates = {"a": 0.95, "b": 0.6, "c": 0.8}

    def rows(n: int, shares: list[float]) -> list[tuple[str, str]]:
        said = rng.choice(list("abc"), n, p=shares).tolist()
        return [(s if rng.random() < rates[s] else "abc"[("abc".index(s) + 1) % 3], s) for s in said]

    calibration = calibrated(
        quality_of(signature, [Outcome(t, s) for t, s in rows(3_000, [0.5, 0.25, 0.25])]), signature
    )
    now = rows(3_000, [0.1, 0.8, 0.1])
    found = estimated(
        answers_of(signature, Answer(np.array([s for _t, s in now], object), list("abc"))), calibration, signature
    )
    assert found["accuracy"] == pytest.approx(np.mean([t == s for t, s in now]), abs=0.03)
    assert found["f1"] == pytest.approx(sk.f1_score(*zip(*now, strict=True), average="macro"), abs=0.03)


def test_the_error_of_a_regressor_follows_the_size_of_its_predictions() -> None:
    rng = np.random.default_rng(17)

    def rows(n: int, scale: float) -> tuple[Any, Any]:
        said = rng.gamma(2.0, scale, n)
        return said + said * 0.2 * rng.normal(size=n), said

    reference = Column("float", rows(5_000, 60.0)[0])
    truth, said = rows(5_000, 50.0)
    outcomes = [Outcome(t, s) for t, s in zip(truth.tolist(), said.tolist(), strict=True)]
    calibration = calibrated(quality_of(REGRESSOR, outcomes, reference), REGRESSOR)
    truth, said = rows(5_000, 65.0)
    found = estimated(answers_of(REGRESSOR, Answer(said)), calibration, REGRESSOR)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, said), rel=0.08)
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, said), rel=0.15)


def test_a_regressor_without_labels_is_not_estimated() -> None:
    calibration = calibrated(Profile.empty(quality_grid(REGRESSOR)), REGRESSOR)
    assert estimated(answers_of(REGRESSOR, Answer(np.arange(10.0))), calibration, REGRESSOR) == {}


def test_no_answers_are_not_estimated() -> None:
    empty = Profile.empty(answers_reference(TWO, None)[0])
    assert estimated(empty, Calibration("raw"), TWO) == {}


def points(errors: list[float]) -> list[QualityPoint]:
    return [QualityPoint(hour, "accuracy", 0.8, 0.8 + error, 100) for hour, error in enumerate(errors)]


def test_estimates_that_came_true_are_honest() -> None:
    assert honesty(points([0.01, -0.02, 0.02, -0.01, 0.0, 0.01])).status == "pass"


def test_estimates_that_were_too_good_are_told() -> None:
    check = honesty(points([0.08, 0.1, 0.09, 0.12, 0.1]))
    assert check.status == "warn"
    assert check.observed == "accuracy was estimated too well by 0.098 on average, over 5 steps"


def test_a_few_steps_prove_nothing_about_honesty() -> None:
    assert honesty(points([0.3, 0.3])).status == "pass"
    assert honesty([QualityPoint(0, "auc", None, 0.9)] * 9).status == "pass"
