"""What leaves the notebook: targets, references, facts, ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from boucle.client.capture.offer import Offer, capture
from boucle.client.capture.request import Request
from boucle.core.errors import InvalidRequest, NotFound
from boucle.core.table import Table

ROWS = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0]})
Y = [1.0, 2.0, 3.0]
MODEL = make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LinearRegression())


def captured(model: Any, example: Any, **more: Any) -> Offer:
    return capture(Request(model, "m", example, **more), lambda _stage: None)


def fitted() -> Any:
    return make_pipeline(StandardScaler(), LinearRegression()).fit(ROWS, Y)


def reference(offer: Offer) -> Table:
    assert offer.manifest.reference is not None
    return Table.from_bytes(offer.blobs[offer.manifest.reference.digest])


def doubling() -> onnx.ModelProto:
    """A graph that doubles each row's two numbers and adds them up."""
    nodes = [
        helper.make_node("Constant", [], ["weights"], value=helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [2, 2])),
        helper.make_node("MatMul", ["X", "weights"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])]
    return helper.make_model(helper.make_graph(nodes, "doubling", inputs, outputs))


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_a_target_of_the_example_is_taken_out_of_the_rows(library: Any) -> None:
    example = library({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.0], "y": Y})
    offer = captured(fitted(), example, target="y")
    assert [item.name for item in offer.manifest.signature.inputs] == ["a", "b"]
    assert offer.manifest.schema.names == ("a", "b")
    assert reference(offer).names == ("a", "b", "y")


@pytest.mark.parametrize(
    ("target", "name"),
    [(Y, "target"), (pd.Series(Y, name="price"), "price"), (pd.Series(Y, name="a"), "target"), (np.array(Y), "target")],
    ids=["list", "series", "taken", "array"],
)
def test_a_target_beside_the_example_joins_the_reference_under_a_free_name(target: Any, name: str) -> None:
    offer = captured(fitted(), ROWS, target=target)
    assert (offer.manifest.target, reference(offer).names) == (name, ("a", "b", name))


def test_a_target_that_is_not_there_lists_the_columns() -> None:
    with pytest.raises(NotFound, match=r"There is no column 'c'. There is: a, b"):
        captured(fitted(), ROWS, target="c")


def test_the_same_capture_twice_is_the_same_identity() -> None:
    offers = [captured(fitted(), ROWS, target=Y, metrics={"mae": 1}) for _ in range(2)]
    assert offers[0].manifest.digest() == offers[1].manifest.digest()
    assert offers[0].blobs.keys() == offers[1].blobs.keys()


def test_other_data_is_another_identity() -> None:
    other = captured(fitted(), ROWS, target=[1.0, 2.0, 4.0])
    assert other.manifest.data_digest != captured(fitted(), ROWS, target=Y).manifest.data_digest


def test_a_large_example_keeps_a_hundred_thousand_rows_and_a_thousand_answers() -> None:
    rows = pd.DataFrame({"a": np.arange(120_000.0), "b": 0.0})
    offer = captured(fitted(), rows)
    assert offer.manifest.sample is not None
    assert (reference(offer).n_rows, Table.from_bytes(offer.blobs[offer.manifest.sample.digest]).n_rows) == (
        100_000,
        1000,
    )
    assert offer.manifest.schema.columns[0].maximum == 119_999.0


def test_requirements_hold_the_models_libraries_the_containers_and_the_readers() -> None:
    names = {pin.partition("==")[0] for pin in captured(fitted(), ROWS).manifest.requirements}
    assert {"scikit-learn", "numpy", "scipy", "pandas", "skops"} <= names
    assert not names & {"boucle", "polars", "pytest"}


def test_requirements_given_replace_those_found() -> None:
    assert captured(fitted(), ROWS, requirements=["numpy==1.0"]).manifest.requirements == ("numpy==1.0",)


def test_parameters_are_plain_and_hold_no_addresses() -> None:
    params = captured(MODEL.fit(ROWS, Y), ROWS).manifest.params
    assert params["standardscaler__with_mean"] is True
    assert params["functiontransformer__func"] == "log1p"
    assert "linearregression" not in params


@pytest.mark.parametrize("metrics", [{"auc": float("nan")}, {"auc": "high"}])
def test_a_metric_that_is_no_number_is_refused(metrics: Any) -> None:
    with pytest.raises(InvalidRequest, match="Metric 'auc' is"):
        captured(fitted(), ROWS, metrics=metrics)


def test_a_task_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="expected one of: classification, regression"):
        captured(fitted(), ROWS, task="ranking")


@pytest.mark.parametrize("how", ["path", "text", "bytes", "proto"])
def test_an_onnx_model_comes_as_a_path_as_bytes_or_as_a_proto(how: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(doubling().SerializeToString(deterministic=True))
    given = {"path": path, "text": str(path), "bytes": path.read_bytes(), "proto": doubling()}[how]
    manifest = captured(given, ROWS, answers=[2.0, 6.0, 6.0]).manifest
    assert (manifest.format, manifest.trusted, manifest.signature.feed) == ("onnx", True, "onnx")
    assert (manifest.signature.task, manifest.signature.prediction_kind) == ("regression", "float")
    assert manifest.requirements == ()


def test_answers_beside_an_onnx_file_are_kept_for_parity() -> None:
    probabilities = np.array([[0.5, 0.5]] * 3)
    offer = captured(doubling(), ROWS, answers=(["x", "y", "x"], probabilities))
    assert offer.manifest.answers is not None
    answers = Table.from_bytes(offer.blobs[offer.manifest.answers.digest])
    assert answers.columns["prediction"].values.tolist() == ["x", "y", "x"]
    assert answers.columns["probabilities"].values.tolist() == probabilities.tolist()
    assert offer.manifest.signature.task == "classification"


def test_without_answers_an_onnx_file_goes_without_a_proof() -> None:
    assert captured(doubling(), ROWS).manifest.answers is None


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("model.pkl", "A path is taken for an .onnx file only"),
        (b"no graph", "This is no ONNX model"),
    ],
)
def test_what_is_no_onnx_file_is_refused(model: Any, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        captured(model, ROWS)


def test_a_missing_onnx_file_lists_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(b"")
    with pytest.raises(NotFound, match=r"There is: other\.onnx"):
        captured(tmp_path / "model.onnx", ROWS)
