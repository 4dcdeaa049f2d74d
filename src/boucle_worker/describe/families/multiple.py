"""One estimator made of several: a model for each class or target, chains of them, and thresholds of one's own."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families.linear import both
from boucle_worker.describe.families.neighbours import squared_distances
from boucle_worker.describe.formulas import absolute, concat, gather, log, upright, where
from boucle_worker.describe.frame import as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Rows, Transform, Writer, known_name, version_of


def one_vs_rest(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the class whose own model is surest; several labels at once as zeros and ones, ``(n, classes)``.

    Of equally sure ones the last until scikit-learn 1.7, then the first.
    """
    members = estimator.estimators_
    kind = estimator.label_binarizer_.y_type_
    sure = concat(_each(writer, members, x, _sureness))
    p = _rest_probabilities(writer, estimator, x)
    decision = sure if all(hasattr(member, "decision_function") for member in members) else None
    if kind == "multiclass":
        is_last = int(version_of("sklearn") < _FIRST_OF_EQUAL)
        label = sure.graph.op("ArgMax", [sure], np.int64, (None,), axis=1, keepdims=0, select_last_index=is_last)
        return Answer(label, p, decision, classes=np.asarray(estimator.classes_))
    told = (sure > _threshold(members[0])).astype(np.int64)
    if kind == "binary":
        return Answer(told.flat(), p, decision, classes=np.asarray(estimator.classes_))
    if kind != "multilabel-indicator" or estimator.label_binarizer_.sparse_input_:
        raise Cannot("its OneVsRestClassifier gives several labels as a sparse matrix")
    return Answer(value=told, probabilities=p, decision=decision)


def _rest_probabilities(writer: Writer, estimator: Any, x: Rows) -> Optional[Value]:
    """Return the probability of each class by its own model, divided by their sum unless there may be several.

    Where all are 0, they stay so from scikit-learn 1.7 on; before they become NaN.
    """
    members = estimator.estimators_
    if not all(hasattr(member, "predict_proba") for member in members):
        return None
    p = concat(_each(writer, members, x, _second))
    p = both(p) if p.width == 1 else p
    if estimator.label_binarizer_.y_type_.startswith("multilabel"):
        return p
    total = p.sum()
    if version_of("sklearn") < _ZEROS_STAY:
        return p / total
    return p / where(total.equals(np.zeros((1, 1), p.dtype)), np.ones((1, 1), p.dtype), total)


