"""Proof: a graph and the model it was made from, asked the same rows. Served by the graph is only what is proven.

Rows that the model refuses must be refused by the graph, and the other way round. A row on which both differ is asked
of the model once more, alone: where the model then answers as the graph does, it disagrees with itself (sums are
rounded in another order among a thousand rows), and neither is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from boucle.core.check import Check
from boucle.core.errors import BoucleError, InvalidRows, ModelFailed
from boucle.core.i18n import _
from boucle.core.signature import Task
from boucle.core.table import Column, Table, concat
from boucle.packaging.comparison import Comparison, Tolerance, compare, shown_answer
from boucle.packaging.ports import Predict
from boucle.packaging.proof_check import Difference, Tally, parity_of

GENERATED = "generated"
MOST_ROWS = 5000  # of one group
CHUNK = 1000  # rows asked together
MOST_REFUSED = 64  # rows of a chunk that the graph refuses, and that the model is asked about one by one
LEAST_ALONE = 16  # rows that differ: when none of them is excused, no other is asked about
MOST_DIFFERENT = 100  # rows of a chunk told apart one by one; the rest counts as it is


@dataclass(frozen=True)
class Terms:
    """What counts as equal, and how long it may take to find out.

    ``is_single`` is true of libraries that compute in single precision themselves; ``is_narrow`` of a graph that
    refuses numbers far beyond those of the sample, which is told.
    """

    task: Task
    is_single: bool = False
    is_narrow: bool = False
    budget_s: float = 3.0
    clock: Callable[[], float] = time.perf_counter

    @property
    def tolerance(self) -> Tolerance:
        """Probabilities absolute; values of a regression as part of their size, or of 1 when they are smaller."""
        is_tight = self.task == "regression" and not self.is_single
        return Tolerance(absolute=1e-9 if is_tight else 1e-6, relative=0.0)


@dataclass(frozen=True)
class Proof:
    """What came of it, by group. ``problem`` says why nothing could be compared (the graph does not run)."""

    terms: Terms
    tallies: tuple[Tally, ...]
    differences: tuple[Difference, ...] = ()
    problem: str = ""

    @property
    def is_proven(self) -> bool:
        """True when rows were asked and none differs."""
        is_asked = sum(tally.rows for tally in self.tallies) > 0
        return is_asked and not self.problem and not any(tally.differing for tally in self.tallies)

    def check(self) -> Check:
        """Return the Check ``parity``: a warning with the worst row when anything differs, never a failure."""
        found = parity_of(self.tallies, self.differences, self.terms.tolerance, self.problem)
        if not self.terms.is_narrow:
            return found
        more = _("; numbers far beyond those of the sample are refused: there the answer hangs on rounding")
        return replace(found, observed=found.observed + more)


def prove(model: Predict, graph: Predict, groups: Mapping[str, Table], terms: Terms) -> Proof:
    """Ask model and graph the rows of each group (5,000 at most), until the time is over: what is left out is told.

    ``groups`` are named ``sample``, ``reference`` and ``generated``; the first rows of each are asked in any case.
    """
    end = terms.clock() + terms.budget_s
    tallies: list[Tally] = []
    differences: list[Difference] = []
    for name, rows in groups.items():
        tally = Tally(name, is_generated=name == GENERATED)
        try:
            differences.extend(_asked(_Pair(model, graph, terms, end), rows, tally))
        except BoucleError as error:
            return Proof(terms, (*tallies, tally), tuple(differences), str(error))
        tallies.append(tally)
    return Proof(terms, tuple(tallies), tuple(differences))


@dataclass(frozen=True)
class _Pair:
    """The two that are compared, and when to stop."""

    model: Predict
    graph: Predict
    terms: Terms
    end: float

    @property
    def is_over(self) -> bool:
        return self.terms.clock() >= self.end

    def compared(self, found: Table, expected: Table) -> Comparison:
        """Compare answers of the graph with those of the model. Raises ModelFailed when their shapes differ."""
        compared = compare(
            _relative(found, expected, self.terms.task),
            _relative(expected, expected, self.terms.task),
            self.terms.task,
            self.terms.tolerance,
        )
        if compared.problem:
            raise ModelFailed(compared.problem)
        return compared


@dataclass
class _Answers:
    """Answers to some rows of a chunk, and which they are; which were refused, and which never asked."""

    answers: list[Table] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    unasked: list[int] = field(default_factory=list)


def _asked(pair: _Pair, rows: Table, tally: Tally) -> Iterator[Difference]:
    """Ask the rows of a group, chunk by chunk."""
    spread = np.unique(np.linspace(0, max(rows.n_rows - 1, 0), min(rows.n_rows, MOST_ROWS)).astype(np.int64))
    for start in range(0, len(spread), CHUNK):
        chunk = spread[start : start + CHUNK]
        if start and pair.is_over:
            tally.left_out += len(chunk)
            continue
        yield from _chunk(pair, rows.take(chunk), chunk, tally)


def _chunk(pair: _Pair, rows: Table, places: Any, tally: Tally) -> Iterator[Difference]:
    """Yield how graph and model differ on rows asked together; ``places`` are their positions in the group."""
    answered, kept, refused = _by_graph(pair.graph, rows)
    for row, given in _refused_by_one(pair, rows, refused, tally):
        tally.differing += 1
        yield Difference(tally.name, int(places[row]), _cells(rows, row), _("a refusal"), shown_answer(given, 0))
    if answered is None:
        return
    told = _Answers()
    _by_model(pair, rows, kept, told)
    tally.left_out += len(told.unasked)
    tally.rows += len(told.kept) + len(told.refused)
    at = {row: i for i, row in enumerate(kept)}
    for row in told.refused:
        tally.differing += 1
        graph = shown_answer(answered, at[row])
        yield Difference(tally.name, int(places[row]), _cells(rows, row), graph, _("a refusal"))
    if told.kept:
        mine = answered.take(np.array([at[row] for row in told.kept]))
        yield from _different(pair, rows, (mine, told), places, tally)


def _different(
    pair: _Pair, rows: Table, answers: tuple[Table, _Answers], places: Any, tally: Tally
) -> Iterator[Difference]:
    """Yield the rows that both answer, each otherwise; those on which the model disagrees with itself are counted."""
    mine, told = answers
    theirs = concat(told.answers)
    compared = pair.compared(mine, theirs)
    excused = _excused(pair, rows, (mine, told), compared)
    tally.excused += len(excused)
    wrong = [i for i in compared.rows if i not in excused]
    labels = set(compared.label_rows)
    tally.differing += len(wrong)
    tally.labels += len(labels & set(wrong))
    if not excused:
        tally.largest = max(tally.largest, compared.largest)
    else:
        agreeing = np.array([i for i in range(mine.n_rows) if i not in excused], dtype=np.int64)
        tally.largest = max(tally.largest, pair.compared(mine.take(agreeing), theirs.take(agreeing)).largest)
    for i in sorted(wrong, key=lambda i: (i not in labels, i != compared.largest_row))[:MOST_DIFFERENT]:
        row, one = told.kept[i], np.array([i])
        gap = np.inf if i in labels else pair.compared(mine.take(one), theirs.take(one)).largest
        yield Difference(
            tally.name, int(places[row]), _cells(rows, row), shown_answer(mine, i), shown_answer(theirs, i), gap
        )


def _excused(pair: _Pair, rows: Table, answers: tuple[Table, _Answers], compared: Comparison) -> set[int]:
    """Return which of the rows that differ the model answers as the graph does when it is asked them alone."""
    mine, told = answers
    excused: set[int] = set()
    for n_asked, i in enumerate(compared.rows[:MOST_DIFFERENT]):
        if pair.is_over or (n_asked >= LEAST_ALONE and not excused):
            break
        try:
            alone = pair.model(rows.take(np.array([told.kept[i]])))
        except ModelFailed:
            continue
        if pair.compared(mine.take(np.array([i])), alone).is_same:
            excused.add(i)
    return excused


def _by_graph(graph: Predict, rows: Table) -> tuple[Table | None, list[int], list[int]]:
    """Return the graph's answers, the rows they are of, and those that it refuses: it names them as it does callers."""
    kept = list(range(rows.n_rows))
    refused: list[int] = []
    while kept:
        try:
            return graph(rows.take(np.array(kept))), kept, refused
        except InvalidRows as error:
            named = sorted({problem.row for problem in error.problems if problem.row is not None})
            if not named:
                raise
            refused += [kept[i] for i in named]
            kept = [row for row in kept if row not in set(refused)]
    return None, kept, refused


