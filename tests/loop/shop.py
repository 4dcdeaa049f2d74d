"""A model of customers: the module that a notebook would keep beside it. It travels with the model, by source."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

N = 300
FIRST_DAY = pd.Timestamp("2020-01-01")


def customers() -> pd.DataFrame:
    """Rows with text, dates, and missing values in both."""
    dice = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "age": dice.integers(18, 90, N).astype(float),
            "city": dice.choice(["Lyon", "Paris", "Brest"], N),
            "since": FIRST_DAY + pd.to_timedelta(dice.integers(0, 1000, N), "D"),
            "visits": dice.integers(0, 9, N),
        }
    )
    rows.loc[::7, "age"] = np.nan
    rows.loc[::11, "city"] = None
    return rows


def day_numbers(dates: pd.DataFrame) -> pd.DataFrame:
    """Return days since the first one."""
    return pd.DataFrame({name: (dates[name] - FIRST_DAY).dt.days for name in dates})


def pipeline(rows: pd.DataFrame) -> Any:
    """Return a pipeline that takes the raw rows."""
    preparation = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "visits"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        (make_pipeline(FunctionTransformer(day_numbers), StandardScaler()), ["since"]),
    )
    return make_pipeline(preparation, LogisticRegression()).fit(rows, np.where(rows["visits"] > 4, "yes", "no"))