def one_vs_one(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the class that wins most duels; how surely it wins them, ``s / (3 (|s| + 1))``, decides between equals."""
    if estimator.pairwise_indices_ is not None:
        raise Cannot("its OneVsOneClassifier takes a matrix of kernels or distances")
    members, classes = estimator.estimators_, np.asarray(estimator.classes_)
    pairs = [(i, j) for i in range(len(classes)) for j in range(i + 1, len(classes))]
    for_first = np.array([np.eye(len(classes))[i] for i, _j in pairs])
    for_second = np.array([np.eye(len(classes))[j] for _i, j in pairs])
    won = concat(_each(writer, members, x, _index)).astype(np.float64)
    votes = won @ for_second + (1.0 - won) @ for_first
    sure = concat(_each(writer, members, x, _sureness)).astype(np.float64) @ (for_second - for_first)
    decision = votes + sure / ((absolute(sure) + 1.0) * 3.0)
    if len(classes) > 2:
        return Answer(decision.argmax(), None, decision, classes=classes)
    decision = decision.column(1)
    bar = 0.0 if version_of("sklearn") < (1, 3) else _threshold(members[0])
    return Answer((decision > bar).astype(np.int64).flat(), None, decision, classes=classes)


def output_code(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the class whose code lies nearest to what the models say."""
    told = concat(_each(writer, estimator.estimators_, x, _sureness)).astype(np.float64)
    return Answer(squared_distances(told, estimator.code_book_).argmin(), classes=np.asarray(estimator.classes_))


def multi_output_regressor(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return each target by its own model, ``(n, targets)``."""
    return Answer(value=concat([upright(writer.value(member, x)) for member in estimator.estimators_]))


def multi_output_classifier(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the label of each target by its own model, ``(n, targets)``: only where labels are numbers."""
    return Answer(value=concat([upright(_label(writer, member, x)) for member in estimator.estimators_]))


def regressor_chain(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return each target by its own model, which also sees the answers of those before it."""
    rows = [augmented for augmented, _said in _links(writer, estimator, x)]
    values = [upright(writer.value(member, row)) for member, row in zip(estimator.estimators_, rows)]
    return Answer(value=_in_order(estimator, values))


def classifier_chain(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the label of each target by its own model, as doubles, and the probability of the second class of each."""
    rows = [augmented for augmented, _said in _links(writer, estimator, x)]
    members = list(zip(estimator.estimators_, rows))
    values = [upright(_label(writer, member, row)).astype(np.float64) for member, row in members]
    p = None
    if all(hasattr(member, "predict_proba") and len(member.classes_) == 2 for member, _row in members):
        p = [writer.probabilities(member, row).column(1).astype(np.float64) for member, row in members]
    return Answer(value=_in_order(estimator, values), probabilities=None if p is None else _in_order(estimator, p))


def _links(writer: Writer, estimator: Any, x: Rows) -> List[Tuple[Value, Value]]:
    """Return for each model of a chain the rows that it sees, doubles, and what it hands on."""
    method = getattr(estimator, "chain_method_", "predict")
    rows = as_value(x, type(estimator).__name__)
    links: List[Tuple[Value, Value]] = []
    for member in estimator.estimators_:
        sees = concat([rows.astype(np.float64), *[said for _rows, said in links]]).sparse(rows.is_sparse)
        links.append((sees, _said(writer, member, sees, method).astype(np.float64)))
    return links


def _said(writer: Writer, member: Any, rows: Value, method: str) -> Value:
    """Return what a model of a chain hands on, ``(n, 1)``."""
    if method == "predict":
        is_classifier = hasattr(member, "classes_")
        return upright(_label(writer, member, rows) if is_classifier else writer.value(member, rows))
    if method == "decision_function":
        return writer.decision(member, rows)
    p = writer.probabilities(member, rows).column(1)
    return log(p) if method == "predict_log_proba" else p


def _in_order(estimator: Any, values: Sequence[Value]) -> Value:
    """Return the columns of a chain in the order of the targets."""
    return concat(list(values)).columns(np.argsort(np.asarray(estimator.order_)))


def threshold_classifier(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return the positive class where its score reaches the threshold; probabilities are those of the classifier."""
    base = getattr(estimator, "estimator_", None) or estimator.estimator
    classes = np.asarray(base.classes_)
    is_tuned = hasattr(estimator, "best_threshold_")
    told = estimator._curve_scorer._get_pos_label() if is_tuned else estimator.pos_label  # noqa: SLF001
    positive = 1 if told is None else int(np.flatnonzero(classes == told)[0])
    answer = writer.predict(base, x)
    is_probability = _asks_probability(estimator.response_method, base)
    score = answer.probabilities if is_probability else answer.decision
    if score is None:
        raise Cannot(f"the scores of its {known_name(base)} have no exact graph")
    score = score.column(positive) if is_probability else (score if positive == 1 else -score)
    bar = estimator.best_threshold_ if is_tuned else estimator.threshold
    if isinstance(bar, str):
        bar = 0.5 if is_probability else 0.0
    writer.graph.mark(score, 0, [bar])
    is_positive = (score >= float(bar)).astype(np.int64).flat()
    return answer._replace(label_index=is_positive if positive == 1 else 1 - is_positive, classes=classes)


def _asks_probability(method: str, base: Any) -> bool:
    return method == "predict_proba" or (method == "auto" and hasattr(base, "predict_proba"))


def self_training(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return what the classifier answers that was fitted on the labels it gave itself."""
    return writer.predict(estimator.estimator_ if hasattr(estimator, "estimator_") else estimator.base_estimator_, x)


def frozen(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return what the frozen estimator answers."""
    return writer.predict(estimator.estimator, x)


def frozen_rows(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return what the frozen transformer makes of the rows."""
    return writer.transform(estimator.estimator, x)


def _each(writer: Writer, members: Sequence[Any], x: Rows, asked: Callable[[Writer, Any, Rows], Value]) -> List[Value]:
    """Return what is asked of each model of two classes, ``(n, 1)``.

    A class that was in all rows of the fit, or in none, has no model but a constant.
    """
    is_constant = [known_name(member) == "_ConstantPredictor" for member in members]
    found = {i: asked(writer, member, x) for i, member in enumerate(members) if not is_constant[i]}
    if not found:
        raise Cannot("each class of its classifier was in all rows or in none")
    any_row = next(iter(found.values())) > 0.0
    constants = {
        i: where(any_row, value, value)
        for i, value in enumerate(np.asarray(getattr(m, "y_", [0.0]), np.float64)[:1][None] for m in members)
        if is_constant[i]
    }
    return [constants[i] if is_constant[i] else found[i] for i in range(len(members))]


def _sureness(writer: Writer, member: Any, x: Rows) -> Value:
    """Return how sure a model of two classes is of the second, ``(n, 1)``: its decision value, else probability."""
    from sklearn.base import is_regressor

    if is_regressor(member):
        return upright(writer.value(member, x))
    return writer.decision(member, x) if hasattr(member, "decision_function") else _second(writer, member, x)


def _second(writer: Writer, member: Any, x: Rows) -> Value:
    """Return the probability of the second class, ``(n, 1)``."""
    return writer.probabilities(member, x).column(1)


def _threshold(member: Any) -> float:
    """Return above which a model of two classes says the second."""
    from sklearn.base import is_classifier

    return 0.0 if hasattr(member, "decision_function") and is_classifier(member) else 0.5


def _index(writer: Writer, member: Any, x: Rows) -> Value:
    """Return the place of the label, ``(n, 1)``; a regressor's answer is a label itself."""
    answer = writer.predict(member, x)
    found = answer.value if answer.label_index is None else answer.label_index
    if found is None:
        raise Cannot(f"its {known_name(member)} gives no classes")
    return upright(found)


def _label(writer: Writer, member: Any, x: Rows) -> Value:
    """Return the labels of a classifier as the numbers they are, ``(n,)``. Raises Cannot where they are texts."""
    answer = writer.predict(member, x)
    classes = np.asarray(answer.classes)
    if answer.label_index is None or classes.dtype.kind not in "iuf":
        raise Cannot(f"its {known_name(member)} answers several targets with labels that are no numbers")
    return gather(classes.astype(np.float64 if classes.dtype.kind == "f" else np.int64), answer.label_index)


_ZEROS_STAY = (1, 7)
_FIRST_OF_EQUAL = (1, 8)
PREDICTS: Dict[str, Predict] = {
    "ClassifierChain": classifier_chain,
    "FixedThresholdClassifier": threshold_classifier,
    "FrozenEstimator": frozen,
    "MultiOutputClassifier": multi_output_classifier,
    "MultiOutputRegressor": multi_output_regressor,
    "OneVsOneClassifier": one_vs_one,
    "OneVsRestClassifier": one_vs_rest,
    "OutputCodeClassifier": output_code,
    "RegressorChain": regressor_chain,
    "SelfTrainingClassifier": self_training,
    "TunedThresholdClassifierCV": threshold_classifier,
}
TRANSFORMS: Dict[str, Transform] = {"FrozenEstimator": frozen_rows}
RAW = tuple(PREDICTS)
