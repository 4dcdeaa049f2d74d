"""The interpreter of a version: the notebook's own, the nearest, or none."""

from __future__ import annotations

import pytest

from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.version import Artifact, Manifest, ModelFormat
from boucle.packaging.interpreter import choose_interpreter, environment_check, no_interpreter_check

INSTALLED = ("3.9", "3.10", "3.12", "3.13")


def manifest(python: str, model_format: ModelFormat) -> Manifest:
    return Manifest(
        model=Artifact("0" * 64, 1),
        format=model_format,
        trusted=model_format == "skops",
        schema=Schema(()),
        signature=Signature("pandas", (), "regression", "float"),
        python=python,
    )


@pytest.mark.parametrize("model_format", ["skops", "cloudpickle"])
def test_the_notebooks_own_minor_version_comes_first(model_format: ModelFormat) -> None:
    assert choose_interpreter("3.10.14", model_format, INSTALLED) == "3.10"


@pytest.mark.parametrize(
    ("python", "chosen"), [("3.11.7", "3.10"), ("3.14.0", "3.13"), ("3.8.18", "3.9"), ("4.0.0", "3.13")]
)
def test_skops_takes_the_nearest_one_the_older_of_two(python: str, chosen: str) -> None:
    assert choose_interpreter(python, "skops", INSTALLED) == chosen


def test_cloudpickle_takes_no_other_minor_version() -> None:
    assert choose_interpreter("3.11.7", "cloudpickle", INSTALLED) is None


def test_nothing_installed_is_nothing_chosen() -> None:
    assert choose_interpreter("3.11.7", "skops", ()) is None


def test_another_minor_version_is_a_warning_that_names_both() -> None:
    figures = {"packages": 14, "lock_s": 0.1, "make_s": 0.2}
    check = environment_check(manifest("3.11.7", "skops"), "3.12", figures)
    assert check.status == "warn"
    assert check.observed == "Python 3.12 with 14 locked packages, ready in 0.3 s"
    assert "Python 3.11 is not installed here" in check.advice
    assert check.evidence["notebook"] == "3.11.7"


def test_a_missing_interpreter_lists_those_found_oldest_first_and_the_cure() -> None:
    check = no_interpreter_check(manifest("3.11.7", "cloudpickle"), ["3.13", "3.9", "3.12"])
    assert check.status == "fail"
    assert check.observed == "Python 3.11 is not installed on the server; found: 3.9, 3.12, 3.13"
    assert "uv python install 3.11" in check.advice
    assert "skops" in check.advice


def test_a_server_without_any_python_says_so() -> None:
    check = no_interpreter_check(manifest("3.11.7", "skops"), [])
    assert check.observed.endswith("found: none")
    assert check.advice == "Install Python 3.11 on the server: uv python install 3.11"
