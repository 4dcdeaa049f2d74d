"""Columns of numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from boucle.client.capture.cells import Read, objects, read_cells, unusual, whole_numbers
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.signature import Input
from boucle_worker.frames import Column


def read_matrix(matrix: Any, strict: bool = True) -> list[Read]:
    """Read a matrix, shape ``(n_rows, n_columns)``, as columns ``x0``, ``x1`` ...

    Raises InvalidRequest for other shapes, fields or unusual dtypes.
    """
    if matrix.dtype.names:
        raise InvalidRequest(
            "unusual-rows", _("The rows are a structured array. Give a table instead: pd.DataFrame(example)")
        )
    if matrix.ndim != 2:
        raise InvalidRequest(
            "unusual-rows",
            _("The rows have shape {shape}, expected (rows, columns). One row: example.reshape(1, -1)").format(
                shape=matrix.shape
            ),
        )
    return [read_array(f"x{i}", matrix[:, i], strict) for i in range(matrix.shape[1])]


def read_array(name: str, values: Any, strict: bool = True) -> Read:
    """Read an array of shape ``(n_rows,)``. Raises InvalidRequest naming the column and the cure."""
    kind, word = values.dtype.kind, str(values.dtype)
    if kind == "b":
        return Read(Column("bool", values), Input(name, "bool", word))
    if kind in "iu":
        return Read(whole_numbers(name, values), Input(name, "int", word))
    if kind == "f" and values.dtype.itemsize <= 8:
        return Read(Column("float", values.astype(np.float64)), Input(name, "float", word))
    if kind in "UT":
        return Read(Column("text", objects(values.tolist())), Input(name, "text", "str"))
    if kind == "M":
        return Read(Column("datetime", instants(name, values)), Input(name, "datetime", word))
    if kind == "O":
        return read_cells(name, values.tolist(), "object", strict)
    raise unusual(name, word, _CURES.get(kind, 'astype("float64")').format(name=name))


def instants(name: str, values: Any) -> Any:
    """Return datetimes in microseconds. Raises InvalidRequest when that would lose a part of them."""
    out = values.astype("datetime64[us]")
    if (out.astype(values.dtype) != values)[~np.isnat(values)].any():
        raise unusual(name, _("times finer than a microsecond"), f'X["{name}"] = X["{name}"].dt.floor("us")')
    return out


_CURES = {
    "f": 'X["{name}"] = X["{name}"].astype("float64")',
    "c": 'X["{name}_re"], X["{name}_im"] = np.real(X["{name}"]), np.imag(X["{name}"])',
    "m": 'X["{name}"] = X["{name}"].dt.total_seconds()',
    "S": 'X["{name}"] = X["{name}"].astype(str)',
    "V": 'X["{name}"] = X["{name}"].astype("float64")',
}
