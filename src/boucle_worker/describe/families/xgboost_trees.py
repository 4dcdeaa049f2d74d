"""XGBoost: ``margin = base + tree 1 + tree 2 + ...``, in float32 as XGBoost computes; a tree asks ``x < threshold``.

The fitted booster tells its trees as JSON. Its objective says how a margin becomes an answer, and in which space its
base score is kept. exp and log are taken in double and rounded once, as the float32 functions of the C library are.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.boosted_columns import coded
from boucle_worker.describe.families.tree_ensemble import Tree, ensemble, mark_thresholds
from boucle_worker.describe.formulas import concat, exp, floor, minimum, where, zeros
from boucle_worker.describe.frame import Frame, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Rows, Writer

F32 = np.float32
_NAN = F32(np.nan)


class Model(NamedTuple):
    """What the JSON of a booster says. ``base`` is the margin before any tree, float32 ``(n_targets,)``."""

    objective: str
    base: Any
    booster: Dict[str, Any]
    n_features: int

    @property
    def name(self) -> str:
        """gbtree, dart or gblinear."""
        return str(self.booster["name"])

    @property
    def forest(self) -> Dict[str, Any]:
        """The trees (of dart too) or the weights."""
        found: Dict[str, Any] = self.booster.get("gbtree", self.booster)["model"]
        return found


# answers --------------------------------------------------------------------------------------------------------------
def classifier(writer: Writer, estimator: Any, rows: Rows) -> Answer:
    """Return p of two classes, label 1 where p > 0.5; of several the softmax, its first largest is the label."""
    model = read(estimator)
    margin = margins(estimator, model, rows)
    classes = np.arange(int(estimator.n_classes_))
    if len(classes) < 2 or margin.width != (1 if len(classes) == 2 else len(classes)):
        raise Cannot(f"its {type(estimator).__name__} answers several labels at once, or one only")
    if margin.width > 1:
        p = softmax(margin)
        # multi:softmax compares margins, multi:softprob probabilities, of which more are equal
        best = margin if model.objective == "multi:softmax" else p
        return Answer(best.argmax(), p, classes=classes)
    p = linked(model, margin)
    return Answer((p > F32(0.5)).astype(np.int64).flat(), concat([F32(1) - p, p]), classes=classes)


def regressor(writer: Writer, estimator: Any, rows: Rows) -> Answer:
    """Return the margin as the objective hands it out."""
    model = read(estimator)
    return Answer(value=linked(model, margins(estimator, model, rows)))


def ranker(writer: Writer, estimator: Any, rows: Rows) -> Answer:
    """Return the margin; a column qid of a DataFrame is no feature."""
    if isinstance(rows, Frame) and "qid" in rows.names:
        rows = rows.select([i for i, name in enumerate(rows.names) if name != "qid"])
    return regressor(writer, estimator, rows)


# objectives -----------------------------------------------------------------------------------------------------------
def logistic(margin: Value) -> Value:
    """Return ``1 / (exp(min(-margin, 88.7)) + 1)``."""
    return F32(1) / (exponential(minimum(-margin, F32(88.7))) + F32(1))


def softmax(margin: Value) -> Value:
    """Return ``exp(m - max m)`` over its sum, which is taken in double."""
    e = exponential(margin - margin.max())
    return e / e.astype(np.float64).sum().astype(F32)


def exponential(margin: Value) -> Value:
    """Return exp, rounded once to float32."""
    return exp(margin.astype(np.float64)).astype(F32)


def _plain(margin: Value) -> Value:
    return margin


def _hinge(margin: Value) -> Value:
    return (margin > F32(0)).astype(F32)


def _logit(base: Any) -> Any:
    return -_rounded(np.log, F32(1) / base - F32(1))


def _log(base: Any) -> Any:
    return _rounded(np.log, base)


def _as_is(base: Any) -> Any:
    return base


def _rounded(function: Any, x: Any) -> Any:
    return function(np.asarray(x, np.float64)).astype(F32)


Link = Tuple[Callable[[Any], Any], Callable[[Value], Value]]
LINKS: Dict[str, Link] = {
    "reg:squarederror": (_as_is, _plain),
    "reg:squaredlogerror": (_as_is, _plain),
    "reg:absoluteerror": (_as_is, _plain),
    "reg:pseudohubererror": (_as_is, _plain),
    "reg:quantileerror": (_as_is, _plain),
    "reg:linear": (_as_is, _plain),
    "reg:gamma": (_log, exponential),
    "reg:tweedie": (_log, exponential),
    "count:poisson": (_log, exponential),
    "survival:cox": (_log, exponential),
    "reg:logistic": (_logit, logistic),
    "binary:logistic": (_logit, logistic),
    "binary:logitraw": (_as_is, _plain),
    "binary:hinge": (_as_is, _hinge),
    "multi:softprob": (_as_is, _plain),
    "multi:softmax": (_as_is, _plain),
    "rank:pairwise": (_as_is, _plain),
    "rank:ndcg": (_as_is, _plain),
    "rank:map": (_as_is, _plain),
}
"""How the base score becomes a margin, and a margin an answer."""


def linked(model: Model, margin: Value) -> Value:
    """Return what the objective makes of margins."""
    return LINKS[model.objective][1](margin)


# the model ------------------------------------------------------------------------------------------------------------
def read(estimator: Any) -> Model:
    """Return what a fitted estimator's booster says. Raises Cannot for an objective that is not XGBoost's own."""
    if callable(estimator.objective):
        raise Cannot(f"its {type(estimator).__name__} has an objective of its author's")
    told = json.loads(bytes(estimator.get_booster().save_raw("json")))["learner"]
    objective = str(told["objective"]["name"])
    if objective not in LINKS:
        raise Cannot(f"its {type(estimator).__name__} has the objective {objective}")
    sizes = told["learner_model_param"]
    n_targets = max(int(sizes["num_class"]), int(sizes.get("num_target", 1)), 1)
    scores = np.array(str(sizes["base_score"]).strip("[]").split(","), F32)  # one number, from 3.1 on a list
    base = np.broadcast_to(LINKS[objective][0](scores), n_targets).astype(F32)
    return Model(objective, base, told["gradient_booster"], int(sizes["num_feature"]))


def margins(estimator: Any, model: Model, rows: Rows) -> Value:
    """Return the margins, float32 ``(n, n_targets)``."""
    x, codes = _numbers(estimator, model, rows)
    held = _missing(estimator.missing, x)
    if model.name == "gblinear":
        return _weighted(held, model)
    trees, targets = _forest(estimator, model)
    mark_thresholds(x, trees)
    members = _categorical(trees, codes)
    if members:
        is_member = x.graph.constant(np.isin(np.arange(x.width), members)[None])
        held = where(is_member, floor(held), held)  # 2.7 is in the category 2, -0.5 in none
    return ensemble(held, trees, targets, len(model.base))


def _numbers(estimator: Any, model: Model, rows: Rows) -> Tuple[Value, Sequence[int]]:
    """Return the rows as numbers, and which of the columns hold codes of pandas categories."""
    step = type(estimator).__name__
    places: List[int] = []
    if isinstance(rows, Frame):
        encodings = [told for told in model.forest.get("cats", {}).get("enc", []) if told["values"]]
        rows, places = coded(rows, lambda place, column: _codes(encodings, place, column))
        if encodings and len(places) != len(encodings):
            raise Cannot(f"other columns of categories reach its {step} than it was fitted on")
    x = as_value(rows, step)
    if x.width != model.n_features:
        raise Cannot(f"its {step} was fitted on {model.n_features} columns and gets {x.width}")
    return x, places


def _codes(encodings: Sequence[Any], place: int, column: Any) -> Any:
    """Return the codes of a column of categories: its own, from 3.1 on those of the names that the booster keeps."""
    names = list(column.cat.categories)
    codes = _known(encodings[place], names) if encodings else np.arange(len(names))
    return np.append(codes.astype(np.float64), np.nan)[np.asarray(column.cat.codes)]  # -1 is a missing one


def _known(told: Any, names: Sequence[Any]) -> Any:
    """Return the places of names among those of fitting, integers or texts. Raises Cannot where XGBoost raises too."""
    known = list(told["values"])
    if "offsets" in told:
        text = np.array(known, np.int64).astype(np.uint8).tobytes()
        known = [text[start:end] for start, end in zip(told["offsets"], told["offsets"][1:])]
        if not (text + "".join(names).encode()).isascii():
            return _same(known, names)
        names = [name.encode() for name in names]
    place = {name: i for i, name in enumerate(known)}
    for name in names:
        if name not in place:
            shown = name.decode() if isinstance(name, bytes) else name
            raise Cannot(f"its XGBoost raises at the category {shown!r}, on which it was not fitted")
    return np.array([place[name] for name in names], np.int64)


def _same(known: Sequence[bytes], names: Sequence[str]) -> Any:
    """Return the places of names beyond ASCII, for the names of fitting in their order alone.

    XGBoost 3.1 and 3.2 count characters and cut bytes: other names may be taken for what they are not.
    """
    text = "".join(names).encode()
    for lengths in ([len(name) for name in names], [len(name.encode()) for name in names]):
        ends = np.cumsum(lengths)
        if [text[end - length : end] for end, length in zip(ends, lengths)] == known and len(set(known)) == len(known):
            return np.arange(len(names))
    raise Cannot("its XGBoost may mix up other names of categories than those of fitting, since some are not ASCII")


def _missing(marker: Any, x: Value) -> Value:
    """Return the rows as float32, with NaN where XGBoost sees nothing: absent zeros, and the marker it was told."""
    held = x.astype(F32)
    if x.is_sparse:
        held = where(held.equals(F32(0)), _NAN, held)
    if marker is not None and not np.isnan(marker):
        held = where(held.equals(F32(marker)), _NAN, held)
    return held


def _layers(estimator: Any, model: Model) -> Tuple[int, int]:
    """Return the first tree that counts and the one after the last: those up to the best iteration, if one was kept."""
    begin, end = estimator._get_iteration_range(None)  # noqa: SLF001  # the rule differs between versions
    n_trees = len(model.forest["trees"])
    if end == 0:
        return 0, n_trees
    starts = model.forest.get("iteration_indptr")
    if starts is None:
        size = int(model.forest["gbtree_model_param"]["num_parallel_tree"]) * len(model.base)
        starts = range(0, n_trees + 1, size)
    return starts[begin], starts[min(end, len(starts) - 1)]


# trees ----------------------------------------------------------------------------------------------------------------
def _forest(estimator: Any, model: Model) -> Tuple[List[Tree], List[int]]:
    """Return the trees that count, the base in the leaves of each target's first, and their targets."""
    trees: List[Tree] = []
    targets: List[int] = []
    for place in range(*_layers(estimator, model)):
        for target, tree in _trees(model, place):
            value = _added(model, place, tree.value, target)
            if target not in targets:  # the base comes first, and each sum is rounded
                value = model.base[target] + value
            trees.append(tree._replace(value=value))
            targets.append(target)
    return trees, targets


