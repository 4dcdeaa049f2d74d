"""What fitted transformers make of codes: found by running them on the rows of each code."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.frame import Frame, Grow, Part
from boucle_worker.describe.probes import (
    Batch,
    Probes,
    as_probes,
    checked_size,
    dtypes_of,
    is_missing,
    rows_of,
    stacked,
    varying,
    width,
)

ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
COLUMNWISE = (
    *ENCODERS,
    "SimpleImputer",
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "VarianceThreshold",
    "SelectKBest",
    "SelectPercentile",
    "PowerTransformer",
    "QuantileTransformer",
    "KBinsDiscretizer",
)


def is_tabular(name: str, transformer: Any, frame: Frame) -> bool:
    """Return True for a frame whose codes tell all: texts are there, or every column is coded.

    So are raw numbers before an encoder that raises at unknown ones: callers then learn which cell was refused.
    """
    if name in ENCODERS and getattr(transformer, "handle_unknown", "") == "error":
        is_raw = all(part.source is not None for part in frame.parts)
        return is_raw and not any(part.dtype == np.float32 for part in frame.parts)
    return frame.has_codes and (frame.is_all_codes or frame.has_texts)


def tabulate(name: str, transformer: Any, frame: Frame) -> Frame:
    """Return the frame that a column by column transformer makes of one with codes.

    Numbers beside the codes become codes too (a passenger's class beside the port of embarkation): for good once an
    encoder takes them. Raises Grow when the transformer knows values that a vocabulary lacks, Cannot when a column of
    its output hangs on two of its input.
    """
    _grow(name, transformer, frame)
    sources = list(dict.fromkeys(str(part.source) for part in frame.parts))
    probes = all_answers(name, transformer, frame, sources, _width(name, transformer, frame))
    first = probes.batches[0].rows
    owners = _owners(probes, sources, name)
    dtypes = {
        source: dtypes for batch in probes.batches for dtypes in [dtypes_of(batch.rows)] for source in batch.spans
    }
    open_sources = {part.source for part in frame.parts if part.is_open and name not in ENCODERS}
    parts = []
    for j, label in enumerate(_names(first)):
        owner = owners.get(j, sources[0])
        parts.append(Part(label, dtypes[owner][j], None, owner, owner in open_sources))
    return Frame(parts, probes, frame.codes)


def _grow(name: str, transformer: Any, frame: Frame) -> None:
    """Raise Grow when parts are not coded yet, or the transformer names values that their vocabularies lack."""
    categories = getattr(transformer, "categories_", None)
    told: List[Sequence[Any]] = list(categories) if categories is not None else []
    if len(told) != len(frame.parts):
        told = [[] for _part in frame.parts]
    mark = getattr(transformer, "missing_values", None)
    lacking: Dict[str, List[Any]] = {}
    for part, values in zip(frame.parts, told):
        if part.source is None:
            raise Cannot(f"column {part.name} reaches its {name} together with texts")
        if part.value is not None and part.source not in frame.codes.vocabularies:
            lacking.setdefault(part.source, [])
        wanted = [_plain(value) for value in [*values, mark] if not is_missing(value)]
        known = set(frame.codes.vocabularies.get(part.source, ()))
        new = [value for value in wanted if value not in known and (part.is_open or isinstance(value, str))]
        if new:
            lacking.setdefault(part.source, []).extend(new)
    if lacking:
        raise Grow(lacking)


def answers(name: str, transformer: Any, frame: Frame, source: Any) -> Any:
    """Return the transformer's answer to the rows of each code; codes on which it raises are remembered as refused."""
    return all_answers(name, transformer, frame, [source])[source]


def all_answers(name: str, transformer: Any, frame: Frame, sources: Sequence[str], n_columns: int = 1) -> Probes:
    """Return the transformer's answers to the rows of each code of some raw columns, run as seldom as can be.

    ``n_columns`` is how many columns it makes of them. Codes on which it raises are remembered as refused.
    """
    made = []
    for batch in as_probes(frame.probes).of(sources).for_width(n_columns).batches:
        try:
            rows = transformer.transform(batch.rows)
        except Exception:  # noqa: BLE001  # a transformer may raise anything at a value it refuses
            rows = _one_by_one(name, transformer, frame, batch)
        made.append(Batch(rows, batch.spans))
    return Probes(made)


def _one_by_one(name: str, transformer: Any, frame: Frame, batch: Batch) -> Any:
    """Return the answers to a batch of which some rows are refused: these get the answer to another code.

    Values beyond the vocabulary and missing cells are what an encoder refuses, so they are asked for apart.
    """
    known = [i for start, stop in batch.spans.values() for i in range(start, stop - 2)]
    pieces = _halved(transformer, batch.rows, known)
    for last in (2, 1):
        pieces += _each(transformer, batch.rows, [stop - last for _start, stop in batch.spans.values()])
    order = [i for places, _rows in pieces for i in places]
    at = {place: i for i, place in enumerate(order)}
    wanted = []
    for source, (start, stop) in batch.spans.items():
        answered = [at[i] for i in range(start, stop) if i in at]
        if not answered:
            raise Cannot(f"its {name} refuses every value of column {source}")
        frame.codes.refuse(source, [i - start for i in range(start, stop) if i not in at])
        wanted += [at.get(i, answered[0]) for i in range(start, stop)]
    return rows_of(stacked([rows for _places, rows in pieces]), wanted)


def _halved(transformer: Any, rows: Any, places: List[int]) -> List[Tuple[List[int], Any]]:
    """Return the answers to some rows, without those that are refused: looked for by halves."""
    if not places:
        return []
    with contextlib.suppress(Exception):  # as above
        return [(places, transformer.transform(rows_of(rows, places)))]
    if len(places) == 1:
        return []
    half = len(places) // 2
    return _halved(transformer, rows, places[:half]) + _halved(transformer, rows, places[half:])


def _each(transformer: Any, rows: Any, places: List[int]) -> List[Tuple[List[int], Any]]:
    """Return the answers to some rows of which all or none are likely to be refused."""
    with contextlib.suppress(Exception):  # as above
        return [(places, transformer.transform(rows_of(rows, places)))]
    singles = places if len(places) > 1 else []
    return [piece for place in singles for piece in _halved(transformer, rows, [place])]


def _owners(probes: Probes, sources: Sequence[str], name: str) -> Dict[int, str]:
    """Return the raw column on which each column of the output hangs. Raises Cannot when there are two."""
    moved: Dict[str, List[int]] = {}
    for batch in probes.batches:
        moved.update(varying(batch))
    owners: Dict[int, str] = {}
    for source in sources:
        for j in moved[source]:
            if j in owners:
                raise Cannot(f"its {name} mixes the columns {owners[j]} and {source}")
            owners[j] = source
    return owners


def _width(name: str, transformer: Any, frame: Frame) -> int:
    """Return about how many columns a transformer makes. Raises Cannot when dense ones would not fit."""
    if name != "OneHotEncoder":
        return len(frame.parts)
    n_columns = sum(map(len, transformer.categories_))
    if not getattr(transformer, "sparse_output", getattr(transformer, "sparse", True)):
        for source in dict.fromkeys(str(part.source) for part in frame.parts):
            checked_size(source, len(frame.codes.vocabularies[source]) + 2, n_columns)
    return n_columns


def _names(container: Any) -> List[str]:
    columns = getattr(container, "columns", None)
    return [str(column) for column in columns] if columns is not None else [f"x{j}" for j in range(width(container))]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
