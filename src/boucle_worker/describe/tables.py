"""What fitted transformers make of codes: found by running them on the rows of each code."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, List, Sequence

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.frame import Frame, Grow, Part, columns_of

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
    for part in frame.parts:
        if part.value is not None and part.source is None:
            raise Cannot(f"column {part.name} reaches its {name} together with texts")
        if part.value is not None and part.source not in frame.codes.vocabularies:
            assert part.source is not None  # noqa: S101  # just seen
            raise Grow(part.source, [])
    _grow(transformer, frame)
    sources = dict.fromkeys(part.source for part in frame.parts)
    outs: Dict[Any, Any] = {source: answers(name, transformer, frame, source) for source in sources}
    found: Dict[Any, List[Any]] = {source: columns_of(rows) for source, rows in outs.items()}
    width = max(map(len, found.values()))
    names = _names(next(iter(outs.values())), width)
    parts = []
    for j in range(width):
        owner = _owner(found, j, name)
        was = [part for part in frame.parts if part.source == owner]
        is_open = any(part.is_open for part in was) and name not in ENCODERS
        parts.append(Part(names[j], found[owner][j].dtype, None, owner, is_open))
    return Frame(parts, outs, frame.codes)


def _grow(transformer: Any, frame: Frame) -> None:
    """Raise Grow when the transformer names values that the vocabulary of their column lacks."""
    categories = getattr(transformer, "categories_", None)
    told: List[Sequence[Any]] = list(categories) if categories is not None else []
    if len(told) != len(frame.parts):
        told = [[] for _part in frame.parts]
    mark = getattr(transformer, "missing_values", None)
    for part, values in zip(frame.parts, told):
        assert part.source is not None  # noqa: S101  # each was seen to have one
        wanted = [_plain(value) for value in [*values, mark] if not is_missing(value)]
        known = set(frame.codes.vocabularies[part.source])
        lacking = [value for value in wanted if value not in known and (part.is_open or isinstance(value, str))]
        if lacking:
            raise Grow(part.source, lacking)


def answers(name: str, transformer: Any, frame: Frame, source: Any) -> Any:
    """Return the transformer's answer to the rows of each code; codes on which it raises are remembered as refused."""
    rows = frame.probes[source]
    with contextlib.suppress(Exception):  # a transformer may raise anything at a value it refuses
        return transformer.transform(rows)
    answered: Dict[int, Any] = {}
    n_codes = len(frame.codes.vocabularies[source]) + 2
    cause: Exception = ValueError("no row")
    for code in range(n_codes):
        try:
            answered[code] = transformer.transform(_row(rows, code))
        except Exception as error:  # noqa: BLE001  # as above
            cause = error
    if not answered:
        raise Cannot(f"its {name} refuses every value of column {source}") from cause
    frame.codes.refuse(source, [code for code in range(n_codes) if code not in answered])
    fallback = next(iter(answered.values()))
    return _stacked([answered.get(code, fallback) for code in range(n_codes)])


def _row(container: Any, index: int) -> Any:
    if hasattr(container, "iloc"):
        return container.iloc[[index]]
    return container[[index]]


def _stacked(rows: List[Any]) -> Any:
    first = rows[0]
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat(rows, ignore_index=True)
    if type(first).__module__.split(".")[0] == "polars":
        import polars as pl

        return pl.concat(rows)
    if hasattr(first, "tocsr"):
        import scipy.sparse

        return scipy.sparse.vstack(rows).tocsr()
    return np.concatenate(rows)


def _owner(found: Dict[Any, List[Any]], j: int, name: str) -> Any:
    """Return the raw column on which column j of the output hangs. Raises Cannot when there are two."""
    owners = [source for source, columns in found.items() if not _is_constant(columns[j])]
    if len(owners) > 1:
        raise Cannot(f"its {name} mixes the columns {' and '.join(map(str, owners[:2]))}")
    return owners[0] if owners else next(iter(found))


def _is_constant(column: Any) -> bool:
    first = column[0]
    if is_missing(first):
        return all(is_missing(cell) for cell in column)
    return all(not is_missing(cell) and bool(cell == first) for cell in column.tolist())


def _names(container: Any, width: int) -> List[str]:
    columns = getattr(container, "columns", None)
    return [str(column) for column in columns] if columns is not None else [f"x{j}" for j in range(width)]


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT and NA."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)  # NaN is not itself


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
