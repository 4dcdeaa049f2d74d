"""What `serving.py` compares: an echo, a service as a data scientist writes it, and the models they all answer with."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from fastapi import FastAPI
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))
from penguins import NUMBERS, SPECIES, pipeline, read

__all__ = ["NUMBERS", "echo", "fitted", "hand_written", "linear_onnx", "row", "rows"]


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer each request with its own body: the floor of what uvicorn costs."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@cache
def fitted() -> Pipeline:
    """Return the pipeline of the demo: 60 trees over raw rows."""
    penguins = read()
    return pipeline(RandomForestClassifier(n_estimators=60, random_state=0)).fit(rows(), penguins[SPECIES])


def rows() -> pd.DataFrame:
    """Return the raw rows."""
    return read().drop(columns=SPECIES)


def row() -> dict[str, Any]:
    """Return one raw row as JSON values."""
    one: dict[str, Any] = json.loads(rows().head(1).to_json(orient="records", date_format="iso"))[0]
    return one


hand_written = FastAPI()


@hand_written.post("/predict")
def predict(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Answer as a data scientist's own service does: a DataFrame of the records, the pipeline, lists."""
    frame = pd.DataFrame(records)
    frame["Date Egg"] = pd.to_datetime(frame["Date Egg"])
    probabilities = fitted().predict_proba(frame)
    classes = fitted().classes_
    return {"predictions": classes[probabilities.argmax(axis=1)].tolist(), "probabilities": probabilities.tolist()}


def linear_onnx() -> bytes:
    """Return a linear model over the numbers, as an ONNX file: one matrix in, one column out."""
    weights = np.linspace(0.1, 0.4, len(NUMBERS), dtype=np.float32).reshape(-1, 1)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "weights"], ["prediction"])],
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, len(NUMBERS)])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
