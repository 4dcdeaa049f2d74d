"""Rows where a fitted model changes its mind: the marks of its description, sought in the raw columns by bisection."""

from __future__ import annotations

from typing import Any

import numpy as np

from boucle.adapters.onnx_writer import marked
from boucle_worker.frames import Column, Columns
from onnx_served import Served, picked, session

_HALVINGS = 70
_TRIES = 12
_HUGE = (1e9, -1e9, 1e30, -1e30)


def boundary_rows(served: Served, arrays: dict[str, Any], columns: Columns, n: int) -> Columns:
    """Return about ``n`` rows: on thresholds and up to 3 ulp beside, and with odd cells. ``columns`` are rows known."""
    rng = np.random.default_rng(3)
    near = _near_marks(served, arrays, columns, n * 3 // 4, rng)
    odd = _odd(columns, n - n * 3 // 4 if near is not None else n, served.header, rng)
    return odd if near is None else _joined(near, odd)


def _near_marks(served: Served, arrays: dict[str, Any], columns: Columns, n: int, rng: Any) -> Columns | None:
    marks = served.header["marks"]
    numbers = [name for name in served.header["inputs"].get("numbers", ()) if columns[name].kind == "float"]
    if not marks or not numbers:
        return None
    told = [(i, mark["value"], mark["column"], arrays[mark["thresholds"]]) for i, mark in enumerate(marks)]
    values = sorted({value for _i, value, _column, _thresholds in told})
    graph = session(marked(served.header, arrays))
    used = {item.name for item in graph.get_inputs()}
    size = n * _TRIES
    picks = [told[k] for k in rng.integers(0, len(told), size)]
    thresholds = np.array([rng.choice(pick[3]) for pick in picks])
    places = np.array([values.index(pick[1]) for pick in picks])
    widths = np.array([pick[2] for pick in picks])
    names = np.array(numbers)[rng.integers(0, len(numbers), size)]
    base = picked(columns, rng.integers(0, len(columns[numbers[0]].values), size))

    def side(cells: Any) -> Any:
        """Return whether the marked value is above its threshold when the chosen column holds these cells."""
        feeds = served.feeds(_with(base, names, cells))
        outputs = graph.run([f"at-{value}" for value in values], {n: a for n, a in feeds.items() if n in used})
        found = np.zeros(size)
        for k, output in enumerate(outputs):
            wide = np.asarray(output, np.float64).reshape(size, -1)
            mine = places == k
            found[mine] = wide[mine, widths[mine]]
        return found > thresholds

    low, high = (_ends(columns, names, end) for end in (np.nanmin, np.nanmax))
    is_up = side(high)
    usable = side(low) != is_up
    for _halving in range(_HALVINGS):
        middle = low + (high - low) / 2
        is_high = side(middle) == is_up
        high, low = np.where(is_high, middle, high), np.where(is_high, low, middle)
    steps = rng.integers(-3, 4, size)
    cells = high
    for _step in range(3):
        cells = np.where(steps > _step, np.nextafter(cells, np.inf), cells)
        cells = np.where(steps < -_step, np.nextafter(cells, -np.inf), cells)
    rows = np.flatnonzero(usable)[:n]
    return picked(_with(base, names, cells), rows) if len(rows) else None


def _ends(columns: Columns, names: Any, end: Any) -> Any:
    """Return the smallest or largest cell of the column chosen for each row."""
    ends = {name: float(end(columns[name].values)) for name in np.unique(names)}
    return np.array([ends[name] for name in names])


def _with(base: Columns, names: Any, cells: Any) -> Columns:
    """Return the rows with a cell of each replaced: ``cells[i]`` in column ``names[i]``."""
    replaced = dict(base)
    for name in np.unique(names):
        mine = names == name
        values = base[name].values.copy()
        values[mine] = cells[mine]
        replaced[name] = Column("float", values)
    return replaced


def _odd(columns: Columns, n: int, header: dict[str, Any], rng: Any) -> Columns:
    """Return known rows with one odd cell each: missing where rows known have it so, huge, zero, unknown."""
    size = len(next(iter(columns.values())).values)
    rows = picked(columns, rng.integers(0, size, n))
    chosen = np.array(list(columns))[rng.integers(0, len(columns), n)]
    made = {}
    for name, (kind, values, missing) in rows.items():
        cells = values.copy()
        mine = np.flatnonzero(chosen == name)
        if kind == "float":
            cells[mine] = rng.choice(_numbers(columns[name].values), len(mine))
        elif kind == "text":
            known, refused = header["vocabularies"].get(name, []), header["refused"].get(name, [])
            odd = ["", "nowhere", "NOWHERE"] if len(known) not in refused else list(known) or [values[0]]
            odd += [None] if any(cell is None for cell in columns[name].values) else []
            cells[mine] = np.array(odd, dtype=object)[rng.integers(0, len(odd), len(mine))]
        made[name] = Column(kind, cells, missing)
    return made


def _numbers(values: Any) -> Any:
    odd = [0.0, -0.0, float(np.nanmedian(values)), float(np.nanmean(values)), *_HUGE]
    if np.nanmin(values) > 0:
        odd = [abs(number) or 1e-9 for number in odd]  # a logarithm may be taken of it
    return np.array([*odd, np.nan] if np.isnan(values).any() else odd)


def _joined(one: Columns, other: Columns) -> Columns:
    return {
        name: Column(
            c.kind,
            np.concatenate([c.values, other[name].values]),
            None if c.missing is None else np.concatenate([c.missing, other[name].missing]),
        )
        for name, c in one.items()
    }
