"""LightGBM: ``raw = tree 1 + tree 2 + ...``, in double; a tree asks ``x <= threshold`` or for a set of categories.

The fitted booster tells its trees as text, one line an array. A node says how it takes missing values: as zero
(``missing_type`` None), apart (NaN), or together with zeros (Zero). Absent zeros of sparse rows are zeros.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.boosted_columns import coded
from boucle_worker.describe.families.tree_ensemble import Tree, ensemble, leaf_numbers, mark_thresholds, whole
from boucle_worker.describe.formulas import absolute, concat, exp, gather, is_nan, log1p, sigmoid, sign, softmax, where
from boucle_worker.describe.frame import Frame, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Rows, Writer, version_of

ZERO = float(np.float32(1e-35))  # numbers up to this size are zeros to LightGBM
_IS_CATEGORY, _DEFAULT_LEFT = 1, 2
_AS_ZERO, _WITH_ZEROS = 0, 1  # missing types; 2 stands apart


class Model(NamedTuple):
    """What the text of a booster says, its trees as the lines of each."""

    objective: Sequence[str]
    n_targets: int
    n_features: int
    is_average: bool
    trees: List[Dict[str, str]]

    def number(self, name: str, default: float) -> float:
        """Return a parameter of the objective, written ``name:number``."""
        return next((float(word.partition(":")[2]) for word in self.objective if word.startswith(name + ":")), default)


# answers --------------------------------------------------------------------------------------------------------------
def classifier(writer: Writer, estimator: Any, rows: Rows) -> Answer:
    """Return p of two classes, label 1 where ``p > 1 - p``; of several their probabilities, the first largest wins."""
    if callable(getattr(estimator, "_objective", estimator.objective)):
        raise Cannot("its LGBMClassifier has an objective of its author's")
    model = read(estimator.booster_)
    z = raw(estimator.booster_, model, rows)
    p = linked(model, z)
    decision = z if hasattr(estimator, "decision_function") else None  # LightGBM has it from 4.7 on
    classes = np.asarray(estimator.classes_)
    if len(classes) < 2 or p.width != (1 if len(classes) == 2 else len(classes)):
        raise Cannot(f"its LGBMClassifier has {len(classes)} classes and {p.width} outputs")
    if p.width > 1:
        return Answer(p.argmax(), p, decision, classes=classes)
    other = 1.0 - p
    return Answer((p > other).astype(np.int64).flat(), concat([other, p]), decision, classes=classes)


def regressor(writer: Writer, estimator: Any, rows: Rows) -> Answer:
    """Return the sum of the trees as the objective hands it out; of an objective of one's own, the sum."""
    return predicted(writer, estimator.booster_, rows)


def predicted(writer: Writer, booster: Any, rows: Rows) -> Answer:
    """Return what a booster itself predicts. Raises Cannot for XGBoost's, which takes no plain rows."""
    if not type(booster).__module__.startswith("lightgbm"):
        raise Cannot("it is a Booster of XGBoost, which takes a DMatrix; wrap it in an XGBModel")
    model = read(booster)
    return Answer(value=linked(model, raw(booster, model, rows)))


def linked(model: Model, z: Value) -> Value:
    """Return what the objective makes of the sums of trees."""
    name = model.objective[0] if model.objective else ""
    if name in ("poisson", "gamma", "tweedie"):
        return exp(z)
    if name in ("binary", "multiclassova"):
        scale = model.number("sigmoid", 1.0)
        return sigmoid(z * scale if scale != 1.0 else z)
    if name in ("cross_entropy", "xentropy"):
        return sigmoid(z)
    if name in ("cross_entropy_lambda", "xentlambda"):
        return log1p(exp(z))
    if name == "multiclass":
        return softmax(z)
    if "sqrt" in model.objective:
        return sign(z) * z * z
    return z


# the model ------------------------------------------------------------------------------------------------------------
def read(booster: Any) -> Model:
    """Return what a booster says of the trees that count: those up to its best iteration, if it keeps one."""
    head, *blocks = booster.model_to_string().partition("end of trees")[0].split("\nTree=")
    told = _lines(head)
    return Model(
        objective=told.get("objective", "").split(),
        n_targets=int(told["num_tree_per_iteration"]),
        n_features=int(told["max_feature_idx"]) + 1,
        is_average="average_output" in told,
        trees=[_lines(block) for block in blocks],
    )


