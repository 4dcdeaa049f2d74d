"""The build of a pipeline that has an exact graph, and of those that have none: real environments, real workers."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from boucle.core.check import Check
from boucle.core.errors import InvalidRows, TooSlow
from boucle.core.routes import RoutedVersion
from boucle.core.table import Column, Table
from boucle.core.version import Version
from boucle.loop.conversion import opened
from boucle.packaging.ports import Ask, Cannot, Converted
from boucle.registry.routing import routed
from loop.scene import GRAPH_STEPS, Scene, statuses
from loop.shop import customers

STEPS = list(GRAPH_STEPS)


def shoppers() -> pd.DataFrame:
    return customers().drop(columns="since")


def prepared(model: Any, **options: Any) -> Any:
    preparation = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "visits"]),
        (OneHotEncoder(handle_unknown="ignore", **options), ["city"]),
    )
    return make_pipeline(preparation, model)


def check(version: Version, name: str) -> Check:
    return next(check for check in version.checks if check.name == name)


def test_a_pipeline_with_an_exact_graph_runs_in_the_gateway_and_says_what_was_proven(scene: Scene) -> None:
    rows = shoppers()
    model = prepared(RandomForestClassifier(20, random_state=0)).fit(rows, np.where(rows["visits"] > 4, "yes", "no"))
    version = scene.built(scene.manifest(model, rows))
    assert (version.state, version.runtime) == ("ready", "onnx"), version.reason
    assert statuses(version) == dict.fromkeys(STEPS, "pass")
    proof = check(version, "parity").evidence
    assert proof["rows"] > 300
    assert f"parity 0 of {proof['rows']} rows, largest difference" in version.reason
    assert check(version, "timing").evidence["python_one_row_ms"] > check(version, "timing").evidence["one_row_ms"]
    assert version.lock is not None
    assert version.graph is not None
    assert routed(version).graph == version.graph


def test_the_stored_graph_answers_as_the_model(scene: Scene) -> None:
    rows = shoppers()
    model = prepared(LogisticRegression()).fit(rows, np.where(rows["visits"] > 4, "yes", "no"))
    version = scene.built(scene.manifest(model, rows))
    answers = graph_of(scene, routed(version)).predict(table_of(rows).columns)
    assert answers["prediction"].values.tolist() == model.predict(rows).tolist()
    assert np.abs(answers["probabilities"].values - model.predict_proba(rows)).max() < 1e-12


def test_what_the_model_refuses_the_graph_refuses_with_row_and_column(scene: Scene) -> None:
    rows = shoppers().dropna()
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "visits"]), (OneHotEncoder(), ["city"])), Ridge()
    ).fit(rows, rows["visits"] * 2.0)
    version = scene.built(scene.manifest(model, rows))
    assert version.runtime == "onnx", version.reason
    graph = graph_of(scene, routed(version))
    good = table_of(rows.head(3))
    for name, cell in (("age", np.nan), ("age", np.inf), ("city", "Rome"), ("city", None)):
        values = good.columns[name].values.copy()
        values[1] = cell
        with pytest.raises(InvalidRows) as refused:
            graph.predict({**good.columns, name: Column(good.columns[name].kind, values)})
        assert (refused.value.problems[0].row, refused.value.problems[0].column) == (1, name)


def test_a_function_of_its_author_s_runs_in_python_and_the_card_says_why(scene: Scene) -> None:
    rows = shoppers()[["age", "visits"]].fillna(0.0)
    model = make_pipeline(FunctionTransformer(lambda x: x**3 % 7), Ridge()).fit(rows, rows["age"])
    version = scene.built(scene.manifest(model, rows))
    assert (version.state, version.runtime, version.graph) == ("ready", "python", None)
    told = check(version, "convert")
    assert told.status == "warn"
    assert "FunctionTransformer" in told.observed
    assert version.reason == f"runs in Python: {told.observed.removeprefix('no exact graph: ')}"
    assert "parity" not in statuses(version)


class Crooked:
    """A converter whose graph has one coefficient off by a little: what a build must never serve."""

    def __init__(self, true: Any) -> None:
        self._true = true

    def convert(self, ask: Ask, signature: Any, rows: Table) -> Converted | Cannot:
        import onnx
        from onnx import numpy_helper

        made = self._true.convert(ask, signature, rows)
        assert isinstance(made, Converted)
        model = onnx.load_model_from_string(made.file)
        for tensor in model.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.dtype == np.float64 and values.ndim == 2 and values.shape[1] == 1:
                tensor.CopyFrom(numpy_helper.from_array(values + 1e-4, tensor.name))
        return replace(made, file=model.SerializeToString())

    def recoded(self, made: Converted, coding: Any) -> Converted:
        recoded: Converted = self._true.recoded(made, coding)
        return recoded


def test_a_graph_that_answers_otherwise_is_not_served_and_the_worst_row_is_told(scene: Scene) -> None:
    rows = shoppers()
    model = prepared(LogisticRegression()).fit(rows, np.where(rows["visits"] > 4, "yes", "no"))
    version = scene.but(converter=Crooked(scene.world.converter)).built(scene.manifest(model, rows))
    assert (version.state, version.runtime, version.graph) == ("ready", "python", None)
    told = check(version, "parity")
    assert told.status == "warn"
    assert told.evidence["worst_row"]
    assert "city" in told.observed
    assert version.reason == "runs in Python: its graph is not proven (see parity)"


def graph_of(scene: Scene, version: RoutedVersion) -> Any:
    assert version.graph is not None
    made = Converted(scene.world.artifacts.read(version.graph.digest), version.signature, coding=None)  # type: ignore[arg-type]  # the file carries it
    return opened(scene.world, made)


def table_of(rows: pd.DataFrame) -> Table:
    from boucle.client.capture.rows import read_rows

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_rows(rows, strict=False).table


class Failing:
    """A converter that fails in a way nobody foresaw."""

    def __init__(self, true: Any, error: Exception, at: str) -> None:
        self._true, self._error, self._at = true, error, at

    def convert(self, ask: Ask, signature: Any, rows: Table) -> Converted | Cannot:
        if self._at == "convert":
            raise self._error
        made: Converted | Cannot = self._true.convert(ask, signature, rows)
        return made

    def recoded(self, made: Converted, coding: Any) -> Converted:
        raise self._error


@pytest.mark.parametrize(
    ("error", "at"), [(TooSlow("The model", 60.0), "convert"), (RuntimeError("no such kernel"), "recoded")]
)
def test_whatever_fails_on_the_way_to_a_graph_the_version_runs_in_python(
    scene: Scene, error: Exception, at: str
) -> None:
    rows = shoppers()
    model = prepared(LogisticRegression()).fit(rows, np.where(rows["visits"] > 4, "yes", "no"))
    version = scene.but(converter=Failing(scene.world.converter, error, at)).built(scene.manifest(model, rows))
    assert (version.state, version.runtime) == ("ready", "python"), version.reason
    told = check(version, "convert" if at == "convert" else "parity")
    assert told.status == "warn"
    assert str(error) in told.observed


def test_a_reference_with_rows_that_the_model_refuses_fails_no_build(scene: Scene) -> None:
    rows = shoppers().dropna()
    model = make_pipeline(
        make_column_transformer((StandardScaler(), ["age", "visits"]), (OneHotEncoder(), ["city"])), Ridge()
    ).fit(rows, rows["visits"] * 2.0)
    manifest = scene.manifest(model, rows)
    reference = table_of(rows.assign(city=np.where(rows["visits"] > 7, "Nantes", rows["city"])))
    version = scene.built(replace(manifest, reference=scene.world.artifacts.write(reference.to_bytes())))
    assert (version.state, version.runtime) == ("ready", "onnx"), version.reason
    assert check(version, "parity").evidence["rows_refused"] > 0
