"""boucle.export: the ONNX file of a fitted model, alone. It needs the server part, which knows ONNX."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from boucle.client.capture.answers import ask
from boucle.client.capture.rows import Rows, candidates

if TYPE_CHECKING:
    from boucle.bootstrap.export import Exported


def export(model: Any, path: Union[str, os.PathLike[str]], *, example: Any = None) -> Exported:
    """Write a fitted model as an ONNX file that any onnxruntime runs as it is, once it is proven to answer the same.

    ``example`` are raw rows as the model takes them; without it, what the model expects is read off the model itself
    (texts where an encoder knows texts, numbers elsewhere) and the proof rests on generated rows alone. Each column
    is an input ``(n, 1)``: double (NaN when missing), string (empty when missing), bool, or int64 microseconds since
    1970. Outputs are ``label`` and ``probabilities``, or ``value``.

    An output is called ``label_`` (and so on) where a column is called ``label``. Raises CannotConvert when the model
    has no exact graph, or one that is not proven, with the reason (texts that a vectoriser cuts into words among
    them); CannotWrite when the file cannot be put there; nothing is written then. Refused and InvalidRequest are
    those of ``deploy``: the example is none that the model takes.

    >>> from sklearn.linear_model import LinearRegression  # doctest: +SKIP
    >>> print(boucle.export(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), "line.onnx"))  # doctest: +SKIP
    """
    from boucle.bootstrap.export import written

    answered = ask(model, "export", _rows_of(model) if example is None else candidates(example), None)
    rows = answered.rows.table.take(answered.positions)
    return written(model, Path(path).expanduser(), answered.signature, rows)


def _rows_of(model: Any) -> tuple[Rows, ...]:
    """Return one row as the model takes it, read off the model itself."""
    from boucle.bootstrap.export import CannotConvert
    from boucle_worker.describe import Cannot
    from boucle_worker.describe.expected import expected
    from boucle_worker.feeds import builder

    try:
        signature, row = expected(model)
    except Cannot as cannot:
        raise CannotConvert(type(model).__name__, cannot.reason) from cannot
    return candidates(builder(signature)(row))
