"""Replay: the notebook's answers again, and a model that disagrees with itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from boucle.core.table import Table
from boucle.packaging.replay import replay, reproduce_check
from tables import answers, floats, texts

ROWS = Table({"x": floats([float(i) for i in range(40)])})


def doubled(rows: Table) -> Table:
    return answers(prediction=floats(rows.columns["x"].values * 2))


def label(rows: Table, threshold: float) -> Table:
    return answers(prediction=texts(["high" if x > threshold else "low" for x in rows.columns["x"].values]))


def test_a_model_that_answers_as_in_the_notebook_passes_with_figures(clock: Callable[[], float]) -> None:
    check = reproduce_check(replay(doubled, ROWS, doubled(ROWS), "regression", clock))
    assert check.status == "pass"
    assert check.evidence["rows"] == 40
    assert check.evidence["rows_alone"] == 16  # a slow clock: no more than the least


def test_rows_are_asked_one_by_one_for_a_second() -> None:
    now = iter(np.arange(1000) / 8)
    replayed = replay(doubled, ROWS, doubled(ROWS), "regression", lambda: float(next(now)))
    assert replayed.n_single == 23  # 16 without a look at the clock, then seven looks before a second is over


def test_a_small_sample_is_asked_one_by_one_in_full(clock: Callable[[], float]) -> None:
    few = ROWS.take(slice(0, 5))
    assert replay(doubled, few, doubled(few), "regression", clock).n_single == 5


def test_a_difference_from_the_notebook_fails_and_names_the_row(clock: Callable[[], float]) -> None:
    notebook = doubled(ROWS)
    notebook.columns["prediction"].values[7] += 1e-6
    check = reproduce_check(replay(doubled, ROWS, notebook, "regression", clock))
    assert check.status == "fail"
    assert "1 of 40 rows" in check.observed
    assert "row 7: 14.0 here, 14.000001 in the notebook" in check.observed
    assert check.evidence["largest_difference_row"] == 7
    assert "requirements=[...]" in check.advice


def test_a_difference_in_the_last_digits_is_none(clock: Callable[[], float]) -> None:
    notebook = answers(prediction=floats(doubled(ROWS).columns["prediction"].values * (1 + 1e-12)))
    assert reproduce_check(replay(doubled, ROWS, notebook, "regression", clock)).status == "pass"


def test_a_model_that_disagrees_with_itself_is_a_warning_with_figures(clock: Callable[[], float]) -> None:
    def moody(rows: Table) -> Table:
        return label(rows, threshold=20 if rows.n_rows == 1 else 9.5)

    check = reproduce_check(replay(moody, ROWS, moody(ROWS), "classification", clock))
    assert check.status == "warn"
    assert "disagrees with itself: 6 of 16 rows" in check.observed  # rows 10 to 15 of the 16 asked alone
    assert check.evidence["self_labels_differing"] == 6
    assert check.evidence["rows_differing"] == 0


def test_a_row_that_equals_the_notebook_alone_only_is_excused(clock: Callable[[], float]) -> None:
    def moody(rows: Table) -> Table:
        return label(rows, threshold=20 if rows.n_rows == 1 else 18.5)

    replayed = replay(moody, ROWS, label(ROWS, threshold=20), "classification", clock)
    assert (replayed.excused, replayed.wrong_rows) == ((19, 20), ())
    assert reproduce_check(replayed).status == "warn"


def test_a_model_that_rolls_dice_is_told_to_set_a_seed(clock: Callable[[], float]) -> None:
    dice = np.random.default_rng(0)

    def random(rows: Table) -> Table:
        return answers(prediction=floats(dice.random(rows.n_rows).tolist()))

    check = reproduce_check(replay(random, ROWS, random(ROWS), "regression", clock))
    assert check.status == "fail"
    assert "does not give the same answer twice" in check.advice


def test_answers_of_another_kind_fail_without_figures_that_mean_nothing(clock: Callable[[], float]) -> None:
    check = reproduce_check(replay(doubled, ROWS, label(ROWS, 3), "classification", clock))
    assert check.status == "fail"
    assert "prediction is a number instead of text" in check.observed