def _trees(model: Model, place: int) -> List[Tuple[int, Tree]]:
    """Return a tree with its target; a tree whose leaves hold a vector is one tree for each target."""
    told = model.forest["trees"][place]
    tree = _tree(told)
    size = int(told["tree_param"]["size_leaf_vector"])
    if size < 2:
        return [(int(model.forest["tree_info"][place]), tree)]
    values = _vectors(told, size)
    return [(target, tree._replace(value=values[:, target])) for target in range(size)]


def _vectors(told: Any, size: int) -> Any:
    """Return the vectors of the leaves, ``(m, size)``; from 3.2 on a leaf tells where its own is."""
    if "leaf_weights" not in told:
        return np.array(told["base_weights"], F32).reshape(-1, size)
    places = np.where(np.array(told["left_children"]) < 0, told["right_children"], 0)
    return np.array(told["leaf_weights"], F32).reshape(-1, size)[places]


def _tree(told: Any) -> Tree:
    """Return a tree. Its listed categories go right in XGBoost: both sides are swapped where it asks for them."""
    left, right = np.array(told["left_children"], np.int64), np.array(told["right_children"], np.int64)
    right = np.where(left < 0, -1, right)
    numbers = np.array(told["split_conditions"], F32)
    missing_left = np.array(told["default_left"], bool)
    feature = np.array(told["split_indices"], np.int64)
    categories = None
    if told["categories_nodes"]:
        nodes = np.array(told["categories_nodes"], np.int64)
        left[nodes], right[nodes] = right[nodes], left[nodes]
        missing_left[nodes] = ~missing_left[nodes]
        categories = _members(told, len(left))
    tree = Tree(feature, numbers, left, right, missing_left, numbers, is_strict=True, categories=categories)
    tree = tree._replace(traffic=told.get("sum_hessian"))
    return _kept(tree) if int(told["tree_param"]["num_deleted"]) else tree


