"""The grids of a version: of its traffic, of the rows it is asked about, of what it answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from boucle.core.answer import Answer
from boucle.core.counting import count, level_of
from boucle.core.freezing import MOST_LEVELS, WORDS_FROM, edges_of, freeze, level_part
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.table import Column, Table

LATENCY, OUTCOME = "latency_ms", "outcome"
OUTCOMES = ("answered", "refused", "failed", "lost")
PREDICTION, PROBABILITY, WIDTH = "prediction", "probability", "interval_width"
MOST_CLASSES = 20
_SHARES = tuple(place / 100 for place in range(1, 100))


def traffic_grid() -> Grid:
    """Return the grid of requests: ``latency_ms`` from 0.05 ms to 60 s in steps of 6 %, and ``outcome``.

    It is the same for all versions, so that their traffic can be added up.
    """
    edges = tuple(float(f"{edge:.4g}") for edge in np.geomspace(0.05, 60_000.0, 241).tolist())
    return Grid((Part(LATENCY, "number", edges=edges), Part(OUTCOME, "level", levels=OUTCOMES)))


def features_reference(schema: Schema, table: Table) -> tuple[Grid, Profile]:
    """Return the grid frozen on the reference rows, and their profile on it.

    The vocabulary of free text is that of every other row. Those rows themselves are counted with the words of the
    rows between: a word of a reference row must not be known because of that row alone, or else any new row would
    seem to hold more unknown words than the reference (cross-fitting).
    """
    grid = freeze(table, schema)
    if table.n_rows <= WORDS_FROM or not any(part.aspect == "keywords" for part in grid.parts):
        return grid, count(grid, table)
    swapped = Grid(_swapped(grid, freeze(table.take(slice(1, None)), schema)))
    own = count(swapped, table.take(slice(0, None, 2)))
    return grid, count(grid, table.take(slice(1, None, 2))) + own


def _swapped(grid: Grid, other: Grid) -> tuple[Part, ...]:
    """Return the parts with the words of another grid: the same bins, another vocabulary."""
    words = {part.column: part.levels + part.others for part in other.parts if part.aspect == "keywords"}
    return tuple(
        replace(part, others=tuple(word for word in words[part.column] if word not in part.levels))
        if part.aspect == "keywords" and part.column in words
        else part
        for part in grid.parts
    )


def answers_reference(signature: Signature, answers: Table | None) -> tuple[Grid, Profile]:
    """Return the grid of answers, and the profile of the sample answers on it (empty when there are none).

    ``answers`` is a table as of :func:`answers_table`. ``prediction`` is a level for a classifier, else a number;
    ``probability.<class>`` has 100 bins of equal width (the first 20 classes); ``interval_width`` is there when the
    model answers intervals. Without sample answers numbers have bins of 15 % of their size.
    """
    held = answers.columns if answers is not None else {}
    parts = [_prediction(signature, held.get(PREDICTION))]
    if signature.probabilities:
        classes = (signature.classes or ())[:MOST_CLASSES]
        parts += [Part(PROBABILITY + "." + level_of(label), "number", edges=_SHARES) for label in classes]
    if signature.interval_level is not None:
        parts.append(Part(WIDTH, "number", edges=_number_edges(held.get(WIDTH))))
    grid = Grid(tuple(parts))
    return grid, Profile.empty(grid) if answers is None else count(grid, answers)


def answers_table(answer: Answer) -> Table:
    """Return predictions, probabilities and widths of intervals as the columns that the grid of answers counts."""
    columns = {PREDICTION: _column(answer.predictions)}
    if answer.probabilities is not None:
        shares = np.asarray(answer.probabilities, dtype=np.float64).reshape(len(answer), -1)
        for i, label in enumerate((answer.classes or [])[:MOST_CLASSES]):
            columns[PROBABILITY + "." + level_of(label)] = Column("float", shares[:, i])
    if answer.intervals is not None:
        ends = np.asarray(answer.intervals, dtype=np.float64).reshape(-1, 2)
        columns[WIDTH] = Column("float", ends[:, 1] - ends[:, 0])
    return Table(columns)


def _prediction(signature: Signature, column: Column | None) -> Part:
    if signature.task == "classification" and signature.classes is not None:
        levels = tuple(map(level_of, signature.classes))
        return Part(PREDICTION, "level", levels=levels[:MOST_LEVELS], others=levels[MOST_LEVELS:])
    if signature.task == "classification" or signature.prediction_kind in ("text", "bool"):
        cells = [] if column is None else column.values.tolist()
        return level_part(PREDICTION, Counter(level_of(cell) for cell in cells if cell is not None))
    return Part(PREDICTION, "number", edges=_number_edges(column))


def _number_edges(column: Column | None) -> tuple[float, ...]:
    found = () if column is None or column.kind not in ("int", "float") else edges_of(column.values)
    if found:
        return found
    sizes = [float(f"{edge:.4g}") for edge in np.geomspace(1e-4, 1e9, 214).tolist()]
    return (*(-size for size in reversed(sizes)), 0.0, *sizes)


def _column(predictions: Any) -> Column:
    """Return predictions as a column: numbers when all are, else texts."""
    values = np.asarray(predictions)
    if values.dtype.kind in "iu":
        return Column("int", values.astype(np.int64))
    if values.dtype.kind == "f":
        return Column("float", values.astype(np.float64))
    if values.dtype.kind == "b":
        return Column("bool", values)
    cells = [None if cell is None else level_of(cell) for cell in values.tolist()]
    return Column("text", np.array(cells, dtype=object))
