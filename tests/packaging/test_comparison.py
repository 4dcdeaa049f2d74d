"""Comparison: labels have no tolerance, floats numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boucle.core.table import Column
from boucle.packaging.comparison import PARITY, REPRODUCED, compare, of_windows, shown_answer
from tables import answers, floats, matrix, texts


def test_identical_answers_are_the_same() -> None:
    both = answers(prediction=texts(["yes", "no", None]), probabilities=matrix([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]))
    compared = compare(both, both, "classification", REPRODUCED)
    assert compared.is_same
    assert (compared.n_rows, compared.largest, compared.largest_row) == (3, 0.0, None)


def test_a_label_that_differs_is_told_with_its_row() -> None:
    compared = compare(
        answers(prediction=texts(["yes", "no", "no"])),
        answers(prediction=texts(["yes", "no", "yes"])),
        "classification",
        PARITY,
    )
    assert compared.label_rows == (2,)
    assert compared.worst_row() == 2


def test_labels_that_are_floats_have_no_tolerance() -> None:
    compared = compare(
        answers(prediction=floats([1.0, 2.0 + 1e-12])),
        answers(prediction=floats([1.0, 2.0])),
        "classification",
        REPRODUCED,
    )
    assert compared.label_rows == (1,)


def test_a_probability_beyond_the_tolerance_is_told_with_the_largest_difference() -> None:
    compared = compare(
        answers(prediction=texts(["a", "a"]), probabilities=matrix([[0.5, 0.5], [0.75, 0.25]])),
        answers(prediction=texts(["a", "a"]), probabilities=matrix([[0.5, 0.5], [0.5, 0.5]])),
        "classification",
        PARITY,
    )
    assert (compared.number_rows, compared.largest, compared.largest_row) == ((1,), 0.25, 1)
    assert compared.label_rows == ()


@pytest.mark.parametrize("kind", ["int", "bool"])
def test_numbers_of_another_kind_are_compared_by_value(kind: str) -> None:
    whole = Column(kind, np.array([1, 0]).astype(bool if kind == "bool" else np.int64))
    compared = compare(answers(prediction=whole), answers(prediction=floats([1.0, 0.0])), "classification", PARITY)
    assert compared.is_same


def test_missing_answers_are_the_same_on_both_sides_only() -> None:
    compared = compare(
        answers(prediction=floats([np.nan, np.nan, 1.0])),
        answers(prediction=floats([np.nan, 1.0, np.nan])),
        "regression",
        REPRODUCED,
    )
    assert compared.number_rows == (1, 2)
    assert compared.largest == np.inf


def test_infinite_answers_of_one_sign_are_the_same() -> None:
    compared = compare(
        answers(prediction=floats([np.inf, -np.inf])),
        answers(prediction=floats([np.inf, np.inf])),
        "regression",
        PARITY,
    )
    assert compared.number_rows == (1,)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (answers(prediction=texts(["a"])), "1 answers instead of 2"),
        (answers(prediction=floats([1, 2])), "prediction is a number instead of text"),
        (answers(prediction=texts(["a", "b"])), "no probabilities although the notebook had some"),
        (
            answers(prediction=texts(["a", "b"]), probabilities=matrix([[1.0], [1.0]])),
            "probabilities is a matrix of 1 columns instead of a matrix of 2 columns",
        ),
    ],
    ids=["rows", "kind", "absent", "width"],
)
def test_answers_of_another_shape_are_not_compared(found: object, problem: str) -> None:
    expected = answers(prediction=texts(["a", "b"]), probabilities=matrix([[0.5, 0.5], [0.5, 0.5]]))
    compared = compare(found, expected, "classification", PARITY)  # type: ignore[arg-type]  # a Table from the list
    assert compared.problem == problem
    assert not compared.is_same


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20))
def test_floats_are_the_same_exactly_when_numpy_says_so(pairs: list[tuple[float, float]]) -> None:
    found, expected = np.array(pairs).T
    compared = compare(answers(prediction=floats(found)), answers(prediction=floats(expected)), "regression", PARITY)
    with np.errstate(all="ignore"):
        close = np.isclose(found, expected, rtol=1e-3, atol=1e-5, equal_nan=True)
    assert compared.number_rows == tuple(np.flatnonzero(~close).tolist())


def test_an_answer_is_shown_as_label_and_probabilities() -> None:
    told = answers(prediction=texts(["a", "b"]), probabilities=matrix([[0.25, 0.75], [1.0, 0.0]]))
    assert shown_answer(told, 0) == "'a' [0.25, 0.75]"


def test_a_forecast_may_differ_by_a_hundred_thousandth_whatever_its_unit() -> None:
    for unit in (1e-5, 1.0, 45_000.0):
        expected = answers(prediction=floats([unit, unit, unit]))
        found = answers(prediction=floats([unit * (1 + 0.9e-5), unit * (1 + 1.2e-5), unit]))
        assert compare(found, expected, "regression", of_windows(expected)).number_rows == (1,)


def test_forecasts_around_zero_may_differ_by_a_millionth_of_their_size() -> None:
    expected = answers(prediction=floats([-10.0, 0.0, 10.0, 0.0]))
    found = answers(prediction=floats([-10.0, 4e-6, 10.0, 6e-6]))
    assert compare(found, expected, "regression", of_windows(expected)).number_rows == (3,)


@pytest.mark.parametrize(
    "prediction", [texts(["up"]), floats([float("nan")]), floats([])], ids=["text", "missing", "none"]
)
def test_without_a_number_no_difference_is_allowed_but_relative(prediction: Column) -> None:
    assert of_windows(answers(prediction=prediction)).absolute == 0


def test_a_difference_beyond_what_a_float_holds_is_one() -> None:
    found, expected = answers(prediction=floats([1.7e308])), answers(prediction=floats([-1.7e308]))
    assert compare(found, expected, "regression", PARITY).number_rows == (0,)
