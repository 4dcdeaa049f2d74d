"""Pipelines are deployed as ever, run as graphs in the gateway, and answer what they answer in Python."""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

import boucle
from boucle.core.errors import BoucleError
from journeys.scene import BESIDE, Platform

N = 600


def travellers() -> pd.DataFrame:
    dice = np.random.default_rng(11)
    rows = pd.DataFrame(
        {
            "age": dice.integers(18, 90, N).astype(float),
            "fare": dice.lognormal(3, 1, N),
            "city": dice.choice(["Lyon", "Paris", "Brest"], N),
            "deck": dice.integers(1, 5, N),
            "member": dice.random(N) < 0.5,
            "since": pd.Timestamp("2021-03-01") + pd.to_timedelta(dice.integers(0, 900 * 86400, N), "s"),
        }
    )
    rows.loc[::7, "age"] = np.nan
    rows.loc[::11, "city"] = None
    return rows


def prepared(model: Any) -> Any:
    sys.path.insert(0, str(BESIDE))
    try:
        from client_days import parts  # type: ignore[import-not-found]  # found at run time, as beside a notebook
    finally:
        sys.path.remove(str(BESIDE))
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age", "fare"]),
            (OneHotEncoder(handle_unknown="ignore"), ["city"]),
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["deck"]),
            (FunctionTransformer(parts), ["since"]),
            ("passthrough", ["member"]),
        ),
        model,
    )


MODELS = {
    "forest": RandomForestClassifier(40, random_state=0),
    "xgboost": XGBClassifier(n_estimators=30, max_depth=4),
    "calibrated": CalibratedClassifierCV(SVC(), cv=3),
    "boosting": HistGradientBoostingRegressor(max_iter=40),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(MODELS))
def test_the_gateway_answers_what_the_model_answers_in_python(platform: Platform, kind: str) -> None:
    rows = travellers()
    outcome = (rows["age"].fillna(40) > 50) ^ (rows["city"] == "Paris")
    target = rows["fare"] * 3.0 + outcome if kind == "boosting" else outcome.astype(int)
    model = prepared(MODELS[kind]).fit(rows, target)
    deployment = boucle.deploy(model, f"fast-{kind}", example=rows)
    assert deployment.runtime == "onnx", deployment
    assert "onnx (parity 0 of " in str(deployment)
    assert "largest difference" in str(deployment)
    unseen = rows.assign(city="Quimper", fare=rows["fare"] * 1.37, age=rows["age"] + 0.5)
    for asked in (rows, unseen, rows.head(1)):
        answer = deployment.predict(asked)
        expected = model.predict(asked)
        if kind == "boosting":
            assert np.abs(np.array(answer.predictions) / expected - 1).max() < 1e-9
        else:
            assert list(answer.predictions) == expected.tolist()
            assert np.abs(np.array(answer.probabilities) - model.predict_proba(asked)).max() < 1e-6
    by_csv = post(deployment.url, rows.to_csv(index=False).encode(), "text/csv")
    assert by_csv["predictions"] == list(deployment.predict(rows).predictions)


@pytest.mark.slow
def test_what_the_model_would_raise_on_is_refused_with_row_and_column(platform: Platform) -> None:
    rows = travellers()[["age", "deck"]].dropna()
    model = make_pipeline(make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["deck"])), SVC())
    deployment = boucle.deploy(model.fit(rows, rows["age"] > 50), "fast-strict", example=rows)
    assert deployment.runtime == "onnx", deployment
    with pytest.raises(BoucleError, match="Row 1, column 'deck': expected a value that the model knows, found 9"):
        deployment.predict(rows.head(3).assign(deck=[1, 9, 2]))
    with pytest.raises(BoucleError, match="Row 0, column 'age': expected a value between"):
        deployment.predict(rows.head(1).assign(age=1e305))


def post(url: str, body: bytes, kind: str) -> dict[str, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": kind, "Accept": "application/json"})  # noqa: S310  # the platform of this test
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found
