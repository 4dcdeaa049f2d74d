"""The gate of a version: told as a Check that never fails."""

from __future__ import annotations

import pytest

from boucle.core.gate import Gate, read_gate
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.version import Artifact, Manifest
from boucle.packaging.gate import gate_check


def manifest(gate: Gate | None, **metrics: float) -> Manifest:
    signature = Signature("onnx", (), "regression", "float")
    return Manifest(
        Artifact("a" * 64, 1),
        "onnx",
        trusted=True,
        schema=Schema(()),
        signature=signature,
        python="3.11.7",
        metrics=metrics,
        gate=gate,
    )


def test_a_version_without_a_gate_has_no_check() -> None:
    assert gate_check(manifest(None, loss=0.1)) is None


def test_a_gate_that_is_kept_passes_and_tells_each_value_beside_its_bound() -> None:
    check = gate_check(manifest(read_gate({"loss": "<= 0.5", "auc": ">= 0.8"}), loss=0.41234, auc=0.8))
    assert check is not None
    assert (check.name, check.status) == ("gate", "pass")
    assert check.observed == "loss 0.4123 <= 0.5; auc 0.8 >= 0.8"
    assert check.evidence == {"loss": 0.41234, "auc": 0.8, "bounds": ["loss <= 0.5", "auc >= 0.8"]}


def test_a_gate_that_is_not_kept_warns_of_the_broken_bounds_only() -> None:
    check = gate_check(manifest(read_gate({"naive_ratio": "<= 1.005", "loss": "<= 0.5"}), naive_ratio=12.1, loss=0.1))
    assert check is not None
    assert (check.status, check.observed) == ("warn", "naive_ratio 12.1 > 1.005")
    assert check.expected == "naive_ratio <= 1.005, loss <= 0.5"
    assert "boucle promote" in check.advice


def test_a_metric_that_was_not_told_keeps_no_bound() -> None:
    check = gate_check(manifest(read_gate({"auc": ">= 0.8"}), loss=0.1))
    assert check is not None
    assert (check.status, check.observed) == ("warn", "auc was not told, expected auc >= 0.8")
    assert check.evidence == {"auc": None, "bounds": ["auc >= 0.8"]}


def test_a_number_that_is_none_keeps_no_bound_and_is_null_as_evidence() -> None:
    check = gate_check(manifest(read_gate({"loss": "<= 0.5"}), loss=float("nan")))
    assert check is not None
    assert (check.status, check.evidence["loss"]) == ("warn", None)


@pytest.mark.parametrize(
    ("value", "told"),
    [(1.00501, "naive_ratio 1.00501 > 1.005"), (1.0050000001, "naive_ratio 1.0050000001 > 1.005")],
)
def test_a_value_is_never_rounded_onto_the_bound_that_it_breaks(value: float, told: str) -> None:
    check = gate_check(manifest(read_gate({"naive_ratio": "<= 1.005"}), naive_ratio=value))
    assert check is not None
    assert check.observed == told
