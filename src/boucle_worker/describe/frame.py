"""Frame: the raw columns on their way through the first steps, each a number, a code, or an instant.

Strings never enter the graph. What a caller sends is looked up in the vocabulary of its column and becomes a code:
the place in the vocabulary, then one code for every other value and one for a missing cell. What fitted transformers
make of a code is found by running *them* on *probes*: rows, made as the model's worker makes them, in which one column
takes the value of each code in turn. The answers are a table that the graph looks up, so it is exact by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.formulas import concat, gather
from boucle_worker.describe.graph import Graph, Value
from boucle_worker.describe.probes import as_probes, checked_size, columns_of, height, is_matrix, taken
from boucle_worker.frames import Columns

UNKNOWN = "\x00 a value that no vocabulary holds"
WIDE = 64  # a one-hot table of more columns than this is written as comparisons


class Grow(Exception):  # no error: the description starts again with the larger vocabulary
    """Transformers know values that the vocabularies of raw columns lack: ``lacking[source]``, [] for a new one."""

    def __init__(self, lacking: Mapping[str, Sequence[Any]]) -> None:
        self.lacking = {source: list(values) for source, values in lacking.items()}
        super().__init__(", ".join(lacking))


@dataclass(frozen=True)
class Part:
    """One column of a frame.

    ``value`` is what the graph has of it, ``(n, 1)``: numbers as float64 or float32, instants as int64 microseconds
    (the smallest int64 when missing); None for a code. ``dtype`` is what the library holds. ``source`` is the raw
    column that decides a code. ``is_open`` says that a number outside the vocabulary still matters: it is not coded
    for good before an encoder took it.
    """

    name: str
    dtype: Any
    value: Optional[Value] = None
    source: Optional[str] = None
    is_open: bool = False

    @property
    def is_number(self) -> bool:
        """True for a column of numbers that the graph has."""
        return self.value is not None and self.value.dtype.kind == "f"

    @property
    def is_date(self) -> bool:
        """True for a column of instants."""
        return self.value is not None and self.value.dtype.kind == "i"


@dataclass(frozen=True)
class Codes:
    """The codes of the raw columns: ``values[source]`` is int64 ``(n,)``; ``vocabularies`` lists what they stand for.

    ``refused[source]`` are codes on which the model raises: ``len(vocabulary)`` is any other value, one more a
    missing cell.
    """

    graph: Graph
    values: Dict[str, Value]
    vocabularies: Dict[str, List[Any]]
    refused: Dict[str, List[int]] = field(default_factory=dict)

    def refuse(self, source: str, codes: Sequence[int]) -> None:
        """Remember codes on which a transformer raises."""
        known = self.refused.setdefault(source, [])
        known.extend(code for code in codes if code not in known)


@dataclass(frozen=True)
class Made:
    """How the library's rows of raw columns are made: ``build`` makes all of them, ``places`` are those meant.

    ``first`` is one row as callers send it, of all raw columns.
    """

    build: Callable[[Columns], Any]
    first: Columns
    places: Sequence[int]

    def rows(self, columns: Columns) -> Any:
        """Return the container that the library would have here for such raw columns."""
        return taken(self.build(columns), self.places)


@dataclass(frozen=True)
class Frame:
    """Columns by name. ``probes[source]`` holds the rows of each code of a raw column, as the library has them here.

    ``is_vector`` says that one column was taken by its bare name: the library hands it on with one axis. ``made`` is
    told of raw columns, as callers send them.
    """

    parts: Sequence[Part]
    probes: Mapping[str, Any]
    codes: Codes
    is_vector: bool = False
    made: Optional[Made] = None

    @property
    def names(self) -> List[str]:
        """The names of the columns, in order."""
        return [part.name for part in self.parts]

    @property
    def has_codes(self) -> bool:
        """True when a column is coded."""
        return any(part.source is not None and part.value is None for part in self.parts)

    @property
    def has_texts(self) -> bool:
        """True when what a coded column holds by now is no number."""
        return any(part.value is None and not self._is_numeric(i) for i, part in enumerate(self.parts))

    @property
    def is_all_codes(self) -> bool:
        """True when each column is coded."""
        return all(part.value is None for part in self.parts)

    def _is_numeric(self, place: int) -> bool:
        rows = self.probes[str(self.parts[place].source)]
        if getattr(getattr(rows, "dtype", None), "kind", "") in "iufb" and not hasattr(rows, "iloc"):
            return True  # of a wide sparse matrix, columns are slow to take
        column = columns_of(taken(rows, [place]))[0]
        try:
            column.astype(np.float64)
        except (TypeError, ValueError):
            return False
        return True

    def select(self, places: Sequence[int], *, is_vector: bool = False) -> Frame:
        """Return some columns, in that order."""
        parts = [self.parts[i] for i in places]
        wanted = {part.source for part in parts}
        probes = as_probes(self.probes).of(wanted).taken(places)
        made = self.made and replace(self.made, places=[self.made.places[i] for i in places])
        return Frame(parts, probes, self.codes, is_vector, made)


def as_value(rows: Any, step: str) -> Value:
    """Return rows as one matrix of numbers, in the dtype that numpy would choose. Raises Cannot for texts and dates."""
    if isinstance(rows, Value):
        return rows
    if not rows.parts:
        raise Cannot(f"no column reaches its {step}")
    for part in rows.parts:
        if part.is_date:
            raise Cannot(f"dates (column {part.name}) reach its {step}")
        if part.value is None and part.is_open:
            raise Cannot(f"numbers and texts reach its {step} together (column {part.name})")
    pieces, order = _pieces(rows, step)
    joined = concat(pieces).astype(_dtype(rows))
    is_moved = order != sorted(order)
    value = joined.columns(np.argsort(order)) if is_moved else joined
    return value.sparse(bool(rows.probes) and all(hasattr(p, "tocsr") for p in rows.probes.values()))


def lookup(table: Any, code: Value) -> Value:
    """Return the rows of a table ``(codes, k)``, which may be sparse, at the codes ``(n,)``: ``(n, k)``."""
    if table.shape[1] > WIDE:
        places = _hot(table)
        if places is not None:
            place = gather(places, code).unsqueezed(1)
            return place.equals(np.arange(table.shape[1], dtype=np.int64)[None]).astype(table.dtype)
    return gather(table.toarray() if hasattr(table, "toarray") else table, code)


def _hot(table: Any) -> Optional[Any]:
    """Return where the one of each row is, -1 for a row of zeros; None when a table holds anything else."""
    if hasattr(table, "tocsr"):
        rows = table.tocsr(copy=True)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        counts, columns, numbers = np.diff(rows.indptr), rows.indices, rows.data
    else:
        counts = np.count_nonzero(table, axis=1)
        columns = table.argmax(axis=1)[counts > 0]
        numbers = table[table != 0]
    if (counts > 1).any() or not (numbers == 1).all():
        return None
    places = np.full(len(counts), -1, np.int64)
    places[counts > 0] = columns
    return places


def _pieces(frame: Frame, step: str) -> Any:
    """Return the values to put side by side, and which columns of the frame they are in that order."""
    pieces: List[Value] = []
    order: List[int] = []
    numbers = [i for i, part in enumerate(frame.parts) if part.value is not None]
    if numbers:
        pieces += _merged([_rounded(frame.parts[i], _dtype(frame)) for i in numbers])
        order += numbers
    for source in dict.fromkeys(part.source for part in frame.parts if part.value is None):
        mine = [i for i, part in enumerate(frame.parts) if part.value is None and part.source == source]
        assert source is not None  # noqa: S101  # a part is a value or has a source
        pieces.append(lookup(_table(frame, source, mine, step), frame.codes.values[source]))
        order += mine
    return pieces, order


def _rounded(part: Part, dtype: Any) -> Value:
    """Return a column of numbers; one that the library holds as float32 among float64 is rounded first."""
    assert part.value is not None  # noqa: S101  # only numbers come here
    if part.dtype == np.float32 and part.value.dtype != np.float32 and dtype != np.float32:
        return part.value.astype(np.float32).astype(np.float64)
    return part.value


def _merged(values: Sequence[Value]) -> List[Value]:
    """Return columns as few matrices: neighbours that were picked from one matrix are picked at once."""
    merged: List[Any] = []
    for value in values:
        found = value.graph.origin(value)
        last = merged[-1] if merged else None
        if found is None:
            merged.append(value)
        elif isinstance(last, list) and last[0].name == found[0].name:
            last[1] = np.concatenate([last[1], found[1]])
        else:
            merged.append(list(found))
    return [item[0].columns(item[1]) if isinstance(item, list) else item for item in merged]


def _table(frame: Frame, source: str, places: Sequence[int], step: str) -> Any:
    """Return the numbers of some columns for each code. Raises Cannot when there are texts among them."""
    rows = taken(frame.probes[source], places)
    if hasattr(rows, "tocsr"):
        table = rows.astype(_number(rows.dtype))
        if len(places) > WIDE and _hot(table) is not None:
            return table  # only the places of its ones are written
        rows = table
    checked_size(source, height(rows), len(places))
    if is_matrix(rows):
        return rows.astype(_number(rows.dtype))
    try:
        return np.column_stack([column.astype(_number(column.dtype)) for column in columns_of(rows)])
    except (TypeError, ValueError) as error:
        raise Cannot(f"texts (column {frame.parts[places[0]].name}) reach its {step}") from error


def _number(dtype: Any) -> Any:
    return dtype if dtype.kind == "f" and dtype.itemsize >= 4 else np.dtype(np.float64)


def _dtype(frame: Frame) -> Any:
    """Return the dtype of the matrix that the library makes of the columns: floats as they are, all else float64."""
    found = np.result_type(*[part.dtype if part.dtype.kind in "iufb" else np.float64 for part in frame.parts])
    return _number(found)
