"""Ensembles of any estimators: votes, bags, boosts and stacks.

Members are added one after the other, as numpy adds them, so that ties come out as in scikit-learn. Members that are
all decision trees are written as one forest.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.tree_ensemble import ensemble
from boucle_worker.describe.families.trees import plain, shares, summed, through_float32
from boucle_worker.describe.formulas import concat, gather, log, maximum, smallest, softmax, upright, where
from boucle_worker.describe.frame import Frame, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Rows, Transform, Writer, known_name, version_of

_TREES = ("DecisionTreeClassifier", "ExtraTreeClassifier", "DecisionTreeRegressor", "ExtraTreeRegressor")


def added(values: Sequence[Value]) -> Value:
    """Return the sum of values, one after the other."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def voting_classifier(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the weighted mean of the probabilities, or the class with most weighted votes: the first of equal ones."""
    classes = np.asarray(estimator.classes_)
    weights = _weights(estimator)
    if estimator.voting == "soft":
        p = _mean([writer.probabilities(member, x) for member in estimator.estimators_], weights)
        return Answer(p.argmax(), p, classes=classes)
    votes = [
        _chosen(writer, member, x, np.eye(len(classes))[np.asarray(member.classes_)] * weight)
        for member, weight in zip(
            estimator.estimators_, [1.0] * len(estimator.estimators_) if weights is None else weights
        )
    ]
    return Answer(added(votes).argmax(), classes=classes)


