"""Edges: rows at the rim of what columns hold. Missing cells, unknown categories, infinity, the ends of the calendar.

Each row is a real one with few cells changed, so that the rest of it leads where models decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from boucle.core.coding import Coding, Limit
from boucle.core.table import Column, Table, missing_mask

UNKNOWN = "\x00 a value that no vocabulary holds"
SINGLE_MAX = 3.4028234663852886e38  # the largest float32
SINGLE_TOP = 3.4028235677973362e38  # the largest double that still becomes it
HUGE = 1e300
MEASURED = 2.0**64  # limits beyond it are coarse, as powers of two are: what lies just beyond may be taken
_MOST_VALUES = 100  # of one vocabulary
_TINY = (0.0, -0.0, 5e-324, -5e-324, 1e-300, -1e-300, 1e-45, -1e-45)
_INSTANTS = (
    "1969-12-31T23:59:59.999999",
    "1970-01-01T00:00:00",
    "1999-12-31T23:59:59.999999",
    "2000-02-29T12:00:00",
    "2024-02-29T23:59:59.999999",
    "2024-12-30T00:00:00.000001",
    "2027-01-01T03:00:00.5",
    "1901-03-01T00:00:00",
    "2099-12-31T23:00:00",
)

Change = Mapping[str, Any]
"""New cells of one row by column: None for a missing one, microseconds since 1970 for an instant."""


def edge_rows(rows: Table, coding: Coding, rng: Any, most: int) -> Table:
    """Return at most ``most`` rows, each a real one with a cell (or all of a kind) at an edge."""
    changes: list[Change] = []
    for name, column in rows.columns.items():
        changes += [{name: cell} for cell in edge_cells(name, column, coding, rng)]
    together = _together(rows, coding)
    if len(changes) + len(together) > most:
        chosen = rng.permutation(len(changes))[: max(0, most - len(together))]
        changes = [changes[i] for i in sorted(chosen.tolist())]
    changes = [*together, *changes][:most]
    return changed(rows, rng.integers(0, rows.n_rows, len(changes)), changes)


def mixed_rows(rows: Table, rng: Any, n_rows: int) -> Table:
    """Return rows in which each column takes a cell of any real row."""
    return Table(
        {name: rows.select([name]).take(rng.integers(0, rows.n_rows, n_rows)).columns[name] for name in rows.names}
    )


def changed(rows: Table, positions: Any, changes: Sequence[Change]) -> Table:
    """Return the rows at ``positions``, each with its cells changed."""
    by_column: dict[str, list[tuple[int, Any]]] = {}
    for place, change in enumerate(changes):
        for name, cell in change.items():
            by_column.setdefault(name, []).append((place, cell))
    columns = dict(rows.take(np.asarray(positions, dtype=np.int64)).columns)
    for name, cells in by_column.items():
        columns[name] = placed(columns[name], [place for place, _cell in cells], [cell for _place, cell in cells])
    return Table(columns)


def placed(column: Column, places: Any, cells: Any) -> Column:
    """Return a column with other cells at some places."""
    kind, values, missing = column
    values = values.copy()
    if kind == "float":
        values[places] = [np.nan if cell is None else cell for cell in cells]
    elif kind == "datetime":
        instants = [np.iinfo(np.int64).min if cell is None else cell for cell in cells]
        values[places] = np.array(instants, dtype=np.int64).view("datetime64[us]")
    elif kind == "text":
        values[places] = np.array([*cells, None], dtype=object)[:-1]
    else:
        missing = missing_mask(column).copy()
        missing[places] = [cell is None for cell in cells]
        values[places] = np.array([0 if cell is None else cell for cell in cells], dtype=values.dtype)
        missing = missing if missing.any() else None
    return Column(kind, values, missing)


def edge_cells(name: str, column: Column, coding: Coding, rng: Any) -> list[Any]:
    """Return cells at the edges of a column: those that the model takes, and one that it refuses."""
    present = column.values[~missing_mask(column)]
    limit = coding.limits.get(name, Limit())
    vocabulary = list(coding.vocabularies.get(name, ()))
    if column.kind == "text":
        return _texts(vocabulary or sorted(set(present.tolist())), rng)
    if column.kind == "bool":
        return [False, True, None]
    if column.kind == "datetime":
        return _instants(present, limit)
    if name in coding.vocabularies:
        return [*_few(vocabulary, rng), *_beyond_vocabulary(vocabulary, column.kind, limit), None]
    within = (_whole if column.kind == "int" else _numbers)(present)
    taken = [cell for cell in within if limit.lowest <= cell <= limit.highest]
    return [*taken, *_at_limits(limit, column.kind, rng)]


def _texts(known: Sequence[Any], rng: Any) -> list[Any]:
    strange = [UNKNOWN, "", " ", "unseen", None]
    if known:
        some = str(known[0])
        strange += [text for text in (some.upper(), some.lower(), some + " ", some[:-1]) if text not in known]
    return [*_few(known, rng), *strange]


def _few(values: Sequence[Any], rng: Any) -> list[Any]:
    if len(values) <= _MOST_VALUES:
        return list(values)
    return [values[i] for i in rng.permutation(len(values))[:_MOST_VALUES].tolist()]


def _beyond_vocabulary(vocabulary: Sequence[Any], kind: str, limit: Limit) -> list[Any]:
    """Return numbers that a vocabulary of numbers does not hold."""
    top = max([abs(value) for value in vocabulary], default=0)
    if kind == "int":
        return [int(top) + 1, -int(top) - 1, int(top) + 2]
    found = [float(top) + 1.0, float(top) + 0.5, float(np.nextafter(top, np.inf)), np.inf]
    return [cell for cell in found if cell <= limit.highest] + ([np.inf] if limit.highest < np.inf else [])


def _numbers(present: Any) -> list[float]:
    ends = [float(present.min()), float(present.max())] if len(present) else []
    ends = [x for x in ends if np.isfinite(x)]
    beside = [float(np.nextafter(x, to)) for x in ends for to in (-np.inf, np.inf)]
    single = [SINGLE_MAX, float(np.nextafter(SINGLE_MAX, 0)), float(np.nextafter(SINGLE_MAX, np.inf)), 3.5e38, HUGE]
    return [*_TINY, *ends, *beside, *single, *(-x for x in single), np.inf, -np.inf]


def _whole(present: Any) -> list[int]:
    ends = [int(present.min()), int(present.max())] if len(present) else [0]
    found = {0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)}
    found |= {end + step for end in ends for step in (-1, 0, 1) if abs(end) < 2**62}
    return sorted(found)


def _at_limits(limit: Limit, kind: str, rng: Any) -> list[Any]:
    """Return the limits themselves, and one cell that is refused of those just beyond, infinite or missing."""
    refused: list[Any] = [] if limit.takes_missing else [None]
    taken: list[Any] = [None] if limit.takes_missing else []
    for bound, to in ((limit.lowest, -np.inf), (limit.highest, np.inf)):
        if not np.isfinite(bound):
            continue
        taken.append(int(bound) if kind == "int" else bound)
        if kind == "float":
            refused.append(to)
        if not _is_coarse(bound):
            taken.append(int(bound + np.sign(to)) if kind == "int" else float(np.nextafter(bound, to)))
    return taken + [refused[i] for i in rng.permutation(len(refused))[:1].tolist()]


def _is_coarse(bound: float) -> bool:
    return abs(bound) >= MEASURED or (abs(bound) > 1.0 and abs(np.frexp(bound)[0]) == 0.5)


def _instants(present: Any, limit: Limit) -> list[Any]:
    known = [int(x) for x in (present.min().astype(np.int64), present.max().astype(np.int64))] if len(present) else []
    odd = [int(np.datetime64(text, "us").astype(np.int64)) for text in _INSTANTS]
    around = [x + step for x in known for step in (-1, 0, 1)]
    return [x for x in (*odd, *around) if limit.lowest <= x <= limit.highest] + [None]


def _together(rows: Table, coding: Coding) -> list[Change]:
    """Return what happens to many columns at once: all missing, all of a kind missing, all texts unknown."""
    may = [name for name in rows.names if coding.limits.get(name, Limit()).takes_missing]
    may = [name for name in may if not _refuses_missing(name, coding)]
    texts = [name for name in may if rows.columns[name].kind == "text"]
    numbers = [name for name in may if rows.columns[name].kind in ("int", "float")]
    known = [name for name in texts if len(coding.vocabularies.get(name, ())) not in coding.refused.get(name, ())]
    found = [dict.fromkeys(names) for names in (may, texts, numbers) if names]
    return [*found, *([dict.fromkeys(known, UNKNOWN)] if known else [])]


def _refuses_missing(name: str, coding: Coding) -> bool:
    return len(coding.vocabularies.get(name, ())) + 1 in coding.refused.get(name, ())
