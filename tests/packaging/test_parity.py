"""Parity of a graph with its notebook."""

from __future__ import annotations

from boucle.packaging.comparison import PARITY, compare
from boucle.packaging.parity import parity_check, unproven_check
from tables import answers, floats, matrix, texts


def test_single_precision_passes_with_its_largest_difference() -> None:
    notebook = answers(prediction=texts(["a", "b"]), probabilities=matrix([[0.7, 0.3], [0.2, 0.8]]))
    graph = answers(prediction=texts(["a", "b"]), probabilities=matrix([[0.7 + 9e-8, 0.3], [0.2, 0.8]]))
    check = parity_check(compare(graph, notebook, "classification", PARITY), graph, notebook)
    assert check.status == "pass"
    assert 8e-8 < check.evidence["largest_difference"] < 1e-7


def test_a_label_that_differs_fails_and_shows_the_row() -> None:
    notebook = answers(prediction=texts(["a", "b", "b"]))
    graph = answers(prediction=texts(["a", "b", "a"]))
    check = parity_check(compare(graph, notebook, "classification", PARITY), graph, notebook)
    assert check.status == "fail"
    assert (
        "1 of 3 rows (33 %) differ, 1 by their label; row 2: 'a' from the file, 'b' in the notebook" in check.observed
    )
    assert check.advice


def test_an_amount_may_differ_by_a_thousandth_and_no_more() -> None:
    notebook = answers(prediction=floats([1000.0, 1000.0]))
    graph = answers(prediction=floats([1000.9, 1001.1]))
    compared = compare(graph, notebook, "regression", PARITY)
    assert compared.number_rows == (1,)
    assert parity_check(compared, graph, notebook).evidence["largest_difference_row"] == 1


def test_answers_of_another_shape_fail() -> None:
    notebook, graph = answers(prediction=texts(["a"])), answers(prediction=floats([1.0]))
    check = parity_check(compare(graph, notebook, "classification", PARITY), graph, notebook)
    assert check.status == "fail"
    assert "another shape" in check.observed


def test_a_file_without_answers_is_unproven() -> None:
    check = unproven_check("parity")
    assert (check.name, check.status, check.evidence["unproven"]) == ("parity", "warn", True)
    assert "unproven" in check.observed