def voting_regressor(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the weighted mean of what the members answer."""
    return Answer(value=_mean([upright(writer.value(m, x)) for m in estimator.estimators_], _weights(estimator)))


def bagging_classifier(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the mean of the members' probabilities; of their votes where they have none."""
    classes = np.asarray(estimator.classes_)
    n_members = float(len(estimator.estimators_))
    one_hot = np.eye(len(classes))
    trees = _trees(estimator.estimators_)
    if trees is not None:
        tables = [shares(t) @ one_hot[np.asarray(m.classes_)] for t, m in zip(trees, estimator.estimators_)]
        seen = [_seen(t, features) for t, features in zip(trees, estimator.estimators_features_)]
        p = summed(as_value(x, "BaggingClassifier"), seen, tables) / n_members
        return Answer(p.argmax(), p, classes=classes)
    found = []
    for member, features in zip(estimator.estimators_, estimator.estimators_features_):
        rows, places = picked(x, features), one_hot[np.asarray(member.classes_)]
        if not hasattr(member, "predict_proba"):
            found.append(_chosen(writer, member, rows, places))
            continue
        p = writer.probabilities(member, rows).astype(np.float64)
        found.append(p if len(places) == len(classes) else p @ places)
    p = added(found) / n_members
    return Answer(p.argmax(), p, _mean_decision(writer, estimator, x), classes=classes)


def bagging_regressor(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the mean of what the members answer."""
    n_members = float(len(estimator.estimators_))
    trees = _trees(estimator.estimators_)
    if trees is not None:
        seen = [_seen(t, features) for t, features in zip(trees, estimator.estimators_features_)]
        return Answer(
            value=summed(as_value(x, "BaggingRegressor"), seen, [t.value[:, :, 0] for t in trees]) / n_members
        )
    members = zip(estimator.estimators_, estimator.estimators_features_)
    return Answer(value=added([writer.value(m, picked(x, features)) for m, features in members]) / n_members)


def picked(x: Rows, features: Any) -> Rows:
    """Return some columns, in that order."""
    features = np.asarray(features)
    if isinstance(x, Frame):
        return x if np.array_equal(features, np.arange(len(x.parts))) else x.select([int(i) for i in features])
    return x.columns(features)


def ada_boost_classifier(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the weighted votes of the members, divided by the weights; for two classes a number above 0 is the second.

    A vote gives ``w`` to its class and ``-w / (k - 1)`` to the others (0 before scikit-learn 1.3). SAMME.R, until 1.5,
    adds the logarithms of the members' probabilities instead.
    """
    classes = np.asarray(estimator.classes_)
    k = len(classes)
    if k < 2:
        raise Cannot("its AdaBoostClassifier knows one class only")
    trees = _trees(estimator.estimators_)
    total = _boosted_trees(estimator, trees, k, x) if trees is not None else _boosted(writer, estimator, k, x)
    decision = total / float(estimator.estimator_weights_.sum())
    if k > 2:
        return Answer(decision.argmax(), softmax(decision / float(k - 1)), decision, classes=classes)
    decision = decision.column(1) - decision.column(0)
    p = softmax(concat([-decision, decision]) / 2.0)
    return Answer((decision > 0.0).astype(np.int64).flat(), p, decision, classes=classes)


def _boosted_trees(estimator: Any, trees: Sequence[Any], k: int, x: Rows) -> Value:
    """Return the sum of the votes of trees, each read off its leaves: ``(n, k)``."""
    tables = []
    for tree, weight in zip(trees, estimator.estimator_weights_):
        share = shares(tree)
        if _is_real(estimator):
            logs = np.log(np.clip(share, np.finfo(np.float64).eps, None))
            tables.append((k - 1) * (logs - (1.0 / k) * logs.sum(axis=1)[:, None]))
        else:
            tables.append(_ballot(k, weight)[tree.value[:, 0].argmax(axis=1)])
    rows = as_value(x, "AdaBoostClassifier")
    if k > 2:
        return summed(rows, trees, tables)
    first, second = (summed(rows, trees, [np.ascontiguousarray(t[:, [j]]) for t in tables]) for j in (0, 1))
    return concat([first, second])


def _boosted(writer: Writer, estimator: Any, k: int, x: Rows) -> Value:
    """Return the sum of the votes of any members, ``(n, k)``."""
    votes = []
    for member, weight in zip(estimator.estimators_, estimator.estimator_weights_):
        if _is_real(estimator):
            p = writer.probabilities(member, x)
            logs = log(maximum(p, np.asarray(np.finfo(p.dtype).eps)))
            votes.append((logs - logs.sum() * (1.0 / k)) * float(k - 1))
        else:
            votes.append(_chosen(writer, member, x, _ballot(k, weight)))
    return added(votes)


def _is_real(estimator: Any) -> bool:
    """True for SAMME.R, the default until scikit-learn 1.5."""
    return bool(getattr(estimator, "algorithm", "SAMME") == "SAMME.R")


def _ballot(k: int, weight: float) -> Any:
    """Return what a vote for each class gives to the classes, ``(k, k)``."""
    other = -1 / (k - 1) * weight if version_of("sklearn") >= (1, 3) else 0.0
    return np.where(np.eye(k, dtype=bool), weight, other)


def ada_boost_regressor(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the weighted median: the first of the sorted answers at which half of the weights are reached."""
    members, weights = estimator.estimators_, np.asarray(estimator.estimator_weights_, np.float64)
    trees = _trees(members)
    if trees is not None:
        plains = [plain(tree, tree.value[:, 0, 0]) for tree in trees]
        rows = as_value(x, "AdaBoostRegressor")
        answers = ensemble(through_float32(rows, plains), plains, range(len(plains)), len(plains))
    else:
        answers = concat([upright(writer.value(member, x)) for member in members])
    found, places = smallest(answers, len(members))
    reached = writer.graph.op("CumSum", [gather(weights, places), np.array(1)], np.float64, found.shape)
    is_above = reached >= reached.column(len(members) - 1) * 0.5
    return Answer(value=where(is_above, found, np.full((1, 1), np.inf, found.dtype)).min())


def stacking(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return what the final estimator answers to what the others answer; it knows the classes by number."""
    answer = writer.predict(estimator.final_estimator_, stacked(writer, estimator, x))
    classes = getattr(estimator, "classes_", None)
    if answer.label_index is None:
        if classes is not None:
            raise Cannot("the final estimator of its StackingClassifier gives no classes")
        return answer
    if not np.array_equal(answer.classes, np.arange(len(classes))):  # type: ignore[arg-type]  # a classifier has them
        raise Cannot("the final estimator of its StackingClassifier has not seen all classes")
    return answer._replace(classes=np.asarray(classes))


def stacked(writer: Writer, estimator: Any, x: Rows) -> Value:
    """Return the answers of the estimators side by side, and the rows themselves if asked.

    Of the probabilities of two classes only the second is kept.
    """
    members = [member for member in estimator.estimators_ if not isinstance(member, str)]
    parts: List[Value] = []
    for member, method in zip(members, estimator.stack_method_):
        if method == "predict_proba":
            p = writer.probabilities(member, x)
            parts.append(p.column(1) if len(estimator.classes_) == 2 else p)
        elif method == "decision_function":
            parts.append(writer.decision(member, x))
        else:
            parts.append(upright(writer.value(member, x)))
    if not estimator.passthrough:
        return concat(parts)
    rows = as_value(x, type(estimator).__name__)
    return concat([*parts, rows]).sparse(rows.is_sparse)


def _chosen(writer: Writer, member: Any, x: Rows, table: Any) -> Value:
    """Return the row of a table for the label of a classifier, ``(n, k)``."""
    label = writer.predict(member, x).label_index
    if label is None:
        raise Cannot(f"its {known_name(member)} gives no classes to vote for")
    return gather(table, label)


def _mean(values: Sequence[Value], weights: Optional[Any]) -> Value:
    """Return the weighted mean of values, as ``np.average`` computes it."""
    if weights is None:
        return added(values) / float(len(values))
    return added([value * weight for value, weight in zip(values, weights)]) / float(weights.sum())


def _weights(estimator: Any) -> Optional[Any]:
    """Return the weights of the members that are not dropped; None for equal ones."""
    told = estimator._weights_not_none  # noqa: SLF001
    return None if told is None else np.asarray(told, np.float64)


def _mean_decision(writer: Writer, estimator: Any, x: Rows) -> Optional[Value]:
    """Return the mean of the members' decision values; None where they have none."""
    members = estimator.estimators_
    if not all(hasattr(m, "decision_function") and len(m.classes_) == len(estimator.classes_) for m in members):
        return None
    found = [writer.predict(m, picked(x, f)).decision for m, f in zip(members, estimator.estimators_features_)]
    known = [value for value in found if value is not None]
    return added(known) / float(len(known)) if len(known) == len(members) else None


def _trees(members: Sequence[Any]) -> Optional[List[Any]]:
    """Return the trees of members that are all decision trees of one output; None for others."""
    if all(known_name(member) in _TREES and member.n_outputs_ == 1 for member in members):
        return [member.tree_ for member in members]
    return None


def _seen(tree: Any, features: Any) -> Any:
    """Return a tree that was fitted on some of the columns as one that is asked about all of them."""
    names = ("threshold", "children_left", "children_right", "n_node_samples", "node_count", "value")
    told = {name: getattr(tree, name) for name in names}
    if hasattr(tree, "missing_go_to_left"):
        told["missing_go_to_left"] = tree.missing_go_to_left
    return SimpleNamespace(feature=np.asarray(features)[np.maximum(tree.feature, 0)], **told)


def stacked_rows(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return what ``transform`` of a stack gives."""
    return stacked(writer, estimator, x)


PREDICTS: Dict[str, Predict] = {
    "AdaBoostClassifier": ada_boost_classifier,
    "AdaBoostRegressor": ada_boost_regressor,
    "BaggingClassifier": bagging_classifier,
    "BaggingRegressor": bagging_regressor,
    "StackingClassifier": stacking,
    "StackingRegressor": stacking,
    "VotingClassifier": voting_classifier,
    "VotingRegressor": voting_regressor,
}
TRANSFORMS: Dict[str, Transform] = {"StackingClassifier": stacked_rows, "StackingRegressor": stacked_rows}
RAW = tuple(PREDICTS)
