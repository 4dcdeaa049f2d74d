"""Columns that no node takes are asked of nobody; those that somebody counts stay where they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler

from faithful import compared

ROWS = pd.DataFrame(np.random.default_rng(2).normal(size=(300, 4)), columns=list("abcd"))
TARGET = ROWS["b"] + ROWS["d"] * 2


def test_an_input_holds_only_the_columns_that_the_model_takes() -> None:
    model = make_pipeline(make_column_transformer((StandardScaler(), ["b", "d"])), LinearRegression())
    found = compared(model.fit(ROWS, TARGET), ROWS)
    assert found.is_exact
    assert found.description.inputs == {"numbers": ["b", "d"]}
    assert "Gather" not in [node["op"] for node in found.description.nodes]


def test_marks_name_columns_that_are_there() -> None:
    bins = KBinsDiscretizer(3, encode="ordinal", strategy="uniform", quantile_method="averaged_inverted_cdf")
    constant = ROWS.assign(a=1.0)
    model = make_pipeline(VarianceThreshold(), bins, LinearRegression()).fit(constant, TARGET)
    found = compared(model, constant)
    assert found.is_exact
    widths = {"numbers": len(found.description.inputs["numbers"])}
    for mark in found.description.marks:
        assert mark["column"] < widths.get(mark["value"], 4)
    assert len(found.description.marks) == 3