def _lines(block: str) -> Dict[str, str]:
    """Return ``name=value`` lines."""
    return {name: value for name, _equals, value in (line.partition("=") for line in block.splitlines())}


def raw(booster: Any, model: Model, rows: Rows) -> Value:
    """Return the sums of the trees, ``(n, n_targets)``, of random forests the means."""
    x, codes = _numbers(booster, model, rows)
    trees, with_zeros = zip(*[tree_of(told) for told in model.trees])
    mark_thresholds(x, trees)
    members = {int(t.feature[i]) for t in trees for i, kind in enumerate(t.categories or ()) if kind is not None}
    if members - set(codes):
        x = whole(x, sorted(members - set(codes)))
    if any(map(np.any, with_zeros)):
        # nodes that send zeros with the missing ones ask a second copy of the columns, where zeros are missing
        trees = tuple(t._replace(feature=t.feature + x.width * zeros) for t, zeros in zip(trees, with_zeros))
        x = concat([x, where(absolute(x) <= ZERO, np.float64(np.nan), x)])
    is_linear = [told.get("is_linear") == "1" for told in model.trees]
    if any(is_linear) and not all(is_linear):
        raise Cannot("some trees of its LightGBM have linear leaves and others have not")
    if any(is_linear):
        z = _sloped(x, trees, model)
    else:
        z = ensemble(x, trees, [i % model.n_targets for i in range(len(trees))], model.n_targets)
    return z / float(len(trees) // model.n_targets) if model.is_average else z


def _numbers(booster: Any, model: Model, rows: Rows) -> Tuple[Value, Sequence[int]]:
    """Return the rows as doubles, and which of the columns hold codes of pandas categories."""
    places: List[int] = []
    is_integer = False
    if isinstance(rows, Frame):
        is_integer = all(part.dtype.kind in "iub" for part in rows.parts)
        known = booster.pandas_categorical or []
        rows, places = coded(rows, lambda place, column: _codes(known, place, column))
        if len(places) != len(known):
            raise Cannot(f"{len(places)} columns of categories reach its LightGBM, which was fitted on {len(known)}")
    x = as_value(rows, "LightGBM")
    if x.width != model.n_features:
        raise Cannot(f"its LightGBM was fitted on {model.n_features} columns and gets {x.width}")
    if is_integer and (booster.pandas_categorical is None or version_of("lightgbm") < (4, 0)):
        x = x.astype(np.float32)  # LightGBM reads a matrix of integers so
    return x.astype(np.float64), places


def _codes(known: Sequence[Any], place: int, column: Any) -> Any:
    """Return the codes of a column by the categories at the time of fitting; others are missing."""
    if place >= len(known):
        return np.asarray(column.cat.codes, np.float64)
    codes = np.asarray(column.cat.set_categories(known[place]).cat.codes, np.float64)
    return np.where(codes < 0, np.nan, codes)


# trees ----------------------------------------------------------------------------------------------------------------
def tree_of(told: Dict[str, str]) -> Tuple[Tree, Any]:
    """Return a tree, and which of its nodes send zeros with the missing ones. Leaves come after the inner nodes."""
    value = _array(told, "leaf_value", np.float64)
    n_leaves = len(value)
    if n_leaves < 2:
        nothing = np.zeros(1, np.int64)
        return Tree(nothing, nothing, nothing - 1, nothing - 1, nothing, value, traffic=nothing), nothing
    decision = _array(told, "decision_type", np.int64)
    threshold = _array(told, "threshold", np.float64)
    missing = (decision >> 2) & 3
    is_category = (decision & _IS_CATEGORY) > 0
    left = np.where(missing == _AS_ZERO, threshold >= 0.0, (decision & _DEFAULT_LEFT) > 0)
    leaves = np.zeros(n_leaves, np.int64)
    tree = Tree(
        feature=np.append(_array(told, "split_feature", np.int64), leaves),
        threshold=np.append(np.where(is_category, 0.0, _beyond_zero(threshold)), leaves),
        left=np.append(_side(told, "left_child"), leaves - 1),
        right=np.append(_side(told, "right_child"), leaves - 1),
        missing_left=np.append(left & ~is_category, leaves),
        value=np.append(np.zeros(n_leaves - 1), value),
        categories=_members(told, is_category, threshold),
        traffic=np.append(_array(told, "internal_count", np.float64), _array(told, "leaf_count", np.float64)),
    )
    return tree, np.append((missing == _WITH_ZEROS) & ~is_category, leaves)


def _array(told: Dict[str, str], name: str, dtype: Any) -> Any:
    return np.array(told[name].split(), dtype)


def _side(told: Dict[str, str], name: str) -> Any:
    """Return where nodes lead: leaf j, told as ``~j``, is node ``j + inner nodes``."""
    found = _array(told, name, np.int64)
    return np.where(found < 0, ~found + len(found), found)


def _beyond_zero(threshold: Any) -> Any:
    """Return thresholds between the smallest numbers moved to where the numbers taken for zero end."""
    below = np.where((threshold < 0.0) & (threshold >= -ZERO), np.nextafter(-ZERO, -np.inf), threshold)
    return np.where((threshold >= 0.0) & (threshold < ZERO), ZERO, below)


def _members(told: Dict[str, str], is_category: Any, threshold: Any) -> Optional[List[Any]]:
    """Return the categories that go left at each node, kept as the bits of integers; None at nodes for numbers."""
    if not is_category.any():
        return None
    starts = _array(told, "cat_boundaries", np.int64)
    words = _array(told, "cat_threshold", np.uint32).astype("<u4")
    found: List[Any] = [None] * (2 * len(is_category) + 1)
    for node in np.flatnonzero(is_category):
        place = int(threshold[node])
        mine = words[starts[place] : starts[place + 1]]
        found[node] = np.flatnonzero(np.unpackbits(mine.view(np.uint8), bitorder="little"))
    return found


# linear leaves --------------------------------------------------------------------------------------------------------
def _sloped(x: Value, trees: Sequence[Tree], model: Model) -> Value:
    """Return sums of trees of linear leaves: ``constant + x @ slopes``, the leaf's value where one of its x is NaN."""
    leaf = leaf_numbers(x, trees)
    x = x.columns(np.arange(model.n_features))
    plain, constants, slopes, is_used = _planes(model)
    is_used = gather(is_used, leaf)  # (trees, n, d)
    terms = where(is_used, gather(slopes, leaf) * x, np.float64(0.0)).sum(2, keepdims=False)
    is_missing = (is_used & is_nan(x)).astype(np.float64).max(2, keepdims=False) > 0.0
    values = where(is_missing, gather(plain, leaf), gather(constants, leaf) + terms)
    rounds = values.reshape((len(trees) // model.n_targets, model.n_targets, -1)).sum(0, keepdims=False)
    return x.graph.op("Transpose", [rounds], np.float64, (None, model.n_targets), perm=[1, 0])


def _planes(model: Model) -> Tuple[Any, Any, Any, Any]:
    """Return of the m leaves of all trees: values and constants ``(m,)``, slopes and which count ``(m, d)``."""
    plain = np.concatenate([_array(told, "leaf_value", np.float64) for told in model.trees])
    constants = np.concatenate([_array(told, "leaf_const", np.float64) for told in model.trees])
    sizes = np.concatenate([_array(told, "num_features", np.int64) for told in model.trees])
    columns = np.concatenate([_array(told, "leaf_features", np.int64) for told in model.trees])
    places = np.repeat(np.arange(len(plain)), sizes), columns
    slopes = np.zeros((len(plain), model.n_features))
    slopes[places] = np.concatenate([_array(told, "leaf_coeff", np.float64) for told in model.trees])
    is_used = np.zeros(slopes.shape, bool)
    is_used[places] = True
    return plain, constants, slopes, is_used


PREDICTS: Dict[str, Predict] = {
    "LGBMClassifier": classifier,
    "LGBMRegressor": regressor,
    "LGBMRanker": regressor,
    "Booster": predicted,
}
RAW = tuple(PREDICTS)
