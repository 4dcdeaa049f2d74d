"""Functions of dates that users wrote: run on instants of all kinds and recognised, column by column, or refused.

Nobody can prove what code does by running it. But a column that is a table of the hour, or a straight line of the
days, on twenty thousand instants (each day of 36 years, each minute of the day, ends of months, leap days, in batches
and one by one) is that for all that a model will see; and every deployment is compared with the model once more.
"""

from __future__ import annotations

import types
import warnings
from dataclasses import replace
from typing import Any, Dict, List, Optional

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.instants import DAY, MISSING
from boucle_worker.describe.families.recognition import Formula, Probes, recognised, written
from boucle_worker.describe.formulas import cos, is_nan, refusing, sin, where
from boucle_worker.describe.frame import Frame, Part, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.probes import columns_of, is_missing
from boucle_worker.describe.tables import answers
from boucle_worker.describe.writer import Rows, Transform, Writer
from boucle_worker.frames import Column, Columns

_CLOCKS = {"now", "today", "utcnow", "time", "localtime", "gmtime", "monotonic", "random", "choice", "rand", "randn"}
_FEW = 8
_SINGLE = 24  # rows asked one by one
_TOGETHER = 2000  # rows asked once more in another company


def probed(transformer: Any, x: Frame, what: str) -> Frame:
    """Return what a transformer of unknown code makes of raw columns, recognised on probes. Raises Cannot.

    Each column of its answer must be a column of the rows as it came, a part of an instant (any table of a small one,
    a straight line or a wave of a large one), or a straight line of the time between two instants.
    """
    _refuse_clocks(getattr(transformer, "func", None), what)
    asked = _Asked(transformer, x, what)
    asked.check_rows()
    texts = asked.texts()
    found: Dict[str, Formula] = {}
    for name, cells in asked.batch.items():
        if name not in texts:
            formula = recognised(cells, asked.probes)
            if formula is None:
                raise Cannot(f"{what} makes column {name} in a way that is not recognised")
            found[name] = formula
    values = asked.with_missing(found)
    was = {part.name: part for part in x.parts}
    parts = []
    for name, cells in asked.batch.items():
        if name in texts:
            parts.append(texts[name])
        elif found[name].is_copy:
            parts.append(replace(was[found[name].owners[0]], name=name, value=values[name]))
        else:
            parts.append(Part(name, cells.dtype, values[name].astype(cells.dtype)))
    return Frame(parts, asked.code_rows, x.codes)