def _members(told: Any, n_nodes: int) -> List[Any]:
    """Return the categories that each node lists; None for a node that asks for a number."""
    found: List[Any] = [None] * n_nodes
    listed = np.array(told["categories"], F32)
    for node, start, size in zip(told["categories_nodes"], told["categories_segments"], told["categories_sizes"]):
        found[node] = listed[start : start + size]
    return found


def _kept(tree: Tree) -> Tree:
    """Return a tree without the nodes that pruning left behind."""
    level = np.zeros(1, np.int64)
    reached = np.zeros(len(tree.left), bool)
    while len(level):
        reached[level] = True
        level = np.concatenate([tree.left[level], tree.right[level]])
        level = level[level >= 0]
    place = np.append(np.cumsum(reached) - 1, -1)  # the last is where -1 leads
    kinds = tree.categories and [kind for kind, is_kept in zip(tree.categories, reached) if is_kept]
    names = ("feature", "threshold", "missing_left", "value")
    kept = tree._replace(**{name: getattr(tree, name)[reached] for name in names}, categories=kinds, traffic=None)
    return kept._replace(left=place[tree.left[reached]], right=place[tree.right[reached]])


def _added(model: Model, place: int, value: Any, target: int) -> Any:
    """Return what a tree adds: the value of the leaf. Dart puts it on the base, takes that off again, and weighs it."""
    if model.name != "dart":
        return value
    base = model.base[target]
    return ((base + value) - base) * F32(model.booster["weight_drop"][place])


