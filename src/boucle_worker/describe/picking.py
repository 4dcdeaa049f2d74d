"""Functions that only pick a column of a table by its name, known by what they are: never by trying them."""

from __future__ import annotations

import inspect
import operator
from dataclasses import replace
from types import CodeType
from typing import Any, Iterator, List, Optional

import numpy as np

from boucle_worker.describe.frame import Frame

_STARRED = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_SHAPES = ("{x}[{name!r}]", "{x}[{name!r}].values", "{x}[{name!r}].to_numpy()", "{x}[{name!r}].fillna('')")


def picked(function: Any, x: Frame) -> Optional[Frame]:
    """Return the column that a function picks, as the vector that the library hands on; None for another function.

    Known are ``operator.itemgetter("text")``, ``lambda X: X["text"]`` (also with ``.values`` or ``.fillna("")``), and
    ``numpy.ravel`` of a table of one column.
    """
    name = _name(function, x)
    if name is None or x.is_vector or x.names.count(name) != 1:
        return None
    vector = x.select([x.names.index(name)], is_vector=True)
    probes = {source: _table(function(rows)) for source, rows in x.probes.items() if source in vector.probes}
    return replace(vector, probes=probes)


def _name(function: Any, x: Frame) -> Optional[str]:
    """Return the name of the column that a function picks."""
    if isinstance(function, operator.itemgetter):
        told = function.__reduce__()[1]  # how it is pickled: what it gets
        return told[0] if len(told) == 1 and isinstance(told[0], str) else None
    if function is np.ravel and len(x.names) == 1:  # squeeze would make a scalar of one row
        return x.names[0]
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or code.co_argcount != 1 or function.__closure__ or code.co_kwonlyargcount:
        return None
    return next((name for name in x.names for other in _codes(name) if _is_same(code, other)), None)


def _codes(name: str) -> Iterator[CodeType]:
    """Return what Python makes of each function that is known."""
    for shape in _SHAPES:
        body = shape.format(x="x", name=name)
        for text in (f"lambda x: {body}", f"def pick(x):\n    return {body}\n"):
            found = [c for c in compile(text, "", "exec").co_consts if isinstance(c, CodeType)]
            yield found[0]


def _is_same(one: CodeType, other: CodeType) -> bool:
    """True when two codes do the same, whatever their arguments are called."""
    told: List[Any] = [(c.co_code, c.co_consts, c.co_names, c.co_flags & _STARRED) for c in (one, other)]
    return bool(told[0] == told[1])


def _table(picked_rows: Any) -> Any:
    """Return the rows of a vector as a table of one column."""
    if hasattr(picked_rows, "to_frame"):
        return picked_rows.to_frame()
    return np.asarray(picked_rows, dtype=object).reshape(-1, 1)
