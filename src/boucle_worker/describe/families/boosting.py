"""Gradient boosting: trees that add up, each class for itself, from a start that the data give."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.composition import frame_of
from boucle_worker.describe.families.tree_ensemble import Tree, ensemble, mark_thresholds, whole
from boucle_worker.describe.families.trees import plain, through_float32
from boucle_worker.describe.formulas import absolute, clip, concat, exp, floor, is_nan, log, sigmoid, softmax, where
from boucle_worker.describe.frame import Frame, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer, known_name, version_of

_DUMMIES = ("prior", "most_frequent", "constant", "mean", "median", "quantile")


def boosting_classifier(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the sigmoid of the sum (of twice the sum: exponential loss), or the softmax of several."""
    raw = _raw(writer, estimator, x)
    classes = estimator.classes_
    if raw.width > 1:
        p = softmax(raw)
        return Answer((p if version_of("sklearn") < (1, 4) else raw).argmax(), p, raw, classes=classes)
    p = sigmoid(raw * 2.0 if estimator.loss == "exponential" else raw)
    probabilities = concat([1.0 - p, p])
    if version_of("sklearn") < (1, 4) and estimator.loss != "exponential":
        return Answer(probabilities.argmax(), probabilities, raw, classes=classes)
    return Answer((raw >= 0.0).astype(np.int64).flat(), probabilities, raw, classes=classes)


def boosting_regressor(writer: Writer, estimator: Any, x: Value) -> Answer:
    """Return the sum, whatever the loss."""
    return Answer(value=_raw(writer, estimator, x))