def _categorical(trees: Sequence[Tree], codes: Sequence[int]) -> Any:
    """Return the columns of numbers that trees split by categories."""
    found = {
        int(tree.feature[node]) for tree in trees for node, kind in enumerate(tree.categories or ()) if kind is not None
    }
    return sorted(found - set(codes))


# gblinear -------------------------------------------------------------------------------------------------------------
def _weighted(x: Value, model: Model) -> Value:
    """Return ``bias + base + x1 w1 + x2 w2 + ...``, added from left to right; what is missing adds nothing."""
    weights = np.array(model.forest["weights"], F32).reshape(-1, len(model.base))
    x = where(x.equals(x), x, F32(0))
    start = (zeros(x, 1).astype(F32) + (weights[-1] + model.base)[None]).unsqueezed(1)
    terms = concat([start, x.unsqueezed(2) * weights[None, :-1]])
    shape = (None, model.n_features + 1, len(model.base))
    sums = x.graph.op("CumSum", [terms, np.array(1, np.int64)], F32, shape)
    return x.graph.op("Gather", [sums, np.array(model.n_features)], F32, (None, len(model.base)), axis=1)


PREDICTS: Dict[str, Predict] = {
    "XGBClassifier": classifier,
    "XGBRFClassifier": classifier,
    "XGBRegressor": regressor,
    "XGBRFRegressor": regressor,
    "XGBRanker": ranker,
}
RAW = tuple(PREDICTS)
