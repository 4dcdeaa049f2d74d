"""Freezing a grid: the reference rows decide, once, into which cells all later rows are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from boucle.core.grid import MOST, Grid, Part
from boucle.core.schema import FEW_ROWS, ColumnSchema, Schema
from boucle.core.table import Column, Table, missing_mask
from boucle.core.words import words_of

MOST_BINS = 256
MOST_LEVELS = 64
MOST_OTHERS = 10_000
MOST_KEYWORDS, LEAST_HOLDERS = 50, 5  # a keyword is held by five rows: rarer ones come and go by chance
MOST_WORDS = 20_000
REPEATS = 10
WORDS_FROM = 100  # rows: with fewer, the vocabulary is that of all of them
FALSE, TRUE = "false", "true"
HOURS = tuple(f"{hour:02d}" for hour in range(24))
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def freeze(table: Table, schema: Schema) -> Grid:
    """Return the grid of the columns of a schema on the reference rows. The same rows give the same grid.

    * int and float: one bin for each distinct value while there are fewer than 256, else 256 quantile bins; and one
      bin below and one above all that the reference held. NaN and infinities count as missing.
    * bool: ``false`` and ``true``. Category, and text in which each value is seen ten times on average: the levels,
      the 64 most frequent when there are more, then ``others`` (10,000 of them).
    * other text: ``length`` in characters; ``keywords``, the 50 words that most rows hold, the rest of the vocabulary
      being ``others`` (20,000 words in all); ``unknown_words``, the share of words outside that vocabulary, which is
      that of every other row, so that the rows between tell how many unknown words are usual.
    * datetime: the value in UTC microseconds, ``hour`` and ``weekday`` in UTC.

    A column of the schema that the table lacks gets the grid of a column without values.

    >>> from boucle.core.schema import infer
    >>> table = Table({"age": Column("int", np.array([7, 41, 41]))})
    >>> freeze(table, infer(table)).parts[0].edges[1]
    24.0
    """
    return Grid(tuple(part for column in schema.columns for part in _parts(column, table.columns.get(column.name))))


def edges_of(values: Any) -> tuple[float, ...]:
    """Return the edges of a number part for the finite ones of reference values, shape ``(n,)``; () without any.

    The first edge lies just below the smallest value and the last one is the largest, so that the outer bins count
    what the reference did not reach: a constant column that becomes another one is seen, too.
    """
    numbers = np.sort(np.asarray(values, dtype=np.float64))
    numbers = np.clip(numbers[np.isfinite(numbers)], -MOST, MOST)
    if len(numbers) == 0:
        return ()
    distinct = numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])]
    if len(distinct) < MOST_BINS:
        inner = _midpoints(distinct)
    else:
        ranks = np.arange(1, MOST_BINS) * len(numbers) // MOST_BINS
        inner = np.unique(numbers[ranks - 1])
    outer = [np.nextafter(distinct[0], -np.inf), distinct[-1]]
    return tuple(np.unique(np.concatenate([outer, inner[inner < distinct[-1]]])).tolist())


def level_part(column: str, counts: Counter[str], more: Iterable[str] = ()) -> Part:
    """Return the part of levels by how often the reference held them; ``more`` are known though not counted."""
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    ordered += [level for level in more if level not in counts]
    return Part(column, "level", levels=tuple(ordered[:MOST_LEVELS]), others=tuple(ordered[MOST_LEVELS:][:MOST_OTHERS]))


def _midpoints(distinct: Any) -> Any:
    left, right = distinct[:-1], distinct[1:]
    middle = left / 2 + right / 2  # halves first: the sum of two large numbers would be infinite
    return np.where((middle >= left) & (middle < right), middle, left)


def _parts(schema: ColumnSchema, column: Column | None) -> tuple[Part, ...]:
    name = schema.name
    values: Any = np.zeros(0) if column is None else column.values[~missing_mask(column)]
    if schema.type in ("int", "float"):
        return (Part(name, "number", edges=edges_of(values)),)
    if schema.type == "bool":
        return (Part(name, "level", levels=(FALSE, TRUE)),)
    if schema.type == "category":
        return (level_part(name, Counter(values.tolist()), schema.categories or ()),)
    if schema.type == "text":
        return _text_parts(name, [] if column is None else column.values.tolist())
    stamps = values.astype("datetime64[us]").astype(np.int64) if len(values) else values
    return (
        Part(name, "number", edges=edges_of(stamps)),
        Part(name, "level", "hour", levels=HOURS),
        Part(name, "level", "weekday", levels=WEEKDAYS),
    )


def _text_parts(name: str, cells: list[str | None]) -> tuple[Part, ...]:
    texts = [cell for cell in cells if cell is not None]
    whole = Counter(texts)
    if len(texts) >= FEW_ROWS and len(whole) * REPEATS <= len(texts):
        return (level_part(name, whole),)
    counts: Counter[str] = Counter()
    for cell in cells[:: 2 if len(cells) >= WORDS_FROM else 1]:
        counts.update(set(words_of(cell or "")))
    ordered = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
    n_keywords = sum(counts[word] >= LEAST_HOLDERS for word in ordered[:MOST_KEYWORDS])
    return (
        Part(name, "number", "length", edges=edges_of([len(text) for text in texts])),
        Part(name, "number", "unknown_words", edges=tuple(place / 20 for place in range(20))),
        Part(name, "level", "keywords", levels=tuple(ordered[:n_keywords]), others=tuple(ordered[n_keywords:])),
    )