class _Asked:
    """A transformer and what it is asked: rows whose dates and numbers vary each by itself, the texts as they are.

    ``batch`` holds its answers by the name of their column.
    """

    def __init__(self, transformer: Any, frame: Frame, what: str) -> None:
        if frame.made is None:
            raise Cannot(f"{what} takes columns that another step made")
        self.transformer, self.frame, self.what, self.made = transformer, frame, what, frame.made
        self.code_rows: Dict[str, Any] = {}
        moments, random = instants(), np.random.default_rng(0)
        every = np.zeros(len(moments), np.int64)
        self.columns = {name: _taken(column, every) for name, column in self.made.first.items()}
        dates: Dict[str, Any] = {}
        numbers: Dict[str, Any] = {}
        for part in frame.parts:
            if part.is_date:
                dates[part.name] = random.permutation(moments)
                self.columns[part.name] = Column("datetime", dates[part.name].view("datetime64[us]"))
            elif part.value is not None:
                column = _numbers(self.made.first[part.name].kind, len(moments), random)
                self.columns[part.name] = column
                numbers[part.name] = column.values.astype(part.dtype).astype(np.float64)
        self.probes = Probes(dates, numbers)
        self.batch = self._answer(self.columns)

    def check_rows(self) -> None:
        """Raise Cannot unless the answer to a row hangs on that row alone."""
        rows = np.random.default_rng(1).permutation(len(next(iter(self.columns.values())).values))[:_TOGETHER]
        asked = [rows, *(rows[i : i + 1] for i in range(_SINGLE))]
        for some in asked:
            told = self._answer(self._rows(some))
            if list(told) != list(self.batch) or any(not _same(told[n], self.batch[n][some]) for n in told):
                raise Cannot(f"{self.what} looks at other rows too")

    def texts(self) -> Dict[str, Part]:
        """Return the columns of texts that are handed on as they are. Raises Cannot when texts are changed."""
        texts: Dict[str, Part] = {}
        for source, rows in self.frame.probes.items():
            made = answers(type(self.transformer).__name__, self.transformer, self.frame, source)
            self.code_rows[source] = made
            was = dict(zip(self.frame.names, columns_of(rows)))
            mine = [part for part in self.frame.parts if part.source == source and part.value is None]
            for name, cells in zip(self.batch, columns_of(made)):
                copied = [part for part in mine if _is_copy(was[part.name], cells)]
                if copied and _is_one(self.batch[name]):
                    texts[name] = replace(copied[0], name=name)
                elif mine and not _is_one(cells):
                    raise Cannot(f"{self.what} changes texts (column {name})")
        return texts

    def with_missing(self, found: Dict[str, Formula]) -> Dict[str, Value]:
        """Return the values of recognised columns, with what the transformer answers to missing cells.

        The graph fails where the transformer raises.
        """
        inputs = {part.name: part.value for part in self.frame.parts if part.value is not None}
        told = {owner: self._without(owner) for owner in inputs if self.columns[owner].kind in ("datetime", "float")}
        values = {name: inputs[formula.owners[0]] for name, formula in found.items() if formula.is_copy}
        for owners in dict.fromkeys(formula.owners for formula in found.values() if not formula.is_copy):
            mine = {name: f for name, f in found.items() if f.owners == owners and not f.is_copy}
            names, matrix = written(mine, inputs)
            for owner in owners:
                answer = told[owner]
                if answer is not None:
                    gone = np.array([[answer[name][0] for name in names]], np.float64)
                    matrix = where(inputs[owner].equals(MISSING), gone, matrix)
            values.update({name: matrix.column(j) for j, name in enumerate(names)})
        for owner, answer in told.items():
            if answer is None:
                is_gone = inputs[owner].equals(MISSING) if owner in self.probes.dates else is_nan(inputs[owner])
                values = {name: refusing(value, is_gone) for name, value in values.items()}
            else:
                self._check_missing(owner, [name for name in found if owner in found[name].owners], answer)
        return values

    def _without(self, owner: str) -> Optional[Dict[str, Any]]:
        """Return the answers to a few rows without that cell; None when the transformer raises."""
        columns = self._rows(np.arange(_FEW))
        kind = columns[owner].kind
        nothing = np.datetime64("NaT", "us") if kind == "datetime" else np.nan
        columns[owner] = Column(kind, np.full(_FEW, nothing))
        try:
            return self._transformed(columns)
        except Exception:  # noqa: BLE001  # the code of others may raise anything
            return None

    def _check_missing(self, owner: str, mine: List[str], told: Dict[str, Any]) -> None:
        """Raise Cannot unless a missing cell has one answer in the columns that hang on it, and none elsewhere."""
        for name, usual in self.batch.items():
            is_good = _is_one(told[name]) if name in mine else _same(told[name], usual[:_FEW])
            if name in mine and owner in self.probes.numbers:
                is_good = told[name].dtype.kind == "f" and bool(np.isnan(told[name]).all())
            if not is_good:
                raise Cannot(f"{self.what} answers rows without {owner} in a way of its own (column {name})")

    def _rows(self, rows: Any) -> Columns:
        return {name: _taken(column, rows) for name, column in self.columns.items()}

    def _answer(self, columns: Columns) -> Dict[str, Any]:
        try:
            return self._transformed(columns)
        except Exception as error:  # as above
            raise Cannot(f"{self.what} fails on dates between 1900 and 2100 ({type(error).__name__})") from error

    def _transformed(self, columns: Columns) -> Dict[str, Any]:
        rows = self.made.rows(columns)
        is_series = self.frame.is_vector and hasattr(rows, "iloc")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were the author's to read
            answer = self.transformer.transform(rows.iloc[:, 0] if is_series else rows)
        if getattr(answer, "ndim", 2) == 1:
            answer = answer.to_frame() if hasattr(answer, "to_frame") else np.asarray(answer)[:, None]
        cells = columns_of(answer)
        told = getattr(answer, "columns", None)
        names = [str(name) for name in told] if told is not None else [f"x{j}" for j in range(len(cells))]
        if len(set(names)) != len(names):
            raise ValueError(f"two columns of one name: {names}")
        return {name: _floats(column) for name, column in zip(names, cells)}


