"""Routed versions for tests: one schema with a column of each type, and graphs small enough to check by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from boucle.core.routes import Route, RoutedVersion, RouteTable
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.table import Column
from boucle.core.version import Artifact
from boucle_worker.frames import Columns

ROW: dict[str, Any] = {
    "age": 41,
    "balance": 1250.5,
    "job": "clerk",
    "note": "calls back",
    "since": "2021-03-04T05:06:07Z",
    "married": True,
}
SCHEMA = Schema(
    (
        ColumnSchema("age", "int", minimum=18, maximum=95, example=41),
        ColumnSchema("balance", "float", nullable=True, minimum=-8000.0, maximum=102000.0, example=1250.5),
        ColumnSchema("job", "category", nullable=True, categories=("clerk", "nurse"), example="clerk"),
        ColumnSchema("note", "text", nullable=True, example="calls back"),
        ColumnSchema(
            "since",
            "datetime",
            nullable=True,
            minimum="2000-01-01T00:00:00.000000Z",
            maximum="2024-12-31T00:00:00.000000Z",
            example="2021-03-04T05:06:07.000000Z",
        ),
        ColumnSchema("married", "bool", example=True),
    )
)
SIGNATURE = Signature("pandas", tuple(Input(c.name, c.kind, "object") for c in SCHEMA.columns), "regression", "float")


def doubled_age(columns: Columns) -> Columns:
    """A model that anyone can check: twice the age."""
    return {"prediction": Column("float", columns["age"].values * 2.0)}


def tripled_age(columns: Columns) -> Columns:
    """The next version of it: three times the age."""
    return {"prediction": Column("float", columns["age"].values * 3.0)}


def routed(number: int = 1, digest: str = "d" * 64, **changes: Any) -> RoutedVersion:
    """A version in process, of a model known by its digest."""
    told: dict[str, Any] = {"runtime": "onnx", "format": "onnx", "schema": SCHEMA, "signature": SIGNATURE}
    return RoutedVersion(number=number, model=Artifact(digest, 1), **{**told, **changes})


def table(sequence: int, *versions: RoutedVersion, name: str = "bank", **aliases: int) -> RouteTable:
    """A table of one model; the first version is champion unless told otherwise."""
    return RouteTable(sequence, (Route(name, aliases or {"champion": versions[0].number}, versions),))


def linear_graph(weights: tuple[float, ...] = (2.0, 10.0), dtype: int = TensorProto.DOUBLE) -> bytes:
    """The ONNX file of ``a * w0 + b * w1`` from one matrix ``x``, with one value a row."""
    node_dtype = helper.tensor_dtype_to_np_dtype(dtype)
    column = numpy_helper.from_array(np.array(weights, dtype=node_dtype).reshape(-1, 1), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", dtype, [None, len(weights)])],
        [helper.make_tensor_value_info("y", dtype, [None, 1])],
        [column],
    )
    return model_bytes(graph)


def model_bytes(graph: onnx.GraphProto) -> bytes:
    """Return a graph as a file."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


LINEAR_SCHEMA = Schema(
    (
        ColumnSchema("a", "float", minimum=0.0, maximum=100.0, example=1.0),
        ColumnSchema("b", "float", nullable=True, minimum=0.0, maximum=100.0, example=2.0),
    )
)
LINEAR_SIGNATURE = Signature(
    "onnx",
    (Input("a", "float", "float64"), Input("b", "float", "float64")),
    "regression",
    "float",
    input_tensors=(Tensor("x", "float64", (None, 2), ("a", "b")),),
    output_tensors=(Tensor("y", "float64", (None, 1)),),
)
