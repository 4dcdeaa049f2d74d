"""Quality checks: silent when nothing is wrong, sure when something is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from boucle.core.answer import Answer
from boucle.core.check import Check
from boucle.core.counting import count
from boucle.core.profile import Profile
from boucle.core.signature import Signature
from boucle.monitoring.estimates import calibrated
from boucle.monitoring.grids import answers_reference, answers_table
from boucle.monitoring.outcomes import Outcome, outcome_table, quality_grid
from boucle.monitoring.quality import Labelled, quality_checks, quality_of

TWO = Signature("numpy", (), "classification", "text", ("no", "yes"), probabilities=True)
GRID = quality_grid(TWO)
NAMES = np.array(["no", "yes"], dtype=object)


def scores(rng: Any, n: int, spread: float = 3.0) -> Any:
    return 1 / (1 + np.exp(-rng.normal(0, spread, n)))


def quality(rng: Any, n: int, wrong: float = 0.0) -> Profile:
    """Return the profile of n rows of a calibrated model, some of whose truths are turned round."""
    score = scores(rng, n)
    truth = (rng.random(n) < score) ^ (rng.random(n) < wrong)
    rows = zip(truth.tolist(), score.tolist(), strict=True)
    outcomes = [Outcome(NAMES[int(t)], NAMES[int(s > 0.5)], (1 - s, s), lag_s=3_000.0) for t, s in rows]
    return count(GRID, outcome_table(GRID, outcomes))


def answers(rng: Any, n: int, spread: float = 3.0) -> Profile:
    score = scores(rng, n, spread)
    table = answers_table(Answer(NAMES[(score > 0.5).astype(int)], ["no", "yes"], np.column_stack([1 - score, score])))
    return count(answers_reference(TWO, None)[0], table)


def named(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_model_as_good_as_before_is_left_alone_at_every_size_of_window() -> None:
    rng = np.random.default_rng(21)
    baseline = quality(rng, 2_000)
    windows = [quality(rng, n) for n in (60, 200, 1_000) for _window in range(60)]
    failed = [
        c.name for w in windows for c in quality_checks(Labelled(w, baseline=baseline), TWO) if c.status != "pass"
    ]
    assert failed == []  # 180 windows at 0.0002 each


def test_a_model_that_errs_more_fails_with_both_figures() -> None:
    rng = np.random.default_rng(22)
    checks = named(quality_checks(Labelled(quality(rng, 1_000, wrong=0.15), baseline=quality(rng, 2_000)), TWO))
    assert {checks[f"quality:{name}"].status for name in ("accuracy", "f1", "auc", "log_loss", "brier")} == {"fail"}
    check = checks["quality:accuracy"]
    assert check.evidence["expected"] - check.evidence["realised"] > 0.05
    assert check.advice


def test_a_sure_but_small_loss_is_no_alarm() -> None:
    baseline = many_rows(90_000, 100_000)
    window = many_rows(88_500, 100_000)  # 1.5 points, ten standard errors
    checks = named(quality_checks(Labelled(window, baseline=baseline), TWO))
    assert checks["quality:accuracy"].status == "pass"


def many_rows(right: int, n: int) -> Profile:
    one, other = (count(GRID, outcome_table(GRID, [Outcome("no", said)])) for said in ("no", "yes"))
    return Profile(
        GRID,
        n,
        one.counts * right + other.counts * (n - right),
        one.sums * right + other.sums * (n - right),
        one.missing * n,
        one.squares * right + other.squares * (n - right),
        one.low,
        one.high,
    )


def test_few_labels_judge_nothing() -> None:
    rng = np.random.default_rng(23)
    checks = named(quality_checks(Labelled(quality(rng, 49, wrong=0.5), baseline=quality(rng, 500)), TWO))
    assert set(checks) == {"labels"}


def test_the_figures_of_the_notebook_are_expected_until_there_are_labels_of_old() -> None:
    window = quality(np.random.default_rng(24), 500, wrong=0.2)
    checks = named(quality_checks(Labelled(window, stated={"roc_auc": 0.95, "n_rows": 3}), TWO))
    assert set(checks) == {"labels", "quality:auc"}
    assert checks["quality:auc"].status == "fail"


def test_rows_the_model_is_less_sure_of_warn_before_labels_come() -> None:
    rng = np.random.default_rng(25)
    calibration = calibrated(quality(rng, 3_000), TWO)
    before, now = answers(rng, 5_000), answers(rng, 5_000, spread=1.0)
    labelled = Labelled(Profile.empty(GRID), now, None, before, calibration)
    assert named(quality_checks(labelled, TWO))["estimate:accuracy"].status == "warn"
    same = Labelled(Profile.empty(GRID), answers(rng, 5_000), None, before, calibration)
    assert {check.status for check in quality_checks(same, TWO)} == {"pass"}


def test_estimated_and_realised_and_expected_stand_side_by_side() -> None:
    rng = np.random.default_rng(26)
    baseline, window = quality(rng, 2_000), quality(rng, 400)
    found = quality_of(Labelled(window, answers(rng, 1_000), baseline, calibration=calibrated(baseline, TWO)), TWO)
    accuracy = next(metric for metric in found.metrics if metric.name == "accuracy")
    assert accuracy.realised == pytest.approx(accuracy.estimated, abs=0.06)
    assert accuracy.expected == pytest.approx(accuracy.estimated, abs=0.04)
    assert (found.label_coverage, found.n_labelled) == (0.4, 400)
    assert found.label_lag_s == pytest.approx(3_000.0)


def test_labels_for_unknown_ids_are_told() -> None:
    window = quality(np.random.default_rng(27), 100)
    check = named(quality_checks(Labelled(window, n_unknown=7), TWO))["labels"]
    assert check.status == "warn"
    assert check.observed == "7 labels name no prediction that is kept"


def test_no_labels_and_no_answers_are_no_alarm() -> None:
    checks = quality_checks(Labelled(Profile.empty(GRID), Profile.empty(answers_reference(TWO, None)[0])), TWO)
    assert {check.status for check in checks} == {"pass"}


def test_a_regressor_fails_when_its_error_grew() -> None:
    signature = Signature("numpy", (), "regression", "float", interval_level=0.9)
    grid, rng = quality_grid(signature), np.random.default_rng(28)

    def rows(n: int, error: float) -> Profile:
        said = rng.normal(100, 10, n)
        truth = said + rng.normal(0, error, n)
        pairs = zip(truth.tolist(), said.tolist(), strict=True)
        return count(grid, outcome_table(grid, [Outcome(t, s, interval=(s - 8.2, s + 8.2)) for t, s in pairs]))

    checks = named(quality_checks(Labelled(rows(500, 8.0), baseline=rows(1_000, 5.0)), signature))
    assert [checks[f"quality:{name}"].status for name in ("mae", "rmse", "interval_coverage")] == ["fail"] * 3
