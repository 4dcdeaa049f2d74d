"""Why a model could not answer its own rows, and the code that cures it.

Shared by the client, which asks the model in the notebook, and by the build, which asks it in its own
environment: the same failure reads the same in both places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from boucle.core.i18n import _
from boucle.core.signature import Input

MAX_COLUMNS = 5


@dataclass(frozen=True)
class Failure:
    """What the model raised: the name of the exception's class, its last line, and the class of the model.

    ``fitted_columns`` are the columns that the model was fitted on, when it says so (``feature_names_in_``).
    """

    type: str
    message: str
    model_class: str = ""
    fitted_columns: tuple[str, ...] = ()

    @property
    def short_class(self) -> str:
        """The class of the model without its module; ``Model`` when unknown."""
        return self.model_class.rpartition(".")[2] or "Model"


@dataclass(frozen=True)
class Diagnosis:
    """``cause`` in a sentence or two; ``cure``, the code to write or the command to give."""

    cause: str
    cure: str


def diagnose(failure: Failure, inputs: Sequence[Input]) -> Diagnosis:
    """Return the cause and the cure of a model's failure on raw rows made of ``inputs``.

    >>> failure = Failure("ValueError", "could not convert string to float: 'Lyon'", "LogisticRegression")
    >>> diagnose(failure, [Input("city", "text", "object")]).cause
    "LogisticRegression takes numbers only, but the rows hold text in 'city'."
    """
    for pattern, explain in _KNOWN:
        if re.search(pattern, f"{failure.type}: {failure.message}", re.IGNORECASE | re.DOTALL):
            found = explain(failure, inputs)
            if found is not None:
                return found
    return Diagnosis(
        _("{model} raised {type} on the example: {message}").format(
            model=failure.short_class, type=failure.type, message=failure.message[:300]
        ),
        _("Make this line work, then deploy again: model.predict(example)"),
    )


def _not_fitted(failure: Failure, _inputs: Sequence[Input]) -> Optional[Diagnosis]:
    return Diagnosis(
        _("{model} is not fitted yet.").format(model=failure.short_class),
        _("Fit it before deploying it: model.fit(X, y)"),
    )


def _text(failure: Failure, inputs: Sequence[Input]) -> Optional[Diagnosis]:
    names = [item.name for item in inputs if item.kind == "text"]
    if not names:
        return None
    return Diagnosis(
        _("{model} takes numbers only, but the rows hold text in {columns}.").format(
            model=failure.short_class, columns=_listed(names)
        ),
        _encoding_code(names, failure),
    )


def _dates(failure: Failure, inputs: Sequence[Input]) -> Optional[Diagnosis]:
    names = [item.name for item in inputs if item.kind == "datetime"]
    if not names:
        return None
    transformer = "FunctionTransformer(lambda X: X.apply(lambda c: c.dt.year * 366 + c.dt.day_of_year))"
    return Diagnosis(
        _("{model} takes numbers only, but the rows hold dates in {columns}.").format(
            model=failure.short_class, columns=_listed(names)
        ),
        _pipeline_code(transformer, names, "sklearn.preprocessing import FunctionTransformer", failure),
    )


def _missing(failure: Failure, inputs: Sequence[Input]) -> Optional[Diagnosis]:
    names = [item.name for item in inputs if item.kind in ("float", "int", "bool")]
    return Diagnosis(
        _("{model} takes no missing values, but the rows hold some.").format(model=failure.short_class),
        _pipeline_code("SimpleImputer()", names, "sklearn.impute import SimpleImputer", failure),
    )


def _columns(failure: Failure, inputs: Sequence[Input]) -> Optional[Diagnosis]:
    given, fitted = [item.name for item in inputs], failure.fitted_columns
    lacking = [name for name in fitted if name not in given]
    extra = [name for name in given if name not in fitted] if fitted else []
    parts = [_("{model} was fitted on other columns than those of the example.").format(model=failure.short_class)]
    if lacking:
        parts.append(_("It expects {columns}.").format(columns=_listed(lacking)))
    if extra:
        parts.append(_("It does not know {columns}.").format(columns=_listed(extra)))
    if not lacking and not extra:
        parts.append(failure.message[:300])
    raw = [item.name for item in inputs if item.kind == "text" and item.name in extra]
    if raw:
        return Diagnosis(" ".join(parts), _encoding_code(raw, failure))
    return Diagnosis(
        " ".join(parts),
        _(
            "Give as example the rows the model is called with, or put the preparation and the model in one pipeline "
            "and fit it on the raw rows: pipeline = make_pipeline(preparation, model).fit(raw_rows, y)"
        ),
    )


def _no_module(failure: Failure, _inputs: Sequence[Input]) -> Optional[Diagnosis]:
    found = re.search(r"No module named '([^']+)'", failure.message)
    if found is None:
        return None
    return Diagnosis(
        _("The model needs the module {module}, which is not in its environment.").format(module=found.group(1)),
        _("Carry it (code=[{module}]) or install it (requirements=[...]), then deploy again.").format(
            module=found.group(1)
        ),
    )


_KNOWN: tuple[tuple[str, Callable[[Failure, Sequence[Input]], Optional[Diagnosis]]], ...] = (
    (r"NotFittedError|not fitted|isn't fitted", _not_fitted),
    (r"No module named", _no_module),
    (r"feature names|feature_names|has \d+ features?, but|columns are missing|not a column|not in index", _columns),
    (r"number of features|Feature shape mismatch|specified columns", _columns),
    (r"contains NaN|missing values|encoded natively", _missing),
    (r"Timestamp|datetime|DateTime64", _dates),
    (r"could not convert string|dtypes for data must be|invalid literal for|multiply sequence", _text),
    (r"dtype\('?O|object dtype", _text),
    (r"dtypes must be int, float|str_|StrDType|StringDType|<U\d+|cannot use .*str.*dtype|to numeric", _text),
)


def _encoding_code(names: Sequence[str], failure: Failure) -> str:
    encoder = 'OneHotEncoder(handle_unknown="ignore")'
    return _pipeline_code(encoder, names, "sklearn.preprocessing import OneHotEncoder", failure)


def _pipeline_code(transformer: str, names: Sequence[str], imported: str, failure: Failure) -> str:
    intro = _("Put the preparation and the model in one pipeline, fit it on the raw rows and deploy that:")
    columns = ", ".join(f'"{name}"' for name in names[:MAX_COLUMNS]) + (", ..." if len(names) > MAX_COLUMNS else "")
    return f"""{intro}
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from {imported}
    preparation = make_column_transformer(({transformer}, [{columns}]), remainder="passthrough")
    pipeline = make_pipeline(preparation, {failure.short_class}(...)).fit(X, y)"""


def _listed(names: Sequence[str]) -> str:
    text = ", ".join(repr(name) for name in names[:MAX_COLUMNS])
    more = len(names) - MAX_COLUMNS
    return text + (_(" and {n} more").format(n=more) if more > 0 else "")
