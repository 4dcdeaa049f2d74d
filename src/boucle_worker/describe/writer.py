"""Writer: takes fitted estimators apart by the rules of each family, and puts the answers of nested ones together.

A rule is a function of one estimator's class: ``standard_scaler(writer, estimator, x) -> Value``. The families say
which classes they know in dictionaries by the class's name; a class is known only when it is the library's own (a
subclass of somebody's may do otherwise).
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.frame import Frame, as_value
from boucle_worker.describe.graph import Graph, Value
from boucle_worker.describe.tables import COLUMNWISE, is_tabular, tabulate

LIBRARIES = ("sklearn", "xgboost", "lightgbm", "feature_engine", "category_encoders", "imblearn")

SINGLE = ("xgboost",)  # computes in single precision, whatever it is given
SUPERVISED = ("TargetEncoder",)
SCALED = (  # to these the scales of their columns matter
    *("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM", "LinearSVC", "LinearSVR", "KernelRidge"),
    *("KNeighborsClassifier", "KNeighborsRegressor", "LocalOutlierFactor", "KMeans", "MiniBatchKMeans", "PCA"),
    *("MLPClassifier", "MLPRegressor", "LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "SGDRegressor"),
    *("Ridge", "RidgeCV", "RidgeClassifier", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Perceptron"),
    *("GaussianProcessClassifier", "GaussianProcessRegressor", "Nystroem", "RBFSampler"),
)


class Answer(NamedTuple):
    """What an estimator answers. A classifier tells ``label_index`` (the place of the label in ``classes``).

    ``label_index`` is int64 ``(n,)``; ``probabilities`` ``(n, k)``; ``decision`` what ``decision_function`` gives,
    ``(n, 1)`` for two classes and for outlier detectors, else ``(n, k)``; ``value`` is the answer of a regressor
    ``(n,)`` or ``(n, outputs)``, or the labels themselves where these are integers of no list (outlier detectors: -1
    and 1, clusters), int64 ``(n,)``. ``classes`` are in the order of the probabilities.
    """

    label_index: Optional[Value] = None
    probabilities: Optional[Value] = None
    decision: Optional[Value] = None
    value: Optional[Value] = None
    classes: Optional[Any] = None


Rows = Any
"""A Frame (raw columns by name) or a Value ``(n, d)`` of numbers."""
Transform = Callable[["Writer", Any, Rows], Rows]
Predict = Callable[["Writer", Any, Rows], Answer]


@dataclass
class Rules:
    """The rules of all families, by class name. ``raw`` names those that take a Frame as it is."""

    transforms: Dict[str, Transform] = field(default_factory=dict)
    predicts: Dict[str, Predict] = field(default_factory=dict)
    raw: Dict[str, bool] = field(default_factory=dict)

    def add(self, transforms: Mapping[str, Transform], predicts: Mapping[str, Predict], raw: Tuple[str, ...]) -> None:
        """Take the rules of a family."""
        self.transforms.update(transforms)
        self.predicts.update(predicts)
        self.raw.update(dict.fromkeys(raw, True))


class Writer:
    """Writes one model. Families recur through ``transform`` and ``predict``."""

    def __init__(self, graph: Graph, rules: Rules) -> None:
        self.graph = graph
        self._rules = rules

    def transform(self, estimator: Any, x: Rows) -> Rows:
        """Return what ``estimator.transform`` makes of the rows. Raises Cannot."""
        if estimator is None or isinstance(estimator, str):
            if estimator in (None, "passthrough"):
                return x
            raise Cannot(f"it has a step {estimator!r}")
        name = known_name(estimator)
        if name in SUPERVISED and name not in self.graph.supervised:
            self.graph.supervised.append(name)
        rule = self._rules.transforms.get(name)
        if name in COLUMNWISE and isinstance(x, Frame) and is_tabular(name, estimator, x):
            return tabulate(name, estimator, x)
        if rule is None:
            raise Cannot(f"it holds a {name}, which has no exact graph")
        return rule(self, estimator, self._taken(name, x))

    def predict(self, estimator: Any, x: Rows) -> Answer:
        """Return what the estimator answers to the rows. Raises Cannot."""
        name = known_name(estimator)
        self.graph.is_single |= type(estimator).__module__.split(".")[0] in SINGLE
        rule = self._rules.predicts.get(name)
        if rule is None:
            raise Cannot(f"it holds a {name}, which has no exact graph")
        return rule(self, estimator, self._taken(name, x))

    def _taken(self, name: str, x: Rows) -> Rows:
        """Return rows as the rule of a class takes them."""
        if name in self._rules.raw:
            return x
        value = as_value(x, name)
        if name in SCALED and type(value) is Value:  # terms would be written out densely to have a name
            self.graph.joined.append((value.name, name))
        return value

    def probabilities(self, estimator: Any, x: Rows) -> Value:
        """Return what ``predict_proba`` gives. Raises Cannot for an estimator that has none."""
        found = self.predict(estimator, x).probabilities
        if found is None:
            raise Cannot(f"the probabilities of its {known_name(estimator)} have no exact graph")
        return found

    def decision(self, estimator: Any, x: Rows) -> Value:
        """Return what ``decision_function`` gives, ``(n, 1)`` for two classes. Raises Cannot for one that has none."""
        found = self.predict(estimator, x).decision
        if found is None:
            raise Cannot(f"the decision values of its {known_name(estimator)} have no exact graph")
        return found

    def value(self, estimator: Any, x: Rows) -> Value:
        """Return what ``predict`` gives as numbers: a regressor's values, ``(n,)`` or ``(n, outputs)``.

        Of a classifier, its labels when they are numbers. Raises Cannot.
        """
        found = self.predict(estimator, x)
        if found.value is not None:
            return found.value
        if found.label_index is not None and np.asarray(found.classes).dtype.kind in "iufb":
            return self.graph.op(
                "Gather", [np.asarray(found.classes, np.float64), found.label_index], np.float64, (None,), axis=0
            )
        raise Cannot(f"the answers of its {known_name(estimator)} are no numbers")


def known_name(estimator: Any) -> str:
    """Return the class name of an estimator of a known library. Raises Cannot for any other, subclasses too."""
    kind = type(estimator)
    if kind.__module__.split(".")[0] in LIBRARIES:
        return str(kind.__name__)
    raise Cannot(f"it holds a {kind.__qualname__} of {kind.__module__}, whose code the converter does not know")


def version_of(library: str) -> Tuple[int, int]:
    """Return the major and minor version of an imported library; (0, 0) when it is not imported.

    >>> version_of("numpy") >= (1, 0)
    True
    """
    found = re.match(r"(\d+)\.(\d+)", str(getattr(sys.modules.get(library), "__version__", "")))
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)