def _by_model(pair: _Pair, rows: Table, which: list[int], told: _Answers) -> None:
    """Ask the model some rows together; in halves, and halves of these, when it raises on one of them."""
    if told.refused and (pair.is_over or len(told.refused) >= MOST_DIFFERENT):
        told.unasked += which
        return
    try:
        answer = pair.model(rows.take(np.array(which)))
    except ModelFailed as error:
        if error.kind != "predict":
            raise
        if len(which) == 1:
            told.refused += which
            return
        middle = len(which) // 2
        _by_model(pair, rows, which[:middle], told)
        _by_model(pair, rows, which[middle:], told)
    else:
        told.answers.append(answer)
        told.kept += which


def _refused_by_one(pair: _Pair, rows: Table, refused: list[int], tally: Tally) -> Iterator[tuple[int, Table]]:
    """Yield rows that the graph refuses with the model's answer: each is asked alone, as many as there is time for."""
    spread = np.linspace(0, len(refused) - 1, min(len(refused), MOST_REFUSED), dtype=np.int64)
    n_asked = 0
    for row in [refused[i] for i in spread.tolist()]:
        if n_asked and pair.is_over:
            break
        n_asked += 1
        try:
            yield row, pair.model(rows.take(np.array([row])))
        except ModelFailed as error:
            if error.kind != "predict":
                raise
            tally.refused += 1
    tally.rows += n_asked
    tally.left_out += len(refused) - n_asked


def _relative(answers: Table, expected: Table, task: Task) -> Table:
    """Return the answers of a regression as parts of the size of the expected ones, or of 1 when that is smaller."""
    ours, theirs = answers.columns.get("prediction"), expected.columns.get("prediction")
    if task != "regression" or ours is None or theirs is None or "float" not in (ours.kind, theirs.kind):
        return answers
    if ours.kind not in ("int", "float") or theirs.kind not in ("int", "float"):
        return answers
    size = np.abs(theirs.values.astype(np.float64))
    size = np.where(np.isfinite(size), np.maximum(size, 1.0), 1.0)
    if len(size) != len(ours.values):
        return answers
    values = ours.values.astype(np.float64)
    if ours.missing is not None:
        values = np.where(ours.missing, np.nan, values)
    return Table({**answers.columns, "prediction": Column("float", values / size)})


def _cells(rows: Table, row: int) -> tuple[tuple[str, str], ...]:
    """Return the cells of a row to the last digit: a threshold may lie one double away."""
    told = rows.take(np.array([row])).rows()[0]
    return tuple((name, "null" if cell is None else repr(cell)[:100]) for name, cell in told.items())
