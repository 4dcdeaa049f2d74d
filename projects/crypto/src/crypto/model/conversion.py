"""To ONNX, and the proof that nothing was lost on the way.

Parity is judged on the *return*, ``|difference| / last close``: a price hides errors, being almost all last close
passed through. The same difference over the naive forecast's mean error tells what it is worth.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch

from crypto.errors import ProjectError
from crypto.features import OHLC, Floats, Ints, Windows
from crypto.model.augmented import INPUT_NAMES, OUTPUT_NAMES, AugmentedModel
from crypto.model.calendar import HOUR_MS

OPSET = 20
PARITY = 1e-5
_NOISY = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export", "torch.fx")


class ConversionError(ProjectError):
    """The ONNX graph does not answer as the network does, or could not be made."""


@dataclass(frozen=True)
class Parity:
    """How far the graph's answers lie from the network's, over ``n`` windows.

    ``largest`` and ``intervals`` are the largest ``|difference| / last close`` of the forecast and of the bounds;
    ``of_naive`` is the mean difference of the forecast over the naive forecast's mean error.
    """

    n: int
    largest: float
    intervals: float
    of_naive: float


def convert_model(model: AugmentedModel, sequence_length: int = 120, opset: int = OPSET) -> bytes:
    """Return the model as one ONNX file: any number of windows at once, weights inside, opset fixed.

    Inputs ``timestamp`` int64 (batch, 120) and ``ohlc`` float64 (batch, 120, 4), with volumes (batch, 120, 6);
    outputs ``prediction`` float64 (batch,) and ``intervals`` float64 (batch, 2). Raises ConversionError when the
    graph cannot be made.
    """
    timestamp = torch.arange(2 * sequence_length).reshape(2, -1) * HOUR_MS
    ohlc = torch.ones((2, sequence_length, len(model.columns)), dtype=torch.float64)
    batch = torch.export.Dim("batch")
    with _quiet(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            torch.onnx.export(
                model.eval(),
                (timestamp, ohlc),
                str(path),
                dynamo=True,
                opset_version=opset,
                input_names=list(INPUT_NAMES),
                output_names=list(OUTPUT_NAMES),
                dynamic_shapes={"timestamp": {0: batch}, "ohlc": {0: batch}},
                external_data=False,
            )
        except Exception as error:
            raise ConversionError(f"The model could not be written as ONNX: {error}") from error
        return path.read_bytes()


def validate_model(content: bytes, model: AugmentedModel, windows: Windows, tolerance: float = PARITY) -> Parity:
    """Return how far the graph is from the model on these windows and on made-up ones at the edges.

    Raises ConversionError when a forecast or a bound differs by more than ``tolerance`` of the last close, when an
    answer is no finite number, or when the file is not what `convert_model` promises.
    """
    _require_form(content)
    told = with_edges(windows)
    theirs = run_onnx(content, told.timestamps, told.ohlc)
    with torch.no_grad():
        ours = [answer.numpy() for answer in model(torch.from_numpy(told.timestamps), torch.from_numpy(told.ohlc))]
    last_close = told.ohlc[:, -1, 3]
    difference = np.abs(theirs[0] - ours[0])
    bounds = np.abs(theirs[1] - ours[1]) / last_close[:, None]
    n_real = len(windows.next_close)
    naive = np.abs(windows.next_close - last_close[:n_real]).mean()
    of_naive = float(difference[:n_real].mean() / naive) if naive > 0 else 0.0
    parity = Parity(len(last_close), float((difference / last_close).max()), float(bounds.max()), of_naive)
    if not (parity.largest <= tolerance and parity.intervals <= tolerance):  # said so that NaN is no parity
        raise ConversionError(
            f"The ONNX graph differs from the model by {parity.largest:.2g} of the last close (intervals: "
            f"{parity.intervals:.2g}) on {parity.n} windows; at most {tolerance:g} is accepted. Do not deploy it."
        )
    return parity


def run_onnx(content: bytes, timestamps: Ints, ohlc: Floats) -> tuple[Floats, Floats]:
    """Return the predictions (n,) and intervals (n, 2) of an ONNX graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # hourly runs share their cores with what serves
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    prediction, intervals = session.run(list(OUTPUT_NAMES), {"timestamp": timestamps, "ohlc": ohlc})
    return np.asarray(prediction), np.asarray(intervals)


def with_edges(windows: Windows) -> Windows:
    """Return the windows and, after them, the newest one bent to the edges of what may come.

    Constant prices, with volumes of 0; a jump to ten times and one to a tenth in the newest row; prices halved and
    doubled; ends of years, with 52 and 53 weeks; the leap day, of 2024 and of 2000; the year 2100, which has none.
    """
    timestamps, ohlc = windows.timestamps[-1], windows.ohlc[-1]
    flat = np.zeros_like(ohlc)
    flat[:, : len(OHLC)] = ohlc[-1, 3]
    jumped, fallen = ohlc.copy(), ohlc.copy()
    jumped[-1, [1, 3]] *= 10
    fallen[-1, [2, 3]] /= 10
    bent = [(timestamps, candles) for candles in (flat, jumped, fallen, ohlc / 2, ohlc * 2)]
    for day in ("2020-12-31", "2024-12-30", "2025-01-01", "2024-02-29", "2000-02-29", "2100-02-28", "1970-01-05"):
        start = int(np.datetime64(day, "ms").astype(np.int64)) - 60 * HOUR_MS
        bent.append((start + np.arange(len(timestamps), dtype=np.int64) * HOUR_MS, ohlc))
    return Windows(
        np.concatenate([windows.timestamps, np.stack([times for times, _ in bent])]),
        np.concatenate([windows.ohlc, np.stack([candles for _, candles in bent])]),
        np.concatenate([windows.next_close, np.full(len(bent), ohlc[-1, 3])]),
    )


def _require_form(content: bytes) -> None:
    graph = onnx.load_model_from_string(content).graph
    is_external = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer)
    names = tuple(value.name for value in graph.input), tuple(value.name for value in graph.output)
    is_dynamic = all(value.type.tensor_type.shape.dim[0].dim_param for value in (*graph.input, *graph.output))
    if is_external or names != (INPUT_NAMES, OUTPUT_NAMES) or not is_dynamic:
        raise ConversionError(
            f"The ONNX file has inputs and outputs {names}, external data: {is_external}, any batch: {is_dynamic}; "
            f"expected {(INPUT_NAMES, OUTPUT_NAMES)}, external data: False, any batch: True."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's own words out: it prints steps, and warns of what it handles."""
    loggers: list[Any] = [logging.getLogger(name) for name in _NOISY]
    levels = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
