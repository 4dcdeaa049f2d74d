"""The build of ONNX files: real files, the real runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, load_model_from_string
from sklearn.linear_model import LogisticRegression

from boucle.core.schema import infer
from boucle.core.signature import Input, Signature
from boucle.core.table import Column, Table
from boucle.core.version import Manifest
from loop.graphs import classifier, scaled_sum
from loop.scene import Scene, statuses

STEPS = ["artifacts", "onnx", "signature", "parity", "schema", "timing", "smoke"]
DICE = np.random.default_rng(0)
ROWS = Table({"age": Column("float", DICE.normal(40, 10, 200)), "visits": Column("int", DICE.integers(0, 9, 200))})
MATRIX = np.column_stack([column.values for column in ROWS.columns.values()]).astype(float)
MODEL = LogisticRegression().fit(MATRIX, np.where(MATRIX[:, 1] > 4, "yes", "no"))


def sent(scene: Scene, file: bytes, answers: Table | None, **signature: Any) -> Manifest:
    """Return what a notebook without any ONNX library sends: rows, perhaps answers, and no tensors."""
    write = scene.world.artifacts.write
    inputs = tuple(Input(name, column.kind, column.kind) for name, column in ROWS.columns.items())
    told = Signature("onnx", inputs, "regression", "float")
    return Manifest(
        model=write(file),
        format="onnx",
        trusted=True,
        schema=infer(ROWS),
        signature=replace(told, **signature),
        python="3.9.18",
        sample=write(ROWS.to_bytes()),
        answers=None if answers is None else write(answers.to_bytes()),
    )


def notebook(shift: float = 0.0) -> Table:
    probabilities = MODEL.predict_proba(MATRIX)
    probabilities[3] += (shift, -shift)
    labels = np.array(MODEL.predict(MATRIX), dtype=object)
    return Table({"prediction": Column("text", labels), "probabilities": Column("matrix", probabilities)})


@pytest.mark.parametrize("zipmap", [False, True], ids=["matrix", "zipmap"])
def test_a_file_that_answers_as_its_notebook_is_served_by_the_gateway(scene: Scene, zipmap: bool) -> None:
    version = scene.built(sent(scene, classifier(MODEL, zipmap), notebook()))
    assert (version.state, version.runtime, version.lock, version.interpreter) == ("ready", "onnx", None, None)
    assert statuses(version) == dict.fromkeys(STEPS, "pass")
    assert version.signature is not None
    assert version.signature.classes == ("no", "yes")
    assert (version.signature.task, version.signature.prediction_kind) == ("classification", "text")
    assert [tensor.columns for tensor in version.signature.input_tensors or ()] == [("age", "visits")]
    parity = version.checks[3].evidence
    assert (parity["rows"], parity["labels_differing"]) == (200, 0)
    assert 0 < parity["largest_difference"] < 1e-5
    assert scene.world.registry.model("model").aliases == {"champion": 1}


def test_a_file_that_answers_otherwise_is_refused_with_the_row(scene: Scene) -> None:
    version = scene.built(sent(scene, classifier(MODEL), notebook(shift=0.1)))
    assert version.state == "failed"
    refused = version.checks[-1]
    assert (refused.name, refused.evidence["rows_differing"]) == ("parity", 1)
    assert "row 3:" in refused.observed
    assert scene.world.registry.model("model").aliases == {}


def test_a_file_without_answers_is_served_but_labelled_unproven(scene: Scene) -> None:
    version = scene.built(sent(scene, classifier(MODEL), None))
    assert version.state == "ready"
    assert statuses(version)["parity"] == "warn"
    assert "unproven" in version.checks[3].observed


def test_answers_that_are_labels_only_prove_the_labels(scene: Scene) -> None:
    version = scene.built(sent(scene, classifier(MODEL), notebook().select(["prediction"])))
    assert statuses(version)["parity"] == "pass"


def test_a_graph_of_named_columns_is_fed_by_name_and_answers_exactly(scene: Scene) -> None:
    answers = Table({"prediction": Column("float", 2 * MATRIX.sum(axis=1))})
    version = scene.built(sent(scene, scaled_sum(["visits", "age"]), answers))
    assert version.state == "ready", version.reason
    assert version.signature is not None
    assert [tensor.columns for tensor in version.signature.input_tensors or ()] == [("visits",), ("age",)]
    assert version.checks[3].evidence["largest_difference"] < 1e-12


def test_columns_that_do_not_fit_the_tensors_are_refused_with_cause_and_cure(scene: Scene) -> None:
    version = scene.built(sent(scene, scaled_sum(["age", "weight"]), None))
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("signature", "fail")
    assert "weight float64(?, 1)" in refused.observed
    assert refused.advice


@pytest.mark.parametrize(
    ("file", "said"),
    [(b"no graph", "cannot be read as ONNX"), (b"", "no graph"), (classifier(MODEL)[:-40], "cannot be read as ONNX")],
    ids=["junk", "empty", "truncated"],
)
def test_a_file_that_is_no_graph_is_refused(scene: Scene, file: bytes, said: str) -> None:
    version = scene.built(sent(scene, file, None))
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("onnx", "fail")
    assert said in refused.observed


def test_a_file_that_keeps_data_elsewhere_is_refused(scene: Scene) -> None:
    parsed = load_model_from_string(scaled_sum(["age", "visits"]))
    tensor = parsed.graph.initializer[1]
    tensor.ClearField("double_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    version = scene.built(sent(scene, parsed.SerializeToString(), None))
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("onnx", "fail")
    assert "'factor' lies in another file" in refused.observed


def test_an_operator_that_the_runtime_does_not_know_is_refused(scene: Scene) -> None:
    parsed = load_model_from_string(scaled_sum(["age", "visits"]))
    parsed.graph.node[2].op_type = "Mulch"
    version = scene.built(sent(scene, parsed.SerializeToString(), None))
    assert version.state == "failed"
    assert "Mulch" in version.checks[-1].observed
