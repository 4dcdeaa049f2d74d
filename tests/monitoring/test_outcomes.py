"""Labelled rows as columns: how truths are matched, and how a correction is taken back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from boucle.core.counting import count
from boucle.core.profile import Profile
from boucle.core.signature import Signature
from boucle.core.table import Column
from boucle.monitoring.metrics import realised
from boucle.monitoring.outcomes import (
    Outcome,
    counted_document,
    from_counted,
    naive_error,
    outcome_table,
    quality_grid,
    score_edges,
)
from boucle.monitoring.spelling import Classes


def classifier(*classes: Any) -> Signature:
    return Signature("numpy", (), "classification", "text", classes, probabilities=True)


def counted(signature: Signature, *outcomes: Outcome) -> Profile:
    grid = quality_grid(signature)
    return count(grid, outcome_table(grid, outcomes))


@pytest.mark.parametrize(
    ("classes", "truth", "place"),
    [
        (("0", "1"), 1, 1),
        (("0", "1"), "1.0", 1),
        (("0", "1"), True, 1),
        (("0", "1"), "yes", 1),
        (("false", "true"), 0, 0),
        (("no", "yes"), "true", 1),
        (("no", "yes"), "OUI", 1),
        (("Spam", "ham"), " spam ", 0),
        (("a", "A"), "A", 1),
        (("0", "1", "2"), 2.0, 2),
        (("0", "1", "2"), True, -1),
        (("cat", "dog"), "yes", -1),
        (("cat", "dog"), "cow", -1),
    ],
)
def test_a_truth_is_matched_to_the_class_it_means(classes: tuple[str, ...], truth: Any, place: int) -> None:
    assert Classes(classes).place(truth) == place


def test_a_text_but_for_case_names_no_class_when_two_classes_differ_by_case_only() -> None:
    assert Classes(("ab", "AB")).place("Ab") == -1


def test_a_truth_that_is_no_class_is_wrong_and_unseen_and_in_no_score() -> None:
    signature = classifier("cat", "dog")
    outcomes = (Outcome("cow", "cat", probabilities=(0.9, 0.1)), Outcome("dog", "dog", probabilities=(0.2, 0.8)))
    profile = counted(signature, *outcomes)
    grid = profile.grid
    assert profile.counts[profile.part(grid.index("truth"))].tolist() == [0, 1, 0, 1]
    assert profile.missing[grid.index("log_loss")] == 1
    assert {m.name: m.realised for m in realised(profile, signature)}["accuracy"] == 0.5


def test_a_row_without_prediction_or_truth_is_judged_by_nothing() -> None:
    signature = classifier("cat", "dog")
    assert realised(counted(signature, Outcome("cat", None), Outcome(None, "cat")), signature) == ()


def test_no_label_at_all_is_a_truth_too() -> None:
    signature = Signature("numpy", (), "classification", "text")
    found = {m.name: m.realised for m in realised(counted(signature, Outcome([], []), Outcome([], ["r"])), signature)}
    assert found == {"accuracy": 0.5, "label_precision": 0.0, "label_coverage": 0.5}


@pytest.mark.parametrize("prediction", [["r", "stan"], '["r", "stan"]'], ids=["a list", "its JSON text"])
def test_several_labels_come_as_a_list_or_as_its_text(prediction: Any) -> None:
    signature = Signature("numpy", (), "classification", "text")
    found = {m.name: m.realised for m in realised(counted(signature, Outcome(["stan"], prediction)), signature)}
    assert (found["label_precision"], found["label_recall"]) == (0.5, 1.0)


def test_classes_beyond_fifty_are_pooled_and_judged_right_or_wrong_all_the_same() -> None:
    names = [f"c{k:02d}" for k in range(60)]
    signature = Signature("numpy", (), "classification", "text", tuple(names))
    profile = counted(signature, Outcome("c59", "c59"), Outcome("c58", "c59"), Outcome("c00", "c00"))
    assert {m.name: m.realised for m in realised(profile, signature)}["accuracy"] == pytest.approx(2 / 3)
    assert profile.counts[profile.part(profile.grid.index("truth"))][-2:].tolist() == [2, 0]


def test_a_correction_takes_exactly_the_old_row_back() -> None:
    signature = classifier("no", "yes")
    grid = quality_grid(signature)
    old = Outcome("no", "yes", probabilities=(0.3, 0.7), lag_s=60.0, slices=("city=Lyon",))
    rest = Outcome("yes", "yes", probabilities=(0.1, 0.9), lag_s=5.0)
    new = Outcome("yes", "yes", probabilities=(0.3, 0.7), lag_s=90.0)
    stored = json.loads(json.dumps(counted_document(old)))
    before = count(grid, outcome_table(grid, [old, rest]))
    corrected = (
        before - count(grid, outcome_table(grid, [from_counted(stored)])) + count(grid, outcome_table(grid, [new]))
    )
    expected = count(grid, outcome_table(grid, [new, rest]))
    assert from_counted(stored) == old
    assert corrected.n_rows == 2
    assert (corrected.counts == expected.counts).all()
    assert (corrected.missing == expected.missing).all()
    assert corrected.sums == pytest.approx(expected.sums, abs=1e-12)


def test_quality_of_two_hours_is_the_sum_of_the_quality_of_each() -> None:
    signature = Signature("numpy", (), "regression", "float")
    grid = quality_grid(signature, Column("float", np.arange(100.0)))
    rng = np.random.default_rng(1)
    rows = [Outcome(t, t + e) for t, e in zip(range(200), rng.normal(size=200).tolist(), strict=True)]
    whole = count(grid, outcome_table(grid, rows))
    parts = count(grid, outcome_table(grid, rows[:70])) + count(grid, outcome_table(grid, rows[70:]))
    one, other = ({m.name: m.realised for m in realised(p, signature)} for p in (whole, parts))
    assert one == pytest.approx(other)


def test_a_truth_that_is_no_number_is_missing_in_a_regressor() -> None:
    signature = Signature("numpy", (), "regression", "float")
    profile = counted(signature, Outcome("n/a", 3.0), Outcome(float("inf"), 3.0), Outcome("4.5", 3.0))
    assert {m.name: m.realised for m in realised(profile, signature)}["mae"] == 1.5
    assert profile.missing[profile.grid.index("truth")] == 2


def test_the_naive_error_is_that_of_the_median_or_of_the_value_before() -> None:
    truth = np.array([1.0, 2.0, 9.0])
    assert naive_error(truth, is_series=False) == pytest.approx(8 / 3)
    assert naive_error(truth, is_series=True) == 4.0


def test_edges_of_scores_are_fine_near_both_ends() -> None:
    edges = score_edges(800, 100)
    assert edges[0] == pytest.approx(1e-6)
    assert list(edges) == sorted(set(edges))
    assert len(edges) >= 990


def test_sample_answers_set_the_bins_of_a_regressor_without_a_target_but_no_naive_error() -> None:
    signature = Signature("numpy", (), "regression", "float")
    grid = quality_grid(signature, None, Column("float", np.arange(1_000.0)))
    profile = count(grid, outcome_table(grid, [Outcome(10.0, 12.0), Outcome(900.0, 905.0)]))
    assert len(grid.parts[grid.index("prediction")].edges) == 19
    assert "mase" not in {metric.name for metric in realised(profile, signature)}