def instants() -> Any:
    """Return the probes: microseconds since 1970 of some twenty thousand instants between 1900 and 2100."""
    random = np.random.default_rng(7)
    daily = np.arange("2000-01-01", "2036-01-01", dtype="datetime64[D]").astype(np.int64)
    sparse = np.arange("1900-01-01", "2100-12-31", 17, dtype="datetime64[D]").astype(np.int64)
    years = np.arange("1970", "2101", dtype="datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    edges = np.concatenate([years + k for k in (-5, -4, -3, -2, -1, 0, 1, 2, 3, 57, 58, 59, 60, 119, 120)])
    whole = np.concatenate([daily, sparse, edges])
    minutes = np.resize(random.permutation(1440), len(whole))
    spread = whole * DAY + minutes * (DAY // 1440) + random.integers(0, DAY // 1440, len(whole))
    midnights = np.concatenate([whole[::40] * DAY, whole[::40] * DAY - 1, whole[::41] * DAY + DAY // 2])
    return np.concatenate([spread, midnights]).astype(np.int64)


def _floats(cells: Any) -> Any:
    """Return cells as numbers where they are, instants and texts as they are."""
    if cells.dtype.kind in "MmU":
        return cells
    if cells.dtype == np.float32:
        return cells
    try:
        return cells.astype(np.float64)
    except (TypeError, ValueError):
        pass
    try:
        return np.array([np.nan if is_missing(cell) else float(cell) for cell in cells], np.float64)
    except (TypeError, ValueError):
        return cells.astype(object)


def _same(one: Any, other: Any) -> bool:
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return bool(np.array_equal(one, other, equal_nan=True))
    return len(one) == len(other) and bool(np.all(one == other))


def _is_one(cells: Any) -> bool:
    first = cells[0]
    if is_missing(first):
        return all(is_missing(cell) for cell in cells.tolist())
    return bool(np.all(cells == first))


def _is_copy(one: Any, other: Any) -> bool:
    pairs = zip(one.tolist(), other.tolist())
    return all((is_missing(a) and is_missing(b)) or (type(a) is type(b) and a == b) for a, b in pairs)


def _taken(column: Column, rows: Any) -> Column:
    missing = None if column.missing is None else column.missing[rows]
    return Column(column.kind, column.values[rows], missing)


def _numbers(kind: str, n_rows: int, random: Any) -> Column:
    """Return numbers of all sizes: what is handed on unchanged shows, what is cut or rounded too."""
    if kind == "bool":
        return Column("bool", random.integers(0, 2, n_rows).astype(np.bool_))
    if kind == "int":
        return Column("int", (random.normal(size=n_rows) * 10.0 ** random.integers(0, 15, n_rows)).astype(np.int64))
    return Column("float", random.normal(size=n_rows) * 10.0 ** random.integers(-12, 30, n_rows))


def _refuse_clocks(function: Any, what: str) -> None:
    """Raise Cannot when the code, or a function beside it, asks a clock or draws: no probe would show it."""
    waiting, seen = [function], set()
    while waiting:
        asked = waiting.pop()
        for code in _codes(getattr(asked, "__code__", None)):
            if code in seen:
                continue
            seen.add(code)
            asks = [name for name in code.co_names if name in _CLOCKS]
            if asks:
                raise Cannot(f"{what} asks for {asks[0]}(), which is never the same")
            beside = [getattr(asked, "__globals__", {}).get(name) for name in code.co_names]
            waiting += [f for f in beside if getattr(f, "__module__", None) == asked.__module__]


def _codes(code: Any) -> List[Any]:
    """Return a code and those of the functions defined in it."""
    if code is None:
        return []
    return [code] + [c for inner in code.co_consts if isinstance(inner, types.CodeType) for c in _codes(inner)]


def cyclical_features(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return the columns, then ``sin`` and ``cos`` of ``x 2 pi / max`` of each variable."""
    if not isinstance(x, Frame):
        raise Cannot("its CyclicalFeatures takes columns without names")
    made: List[Part] = []
    for variable in estimator.variables_:
        part = x.parts[x.names.index(str(variable))]
        column = as_value(Frame([part], x.probes, x.codes), "CyclicalFeatures").astype(np.float64)
        angle = column * (2.0 * np.pi / float(estimator.max_values_[variable]))
        made.append(Part(f"{variable}_sin", np.dtype(np.float64), sin(angle)))
        made.append(Part(f"{variable}_cos", np.dtype(np.float64), cos(angle)))
    dropped = {str(variable) for variable in estimator.variables_} if estimator.drop_original else set()
    return Frame([part for part in x.parts if part.name not in dropped] + made, x.probes, x.codes)


def datetime_features(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return the parts of the dates, found by running the transformer on probes."""
    name = type(estimator).__name__
    if not isinstance(x, Frame):
        raise Cannot(f"its {name} takes columns without names")
    return probed(estimator, x, f"its {name}")


TRANSFORMS: Dict[str, Transform] = {
    "CyclicalFeatures": cyclical_features,
    "DatetimeFeatures": datetime_features,
    "DatetimeSubtraction": datetime_features,
}
RAW = tuple(TRANSFORMS)
