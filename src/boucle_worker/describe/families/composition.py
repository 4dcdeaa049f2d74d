"""Pipelines, column transformers, unions and searches: estimators that only put others together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.frame import Frame, Grow, Part, as_value
from boucle_worker.describe.graph import Value
from boucle_worker.describe.probes import width
from boucle_worker.describe.tables import all_answers
from boucle_worker.describe.terms import Sparse, side_by_side
from boucle_worker.describe.writer import Answer, Predict, Rows, Transform, Writer


def pipeline(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return what the steps make of the rows, one after the other."""
    for _name, step in estimator.steps:
        if not hasattr(step, "fit_resample"):  # imblearn's samplers only work while fitting
            x = writer.transform(step, x)
    return x


def pipeline_answer(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return what the last step answers to what the others make of the rows."""
    for _name, step in estimator.steps[:-1]:
        if not hasattr(step, "fit_resample"):
            x = writer.transform(step, x)
    return writer.predict(estimator.steps[-1][1], x)


def column_transformer(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return each transformer's columns side by side."""
    if isinstance(x, Value):
        x = frame_of(x)
    made = []
    for name, transformer, columns in estimator.transformers_:
        places = _places(estimator, name, columns, x)
        if isinstance(transformer, str) and transformer == "drop":
            continue
        if len(places) == 0:
            continue
        made.append((transformer, x.select(places, is_vector=isinstance(columns, (str, int)))))
    results = _transformed(writer, made)
    return _joined(estimator, x, results, is_sparse=bool(getattr(estimator, "sparse_output_", False)))


def feature_union(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return what each transformer makes of all rows side by side, times its weight."""
    weights = estimator.transformer_weights or {}
    kept = [
        (name, transformer) for name, transformer in estimator.transformer_list if transformer not in ("drop", None)
    ]
    made = []
    for (name, _transformer), rows in zip(
        kept, _transformed(writer, [(transformer, x) for _name, transformer in kept])
    ):
        made.append(as_value(rows, "FeatureUnion") * float(weights[name]) if name in weights else rows)
    frame = x if isinstance(x, Frame) and not weights else None
    return _joined(estimator, frame, made, is_sparse=any(isinstance(m, Value) and m.is_sparse for m in made))


def _transformed(writer: Writer, asked: Sequence[Tuple[Any, Rows]]) -> List[Rows]:
    """Return what each transformer makes of its rows. Raises Grow once, with the values that any of them lacks."""
    made: List[Rows] = []
    lacking: Dict[str, List[Any]] = {}
    for transformer, rows in asked:
        try:
            made.append(writer.transform(transformer, rows))
        except Grow as grown:
            for source, values in grown.lacking.items():
                lacking.setdefault(source, []).extend(values)
        except Exception:
            if not lacking:
                raise
            break  # it may do once the vocabularies are whole; else it raises then
    if lacking:
        raise Grow(lacking)
    return made


def searched(writer: Writer, estimator: Any, x: Rows) -> Answer:
    """Return what the best estimator of a search answers."""
    return writer.predict(_best(estimator), x)


def searched_rows(writer: Writer, estimator: Any, x: Rows) -> Rows:
    """Return what the best transformer of a search makes of the rows."""
    return writer.transform(_best(estimator), x)


def frame_of(x: Value) -> Frame:
    """Return a matrix as a frame of its columns."""
    parts = [Part(f"x{j}", x.dtype, x.column(j)) for j in range(x.width)]
    return Frame(parts, {}, None)  # type: ignore[arg-type]  # nothing is coded in it


def _best(estimator: Any) -> Any:
    if not hasattr(estimator, "best_estimator_"):
        raise Cannot(f"its {type(estimator).__name__} was fitted with refit=False")
    return estimator.best_estimator_


def _places(estimator: Any, name: str, columns: Any, x: Frame) -> List[int]:
    """Return which columns of the frame a transformer takes."""
    told: Dict[str, Any] = getattr(estimator, "_transformer_to_input_indices", {})
    found = told.get(name, columns)
    names = getattr(estimator, "feature_names_in_", None)
    if isinstance(found, (str, bytes)) or np.isscalar(found):
        found = [found]
    if isinstance(found, slice):
        found = range(*found.indices(len(x.parts)))
    places = []
    for place in list(found):
        is_index = isinstance(place, (int, np.integer)) and not isinstance(place, (bool, np.bool_))
        label = (names[place] if names is not None else None) if is_index else place
        if label is not None and str(label) in x.names:
            places.append(x.names.index(str(label)))
        elif is_index and int(place) < len(x.parts):
            places.append(int(place))
        else:
            raise Cannot(f"its ColumnTransformer takes a column {label!r} that the rows do not have")
    return places


def _joined(estimator: Any, x: Any, made: Sequence[Rows], *, is_sparse: bool) -> Rows:
    """Return several results side by side: a matrix, or a frame while columns are coded or bear names."""
    if not made:
        raise Cannot(f"its {type(estimator).__name__} keeps no column")
    is_coded = any(isinstance(rows, Frame) and (rows.has_codes or any(p.is_date for p in rows.parts)) for rows in made)
    names = _output_names(estimator)
    is_wide = any(isinstance(rows, Sparse) for rows in made)  # texts among them: the columns have no names of their own
    if x is None or is_wide or not (is_coded or names):
        return side_by_side([as_value(rows, type(estimator).__name__) for rows in made]).sparse(is_sparse)
    parts: List[Part] = []
    for rows in made:
        parts += rows.parts if isinstance(rows, Frame) else frame_of(rows).parts
    sources = dict.fromkeys(part.source for part in parts if part.value is None)
    known = [source for source in sources if source]
    probes = all_answers(type(estimator).__name__, estimator, x, known, len(parts))
    for batch in probes.batches:
        if width(batch.rows) != len(parts):
            source = next(iter(batch.spans))
            raise Cannot(f"its {type(estimator).__name__} gives other columns for a few rows than for many ({source})")
    if names and len(names) == len(parts):
        parts = [replace(part, name=name) for part, name in zip(parts, names)]
    return Frame(parts, probes, x.codes)


def _output_names(estimator: Any) -> List[str]:
    """Return the names of the columns of a step whose output is a DataFrame; [] when it is an array."""
    told = getattr(estimator, "_sklearn_output_config", {}).get("transform", "default")
    if told == "default":
        import sklearn

        told = sklearn.get_config().get("transform_output", "default")
    if told == "default":
        return []
    return [str(name) for name in estimator.get_feature_names_out()]


TRANSFORMS: Dict[str, Transform] = {
    "Pipeline": pipeline,
    "ColumnTransformer": column_transformer,
    "FeatureUnion": feature_union,
    "GridSearchCV": searched_rows,
    "RandomizedSearchCV": searched_rows,
}
PREDICTS: Dict[str, Predict] = {
    "Pipeline": pipeline_answer,
    "GridSearchCV": searched,
    "RandomizedSearchCV": searched,
    "HalvingGridSearchCV": searched,
    "HalvingRandomSearchCV": searched,
}
RAW = ("Pipeline", "ColumnTransformer", "FeatureUnion", *PREDICTS)
