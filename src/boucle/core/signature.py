"""Signature: how a model is fed and what it answers. Enough to rebuild, exactly, the rows its notebook gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Optional

Feed = Literal["pandas", "polars", "pyarrow", "numpy", "records", "onnx"]
Task = Literal["classification", "regression"]
MissingAs = Literal["nan", "none", "NA"]
TimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True)
class Input:
    """One column as the model's own library spells it.

    ``dtype`` is that library's word (``float32``, ``object``, ``str``, ``category``, ``datetime64[ns, UTC]``,
    ``Int64`` ...); ``missing`` says how a missing cell looked in the example (NaN, None or pandas.NA: imputers
    tell them apart); ``categories`` and ``ordered`` belong to pandas' and polars' categorical dtypes.

    The words are ``str(dtype)``, with these exceptions. numpy: ``str`` for any width of text. pandas: ``str`` or
    ``string`` (missing is NaN or NA) however stored, ``string[pyarrow-arrow]`` for an ArrowDtype of strings.
    polars: ``Enum``, ``Datetime[us]``, ``Datetime[us, UTC]``. Records: Python's ``int float str bool datetime``
    (naive, in UTC). A column of dtype ``object`` holds Python values of its ``kind``.
    """

    name: str
    kind: str
    dtype: str
    missing: MissingAs = "nan"
    categories: Optional[tuple[Any, ...]] = None
    ordered: bool = False


@dataclass(frozen=True)
class Tensor:
    """One input or output of an ONNX graph: ``columns`` are put side by side in that order (inputs only).

    ``dtype`` is numpy's word (``float32``, ``int64``, ``str``, ``bool``); ``shape`` holds None for a free axis.
    Of a window model the second axis is the window's rows: ``(None, 120)`` for one column, ``(None, 120, 4)`` for
    four. ``unit`` is what a column of dates counts since 1970 in an integer tensor.
    """

    name: str
    dtype: str
    shape: tuple[Optional[int], ...]
    columns: tuple[str, ...] = ()
    unit: Optional[TimeUnit] = None


@dataclass(frozen=True)
class Signature:
    """``feed`` is the container the model takes (``numpy``: one matrix of the columns in order).

    ``classes`` are the labels, in the order of the probability columns; None for regression.
    ``interval_level`` is the share of outcomes that the answer's interval is made to hold, such as 0.9; None for a
    model without intervals. ``input_tensors`` and ``output_tensors`` are told for ONNX only.
    """

    feed: Feed
    inputs: tuple[Input, ...]
    task: Task
    prediction_kind: str
    classes: Optional[tuple[Any, ...]] = None
    probabilities: bool = False
    input_tensors: Optional[tuple[Tensor, ...]] = None
    output_tensors: Optional[tuple[Tensor, ...]] = None
    interval_level: Optional[float] = None
