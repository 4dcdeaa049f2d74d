"""Every estimator of scikit-learn's own list, fitted with its defaults and described: runs where the library is."""

from __future__ import annotations

import inspect
import signal
import warnings
from typing import Any

import numpy as np

from boucle_worker.describe import Cannot, describe
from boucle_worker.feeds import builder
from boucle_worker.frames import Column

_MOST_S = 60
_ALSO = {
    "SelfTrainingClassifier": ["estimator"],
    "GaussianRandomProjection": ["n_components"],
    "SparseRandomProjection": ["n_components"],
    "PLSSVD": ["n_components"],
}
"""Arguments that a default leaves out and that small rows need."""


def covered(n: int) -> list[dict[str, Any]]:
    """Return for each estimator its description, or why there is none, with rows and the model's answers to them.

    What neither predicts nor transforms is not listed. Transformers are followed by a logistic regression.
    """
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
    from sklearn.utils import all_estimators

    warnings.simplefilter("ignore")
    found = []
    for name, kind in all_estimators():
        family = _family(kind)
        if family is not None:
            found.append({"name": name, "kind": family, **_tried(kind, family, n)})
    return found


def _family(kind: Any) -> str | None:
    told = getattr(kind, "_estimator_type", None)
    if told is None:  # newer versions keep it in the tags of an object
        names = [base.__name__ for base in kind.__mro__]
        mixins = {"ClassifierMixin": "classifier", "RegressorMixin": "regressor", "ClusterMixin": "clusterer"}
        told = next((mixins[name] for name in names if name in mixins), None)
        told = "outlier_detector" if "OutlierMixin" in names else told
    if told in ("classifier", "regressor"):
        return str(told)
    if hasattr(kind, "predict"):
        return "other"
    return "transformer" if hasattr(kind, "transform") else None


def _tried(kind: Any, family: str, n: int) -> dict[str, Any]:
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_MOST_S)
    try:
        model, columns, rows = _fitted(kind, family, n)
    except Exception as error:  # noqa: BLE001  # what cannot be fitted so is told as such
        return {"outcome": "cannot be fitted so", "reason": f"{type(error).__name__}: {error}"[:100]}
    finally:
        signal.alarm(0)
    signature, train = columns
    try:
        description = describe(model, signature, builder(signature), train)
        return {
            "header": description.header(),
            "arrays": description.arrays,
            "rows": train,
            "answers": _answers(model, rows, description),
        }
    except Cannot as reason:
        return {"outcome": "refused", "reason": str(reason)}
    except Exception as error:  # noqa: BLE001  # a converter that falls over is told as such
        return {"outcome": "refused", "reason": f"CRASH {type(error).__name__}: {error}"[:200]}


def _answers(model: Any, rows: Any, description: Any) -> dict[str, Any]:
    from onnx_cell import answers

    return answers(model, rows, list(description.outputs))


def _fitted(kind: Any, family: str, n: int) -> Any:
    """Return the fitted model, its rows as columns with their signature, and as the model takes them."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    errors = []
    is_text = kind.__name__.endswith("Vectorizer")
    for make_rows in (_texts,) if is_text else (_matrix, _counted, _single):
        rows = make_rows(n)
        for y in _targets(rows, family, n):
            try:
                model = _made(kind)
                if is_text:
                    model = make_column_transformer((model, "text"))
                if family == "transformer":
                    model = make_pipeline(model, LogisticRegression())
                model.fit(rows, y)
                columns = _columns(rows)
                (model.predict if hasattr(model, "predict") else model.transform)(builder(columns[0])(columns[1]))
            except Exception as error:  # noqa: BLE001  # the next kind of rows may do
                errors.append(error)
            else:
                return model, columns, rows
    raise errors[0]


def _made(kind: Any) -> Any:
    """Return an estimator with its defaults, and the least that it asks for."""
    from sklearn.feature_selection import SelectKBest
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.preprocessing import StandardScaler

    is_regressor = "Regressor" in kind.__name__ or kind.__name__ == "RegressorChain"
    inner = LinearRegression() if is_regressor else LogisticRegression()
    told = {
        "estimator": inner,
        "base_estimator": inner,
        "estimators": [("a", inner), ("b", type(inner)())],
        "transformers": [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2])],
        "transformer_list": [("a", StandardScaler()), ("b", SelectKBest(k=2))],
        "steps": [("a", StandardScaler()), ("b", inner)],
        "param_grid": {"fit_intercept": [True, False]},
        "param_distributions": {"fit_intercept": [True, False]},
        "dictionary": np.eye(4),
        "n_components": 2 if "Projection" in kind.__name__ else 1,
        "novelty": True,  # a LocalOutlierFactor that answers new rows
    }
    parameters = list(inspect.signature(kind.__init__).parameters.values())
    needed = [p.name for p in parameters if p.default is p.empty and p.name not in ("self", "args", "kwargs")]
    asked = {p.name for p in parameters}
    needed += [name for name in ("novelty",) if name in asked]
    needed += _ALSO.get(kind.__name__, [])
    return kind(**{name: told[name] for name in needed})


def _matrix(n: int) -> Any:
    return np.random.default_rng(0).normal(size=(n, 4))


def _counted(n: int) -> Any:
    return np.random.default_rng(0).integers(1, 6, (n, 4)).astype(np.float64)


def _single(n: int) -> Any:
    return np.random.default_rng(0).normal(size=(n, 1))


def _texts(n: int) -> Any:
    words = np.array(["good price", "bad screen", "great sound of it", "never again", "good sound"], dtype=object)
    import pandas as pd

    texts = words[np.random.default_rng(0).integers(0, len(words), n)]
    return pd.DataFrame({"text": pd.Series(texts, dtype=object)})


def _targets(rows: Any, family: str, n: int) -> list[Any]:
    rng = np.random.default_rng(1)
    first = rows[:, 0] if isinstance(rows, np.ndarray) else rows["text"].map(len).to_numpy() / 10
    noisy = first + 0.3 * rng.normal(size=n)
    value, labels = np.exp(noisy / 3), np.digitize(noisy, np.quantile(noisy, [0.4, 0.7]))
    pairs = np.column_stack([value, value**2])
    marks = np.column_stack([labels > 0, labels > 1]).astype(np.int64)
    if family == "regressor":
        return [value, pairs]
    return [labels, (labels > 0).astype(np.int64), marks, value]


def _columns(rows: Any) -> Any:
    """Return the signature and the columns of a matrix, or of a table of texts."""
    if not isinstance(rows, np.ndarray):
        told = {"name": "text", "kind": "text", "dtype": "object", "missing": "nan"}
        return {"feed": "pandas", "inputs": [told]}, {"text": Column("text", rows["text"].to_numpy(dtype=object))}
    names = [f"x{i}" for i in range(rows.shape[1])]
    inputs = [{"name": name, "kind": "float", "dtype": "float64", "missing": "nan"} for name in names]
    return {"feed": "numpy", "inputs": inputs}, {n: Column("float", rows[:, i].copy()) for i, n in enumerate(names)}


def _too_long(_number: int, _frame: Any) -> None:
    raise TimeoutError(f"takes more than {_MOST_S} s to fit")
