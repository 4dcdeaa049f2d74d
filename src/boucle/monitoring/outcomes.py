"""Outcomes: what was predicted beside what came true, as columns that a profile can count.

Quality is a Profile like any other. Each labelled row becomes a few derived columns (was it right, by how much was it
wrong, which score did it get); counted on a frozen grid they add up over any window, slice or version, and a corrected
label is one subtraction. Nothing but the counts is needed afterwards: see ``metrics``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from boucle.core.counting import level_of
from boucle.core.grid import Grid, Part
from boucle.core.signature import Signature
from boucle.core.table import Column, Table, cells
from boucle.monitoring.spelling import Classes

MAX_CLASSES = 50  # classes with a row of their own in the confusion matrix; the others are pooled
MAX_SCORED = 20  # classes with score histograms of their own, in a model of several classes
CLIP = float(np.finfo(np.float64).eps)  # as scikit-learn clips probabilities for the log-loss
N_ERROR_BINS = 20  # bins of the prediction in which the error of a regressor is counted
UNSEEN_CLASS = "u"
_LAGS = (1.0, 10.0, 60.0, 600.0, 3600.0, 14400.0, 86400.0, 172800.0, 604800.0, 2592000.0)
_LABELS = ("labels_true", "labels_predicted", "labels_hit", "has_labels")


@dataclass(frozen=True)
class Outcome:
    """One labelled row: ``truth`` and ``prediction`` are JSON values (lists of texts for several labels).

    ``probabilities`` are in the order of the classes; ``interval`` is (low, high); ``lag_s`` how long after the
    prediction the truth was told; ``naive`` what the naive forecast said (the last value known, for forecasters);
    ``slices`` are those in whose profiles the row is counted, so that a correction finds them again.
    """

    truth: Any
    prediction: Any
    probabilities: tuple[float, ...] | None = None
    interval: tuple[float, float] | None = None
    lag_s: float | None = None
    naive: float | None = None
    slices: tuple[str, ...] = ()


def counted_document(outcome: Outcome) -> dict[str, Any]:
    """Return what to store as ``Truth.counted``: enough to take exactly this row back out of the profiles.

    >>> counted_document(Outcome("yes", "no", lag_s=3.0))
    {'truth': 'yes', 'prediction': 'no', 'lag_s': 3.0}
    """
    found: dict[str, Any] = {"truth": outcome.truth, "prediction": outcome.prediction}
    for name in ("probabilities", "interval", "slices"):
        if getattr(outcome, name):
            found[name] = list(getattr(outcome, name))
    for name in ("lag_s", "naive"):
        if getattr(outcome, name) is not None:
            found[name] = getattr(outcome, name)
    return found


def from_counted(document: dict[str, Any]) -> Outcome:
    """Return the outcome that a document of ``counted_document`` tells. Raises KeyError without its truth."""
    probabilities, interval = document.get("probabilities"), document.get("interval")
    return Outcome(
        truth=document["truth"],
        prediction=document["prediction"],
        probabilities=tuple(probabilities) if probabilities else None,
        interval=(interval[0], interval[1]) if interval else None,
        lag_s=document.get("lag_s"),
        naive=document.get("naive"),
        slices=tuple(document.get("slices", ())),
    )


def quality_grid(
    signature: Signature, truth: Column | None = None, answers: Column | None = None, *, is_series: bool = False
) -> Grid:
    """Return the grid on which the labelled rows of a version are counted.

    ``truth`` (n_rows,) is the target of the reference rows: of a regressor it sets the bins of truth and error and the
    naive error that MASE divides by (of the median; of the value before when ``is_series``, rows in order of time).
    Of a classifier it names the classes when the signature does not. ``answers`` (n,) are predictions on sample rows:
    they set the bins of a regressor without ``truth``, which then has no MASE.
    """
    lag = Part("lag_s", "number", edges=_LAGS)
    if signature.task == "classification":
        return Grid((*_class_parts(signature, truth), lag))
    known = _reference_numbers(truth)
    scale = naive_error(known, is_series) if len(known) > 1 else 0.0
    return Grid((*_number_parts(signature, known if len(known) > 1 else _reference_numbers(answers), scale), lag))


def outcome_table(grid: Grid, outcomes: Sequence[Outcome]) -> Table:
    """Return one row for each outcome, with the columns of a grid of ``quality_grid``; count it with that grid.

    A truth spelled otherwise than its class is matched (``spelling.Classes``); one that is no class is wrong, counted
    as ``unseen`` in ``truth``, and in no score, log-loss or Brier score. Log-loss clips probabilities to
    [2.2e-16, 1 - 2.2e-16]. What cannot be said of a row (no probability, no interval, a truth that is no number) is
    missing there.
    """
    truth = grid.parts[grid.index("truth")]
    columns = _class_columns(grid, truth, outcomes) if truth.kind == "level" else _number_columns(grid, outcomes)
    columns["lag_s"] = _floats([outcome.lag_s for outcome in outcomes])
    return Table({name: columns[name] for name in dict.fromkeys(part.column for part in grid.parts)})


def score_edges(n_uniform: int, n_tail: int) -> tuple[float, ...]:
    """Return edges on [0, 1]: uniform steps, the first and the last cut further in geometric steps.

    Rare events get scores near 0, where uniform bins would put all rows into one.

    >>> score_edges(4, 2)
    (0.0005, 0.25, 0.5, 0.75, 0.9995)
    """
    step = 1.0 / n_uniform
    tail = [step * (1e-6 / step) ** (k / n_tail) for k in range(1, n_tail + 1)] if n_tail > 2 else [step * 0.002]
    inner = [k / n_uniform for k in range(1, n_uniform)]
    return tuple(sorted({*tail, *inner, *(1.0 - value for value in tail)}))


# A classifier


def _class_parts(signature: Signature, reference_truth: Column | None) -> list[Part]:
    names = _class_names(signature, reference_truth)
    kept = names[:MAX_CLASSES]
    marks = [*map(str, range(len(kept))), *(["o"] if len(names) > MAX_CLASSES else [])]
    pairs = tuple(f"{truth}:{said}" for truth in [*marks, UNSEEN_CLASS] for said in [*marks, UNSEEN_CLASS])
    parts = [
        Part("truth", "level", levels=kept, others=names[MAX_CLASSES:]),
        Part("pair", "level", levels=pairs),
        Part("correct", "number", edges=(0.5,)),
        *(Part(name, "number") for name in _LABELS),
    ]
    if not signature.probabilities or not signature.classes or len(signature.classes) < 2:
        return parts
    parts += [Part("log_loss", "number", edges=(0.1, 0.5, 1.0, 2.0, 5.0)), Part("brier", "number", edges=(0.1, 0.25))]
    if len(names) == 2:
        edges = score_edges(800, 100)
        return [*parts, *(Part(f"score_of_{sign}", "number", edges=edges) for sign in ("positives", "negatives"))]
    confidence = score_edges(100, 20)
    parts += [Part(f"confidence_of_{how}", "number", edges=confidence) for how in ("right", "wrong")]
    coarse, scored = score_edges(64, 32), range(min(len(names), MAX_SCORED))
    signs = ("positives", "negatives")
    return [*parts, *(Part(f"score_of_{sign}_{k}", "number", edges=coarse) for k in scored for sign in signs)]


def _class_names(signature: Signature, reference_truth: Column | None) -> tuple[str, ...]:
    if signature.classes is not None:
        return tuple(dict.fromkeys(map(level_of, signature.classes)))
    if reference_truth is None:
        return ()
    texts = [level_of(cell) for cell in cells(reference_truth) if cell is not None]
    names, counts = np.unique(np.array(texts, dtype=object).astype(str), return_counts=True)
    return tuple(sorted(names[np.argsort(-counts, kind="stable")[:MAX_CLASSES]].tolist()))


def _class_columns(grid: Grid, truth: Part, outcomes: Sequence[Outcome]) -> dict[str, Column]:
    names = (*truth.levels, *truth.others)
    classes = Classes(names)
    truths, said = [_labels(o.truth) for o in outcomes], [_labels(o.prediction) for o in outcomes]
    is_one = [len(t) == 1 and len(s) == 1 for t, s in zip(truths, said, strict=True)]
    is_one = [one and not _is_list(o.truth) for one, o in zip(is_one, outcomes, strict=True)]
    true_at = [classes.place(t[0]) if one else -1 for t, one in zip(truths, is_one, strict=True)]
    said_at = [classes.place(s[0]) if one else -1 for s, one in zip(said, is_one, strict=True)]
    columns = _label_counts(classes, outcomes)
    rows = list(zip(true_at, said_at, truths, is_one, strict=True))
    columns["truth"] = _texts([_truth_text(names, t, labels) if one else None for t, _s, labels, one in rows])
    columns["pair"] = _texts([_pair(truth, t, s) if one else None for t, s, _labels, one in rows])
    is_right = [classes.keys(t) == classes.keys(s) for t, s in zip(truths, said, strict=True)]
    right = np.where([_is_told(o) for o in outcomes], np.array(is_right, dtype=np.float64), np.nan)
    columns["correct"] = Column("float", right)
    if any(part.name == "log_loss" for part in grid.parts):
        scores = _matrix([outcome.probabilities for outcome in outcomes], len(names))
        columns.update(_score_columns(scores, np.array(true_at, dtype=np.int64), right))
    return columns


def _pair(truth: Part, true_at: int, said_at: int) -> str:
    n_kept = len(truth.levels)

    def mark(at: int) -> str:
        return UNSEEN_CLASS if at < 0 else str(at) if at < n_kept else "o"

    return f"{mark(true_at)}:{mark(said_at)}"


def _truth_text(names: tuple[str, ...], at: int, labels: list[Any]) -> str:
    return names[at] if at >= 0 else f"?{level_of(labels[0])}"  # never a level, so that it is counted as unseen


def _score_columns(scores: Any, true_at: Any, right: Any) -> dict[str, Column]:
    n_rows, n_classes = scores.shape
    is_known = (true_at >= 0) & ~np.isnan(scores).any(axis=1)
    of_truth = np.where(is_known, scores[np.arange(n_rows), np.maximum(true_at, 0)], np.nan)
    squares = (scores**2).sum(axis=1) - of_truth**2 + (1.0 - of_truth) ** 2
    found = {
        "log_loss": Column("float", -np.log(np.clip(of_truth, CLIP, 1.0 - CLIP))),
        "brier": Column("float", (1.0 - of_truth) ** 2 if n_classes == 2 else squares),
    }
    if n_classes == 2:
        found["score_of_positives"] = Column("float", np.where(is_known & (true_at == 1), scores[:, 1], np.nan))
        found["score_of_negatives"] = Column("float", np.where(is_known & (true_at == 0), scores[:, 1], np.nan))
        return found
    top = np.where(is_known, scores.max(axis=1), np.nan)
    found["confidence_of_right"] = Column("float", np.where(right == 1, top, np.nan))
    found["confidence_of_wrong"] = Column("float", np.where(right == 0, top, np.nan))
    for k in range(min(n_classes, MAX_SCORED)):
        found[f"score_of_positives_{k}"] = Column("float", np.where(is_known & (true_at == k), scores[:, k], np.nan))
        found[f"score_of_negatives_{k}"] = Column("float", np.where(is_known & (true_at != k), scores[:, k], np.nan))
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (
        isinstance(value, str) and value.startswith("[") and value.endswith("]")
    )


def _is_told(outcome: Outcome) -> bool:
    """False when the truth or the prediction is missing. An empty list is not: it says that no label holds."""
    return all(_is_list(value) or bool(_labels(value)) for value in (outcome.truth, outcome.prediction))


def _labels(value: Any) -> list[Any]:
    """Return the labels of a value: those of a list (or of its JSON text), the value alone otherwise."""
    if isinstance(value, str) and _is_list(value):
        try:
            value = json.loads(value)
        except ValueError:
            return [value]
    if isinstance(value, (list, tuple)):
        return [item for item in value if item is not None]
    return [] if value is None or value != value else [value]  # NaN is not itself


def _label_counts(classes: Classes, outcomes: Sequence[Outcome]) -> dict[str, Column]:
    """Count the labels of rows whose truth or prediction is a list; rows of one label stay out."""
    counts = np.full((len(outcomes), len(_LABELS)), np.nan)
    for row, outcome in enumerate(outcomes):
        if (_is_list(outcome.truth) or _is_list(outcome.prediction)) and _is_told(outcome):
            true, said = classes.keys(_labels(outcome.truth)), classes.keys(_labels(outcome.prediction))
            counts[row] = len(true), len(said), len(true & said), bool(said)
    return {name: Column("float", counts[:, at]) for at, name in enumerate(_LABELS)}


# A regressor


def _number_parts(signature: Signature, known: Any, scale: float) -> list[Part]:
    parts = [Part("truth", "number", edges=_truth_edges(known)), Part("prediction", "number", edges=_thin_edges(known))]
    parts += [Part(f"error_at_{k}", "number") for k in range(parts[1].n_bins)]
    ratios = 2.0 ** (np.arange(-40, 41) / 4.0)  # an odd number of edges: the middle one is the naive error
    wide = ratios * scale if scale > 0 else 10.0 ** np.arange(-6, 10)
    signed = tuple(sorted({*(-wide).tolist(), 0.0, *wide.tolist()}))
    parts += [Part("error", "number", edges=signed), Part("absolute_error", "number", edges=tuple(wide.tolist()))]
    parts += [Part("relative_error", "number", edges=(0.01, 0.05, 0.1, 0.2, 0.5, 1.0)), Part("squared_error", "number")]
    parts += [Part("naive_error", "number")]
    if signature.interval_level is not None:
        parts += [Part("covered", "number", edges=(0.5,)), Part("width", "number", edges=tuple(wide.tolist()))]
    if len(known) and np.isin(known, (0.0, 1.0)).all():  # the prediction is the score of an event, such as an anomaly
        edges = _any_score_edges()
        parts += [Part("score_of_positives", "number", edges=edges), Part("score_of_negatives", "number", edges=edges)]
    return parts


def naive_error(truth: Any, is_series: bool) -> float:
    """Return the mean absolute error of the naive predictor on the reference truth (n,), in its unit.

    Of a series it is the value before (Hyndman and Koehler 2006); of rows without order their median, the constant
    with the least absolute error.
    """
    errors = np.diff(truth) if is_series else truth - np.median(truth)
    return float(np.mean(np.abs(errors)))


def _any_score_edges() -> tuple[float, ...]:
    """Return edges for scores of any range: fine on [-1, 1], geometric beyond, up to 1e9."""
    near, far = score_edges(400, 100), (10.0 ** np.arange(0, 9, 0.125)).tolist()
    return tuple(sorted({0.0, *near, *(-value for value in near), *far, *(-value for value in far)}))


def _reference_numbers(column: Column | None) -> Any:
    if column is None or column.kind not in ("float", "int", "bool"):
        return np.empty(0)
    values = np.array([np.nan if cell is None else float(cell) for cell in cells(column)], dtype=np.float64)
    return values[np.isfinite(values)]


def _truth_edges(known: Any) -> tuple[float, ...]:
    if len(known) < 2:
        wide = 10.0 ** np.arange(-6, 10)
        return tuple(sorted({*(-wide).tolist(), 0.0, *wide.tolist()}))
    return tuple(np.unique(np.quantile(known, np.linspace(0.0, 1.0, 65)[1:-1])).tolist())


def _thin_edges(known: Any) -> tuple[float, ...]:
    if len(known) < 2:
        return (0.0,)
    return tuple(np.unique(np.quantile(known, np.linspace(0.0, 1.0, N_ERROR_BINS + 1)[1:-1])).tolist())


def _number_columns(grid: Grid, outcomes: Sequence[Outcome]) -> dict[str, Column]:
    truth = _floats([outcome.truth for outcome in outcomes]).values
    said = _floats([outcome.prediction for outcome in outcomes]).values
    naive = _floats([outcome.naive for outcome in outcomes]).values
    low = _floats([outcome.interval[0] if outcome.interval else None for outcome in outcomes]).values
    high = _floats([outcome.interval[1] if outcome.interval else None for outcome in outcomes]).values
    is_known = ~np.isnan(truth) & ~np.isnan(said)
    error = np.where(is_known, said - truth, np.nan)
    within = np.where(np.isnan(low + high + truth), np.nan, (low <= truth) & (truth <= high))
    numbers = {
        "truth": np.where(is_known, truth, np.nan),
        "prediction": np.where(is_known, said, np.nan),
        "error": error,
        "absolute_error": np.abs(error),
        "squared_error": error * error,
        "relative_error": np.abs(error) / np.where(truth == 0, np.nan, np.abs(truth)),
        "naive_error": np.where(is_known, np.abs(naive - truth), np.nan),
        "covered": within,
        "width": np.where(np.isnan(within), np.nan, high - low),
        "score_of_positives": np.where(is_known & (truth == 1), said, np.nan),
        "score_of_negatives": np.where(is_known & (truth == 0), said, np.nan),
    }
    edges = np.asarray(grid.parts[grid.index("prediction")].edges)
    at = np.searchsorted(edges, said, side="left")
    numbers.update({f"error_at_{k}": np.where(at == k, np.abs(error), np.nan) for k in range(len(edges) + 1)})
    return {name: Column("float", values) for name, values in numbers.items()}


# Columns of Python values


def _floats(values: Sequence[Any]) -> Column:
    return Column("float", np.array([_number(value) for value in values], dtype=np.float64))


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
    return found if abs(found) != float("inf") else float("nan")  # an infinite number would spoil every sum


def _texts(values: Sequence[str | None]) -> Column:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return Column("text", column)


def _matrix(rows: Sequence[Sequence[float] | None], width: int) -> Any:
    nothing = [float("nan")] * width
    found = [nothing if row is None or len(row) != width else [_number(cell) for cell in row] for row in rows]
    return np.array(found, dtype=np.float64).reshape(len(rows), width)