def _raw(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return ``start + learning_rate * tree + learning_rate * tree ...`` for each class, added in this order."""
    trees: List[Tree] = []
    for stage in estimator.estimators_:
        trees += [plain(m.tree_, estimator.learning_rate * m.tree_.value[:, 0, 0]) for m in stage]
    width = estimator.estimators_.shape[1]
    targets = list(range(width)) * len(estimator.estimators_)
    start = estimator.init_
    if isinstance(start, str):
        return ensemble(through_float32(x, trees), trees, targets, width)
    if known_name(start) in ("DummyClassifier", "DummyRegressor"):
        if start.strategy not in _DUMMIES:
            raise Cannot(f"its {type(estimator).__name__} starts from a guess by strategy '{start.strategy}'")
        first = estimator._raw_predict_init(np.zeros((1, x.width), np.float32))[0]  # noqa: SLF001
        return ensemble(through_float32(x, trees), _started(trees, first), targets, width)
    return _start(writer, estimator, x.astype(np.float32)) + ensemble(through_float32(x, trees), trees, targets, width)


def _started(trees: Sequence[Tree], start: Any) -> List[Tree]:
    """Return the trees with the start in the first of each class: ``start + tree`` is what comes first in the sum."""
    first = [tree._replace(value=number + tree.value) for tree, number in zip(trees, start)]
    return first + list(trees[len(first) :])


def _start(writer: Writer, estimator: Any, x: Value) -> Value:
    """Return what an estimator given as ``init`` answers to rows in float32, on the scale of the sum: ``(n, k)``."""
    if not hasattr(estimator, "classes_"):
        return _double(estimator, writer.value(estimator.init_, x)).reshape((-1, 1))
    version = version_of("sklearn")
    epsilon = float(np.finfo(np.float64 if version >= (1, 8) else np.float32).eps)
    p = clip(_double(estimator, writer.probabilities(estimator.init_, x)), epsilon, 1.0 - epsilon)
    if p.width == 2:
        odds = log(p.column(1) / (1.0 - p.column(1)))
        return odds * 0.5 if estimator.loss == "exponential" else odds
    return log(p) if version < (1, 4) else log(p / exp(log(p).mean()))


def _double(estimator: Any, answer: Value) -> Value:
    """Return an answer in double. Raises Cannot for one in float32: sums are rounded differently in each BLAS."""
    if answer.dtype == np.float64:
        return answer
    name = type(estimator).__name__
    raise Cannot(f"its {name} starts from a {known_name(estimator.init_)} that computes in single precision")


def histogram_classifier(writer: Writer, estimator: Any, x: Any) -> Answer:
    """Return the sigmoid of the sum, or the softmax of several."""
    raw = _histogram_raw(writer, estimator, x)
    if raw.width > 1:
        p = softmax(raw)
        return Answer((p if version_of("sklearn") < (1, 5) else raw).argmax(), p, raw, classes=estimator.classes_)
    p = sigmoid(raw)
    probabilities = concat([1.0 - p, p])
    is_old = version_of("sklearn") < (1, 5)
    label = probabilities.argmax() if is_old else (raw > 0.0).astype(np.int64).flat()
    return Answer(label, probabilities, raw, classes=estimator.classes_)


def histogram_regressor(writer: Writer, estimator: Any, x: Any) -> Answer:
    """Return the sum, or e to the power of it where the loss is of counts (poisson) or of positive numbers (gamma)."""
    raw = _histogram_raw(writer, estimator, x)
    return Answer(value=exp(raw) if estimator.loss in ("poisson", "gamma") else raw)


def _histogram_raw(writer: Writer, estimator: Any, x: Any) -> Value:
    """Return ``baseline + tree + tree ...`` for each class, in double: bins only play a part in training."""
    bitsets, places = estimator._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001
    trees: List[Tree] = []
    for stage in estimator._predictors:  # noqa: SLF001
        trees += [_histogram_tree(member, bitsets, places) for member in stage]
    width = estimator.n_trees_per_iteration_
    baseline = np.broadcast_to(np.asarray(estimator._baseline_prediction, np.float64).ravel(), (width,))  # noqa: SLF001
    coded = _coded(writer, estimator, x)
    mark_thresholds(coded, trees)
    if getattr(estimator, "_preprocessor", None) is None and len(bitsets):
        coded = _as_bytes(coded, np.flatnonzero(estimator.is_categorical_))
    targets = list(range(width)) * len(estimator._predictors)  # noqa: SLF001
    return ensemble(coded, _started(trees, baseline), targets, width)


def _coded(writer: Writer, estimator: Any, x: Any) -> Value:
    """Return the rows in double; from 1.4 on the categories come first, numbered by an encoder of the estimator's."""
    name = type(estimator).__name__
    encoding = getattr(estimator, "_preprocessor", None)
    if encoding is None:
        return as_value(x, name).astype(np.float64)
    frame = frame_of(x) if isinstance(x, Value) else x
    made = []
    for step, transformer, _columns in encoding.transformers_:
        columns = frame.select(_places(encoding, step, frame))
        if step == "encoder":
            columns = writer.transform(transformer, columns)
        if not isinstance(columns, Frame) or columns.parts:
            made.append(as_value(columns, name).astype(np.float64))
    return concat(made)


def _places(encoding: Any, step: str, frame: Frame) -> List[int]:
    """Return which columns of the frame a step takes: by name where it learned names."""
    places = [int(place) for place in encoding._transformer_to_input_indices[step]]  # noqa: SLF001
    names = [str(name) for name in getattr(encoding, "feature_names_in_", ())]
    if names and set(names) <= set(frame.names):
        return [frame.names.index(names[place]) for place in places]
    return places


def _as_bytes(x: Value, columns: Any) -> Value:
    """Return categories as C casts them to bytes, before 1.4: cut off, modulo 256; from 1.3 on NaN when negative."""
    cut = whole(x, columns)
    byte = where(absolute(cut) < 2.0**31, cut - floor(cut / 256.0) * 256.0, where(is_nan(cut), cut, 0.0))
    if version_of("sklearn") >= (1, 3):
        byte = where(x < 0.0, np.float64(np.nan), byte)
    return where(x.graph.constant(np.isin(np.arange(x.width), columns)[None]), byte, x)


def _histogram_tree(member: Any, bitsets: Any, places: Any) -> Tree:
    """Return a tree of histogram boosting; categories that training did not see go the way of missing ones."""
    nodes = member.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(is_leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    missing_left = nodes["missing_go_to_left"].astype(np.int64)
    feature = nodes["feature_idx"].astype(np.int64)
    asked = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf)
    kinds: Any = [None] * len(nodes) if len(asked) else None
    for node in asked:
        kinds[node] = _categories(member.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
        if missing_left[node]:  # ask for those that go right instead: all others go with the missing ones
            known = _categories(bitsets[places[feature[node]]])
            kinds[node] = np.setdiff1d(known, kinds[node])
            left[node], right[node], missing_left[node] = right[node], left[node], 0
    tree = Tree(feature, nodes["num_threshold"], left, right, missing_left, nodes["value"])
    return tree._replace(categories=kinds, traffic=nodes["count"])


def _categories(bitset: Any) -> Any:
    """Return the numbers below 256 that a set of bits holds, eight words of 32 bits."""
    return np.flatnonzero(np.unpackbits(np.asarray(bitset, "<u4").view(np.uint8), bitorder="little"))


PREDICTS: Dict[str, Predict] = {
    "GradientBoostingClassifier": boosting_classifier,
    "GradientBoostingRegressor": boosting_regressor,
    "HistGradientBoostingClassifier": histogram_classifier,
    "HistGradientBoostingRegressor": histogram_regressor,
}
RAW = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
