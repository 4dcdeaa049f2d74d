"""What a model refuses, found by asking it: scikit-learn's own models, and a few written by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from boucle.core.coding import Coding, Limit
from boucle.core.errors import ModelFailed
from boucle.core.table import Column, Table, missing_mask
from boucle.packaging.edges import MEASURED, SINGLE_TOP
from boucle.packaging.limits import narrowed, with_limits
from boucle.packaging.ports import Predict
from boucle_worker.answers import answer
from boucle_worker.feeds import builder
from tables import answers, floats, texts

DICE = np.random.default_rng(5)
FRAME = pd.DataFrame(
    {
        "a": DICE.normal(10.0, 3.0, 120),
        "b": DICE.lognormal(0.0, 1.0, 120),
        "n": DICE.integers(0, 50, 120),
        "city": DICE.choice(["Lyon", "Paris"], 120),
    }
)
Y = (FRAME.a > 10).astype(int)
ROWS = Table(
    {
        "a": floats(FRAME.a.tolist()),
        "b": floats(FRAME.b.tolist()),
        "n": Column("int", FRAME.n.to_numpy()),
        "city": texts(FRAME.city.tolist()),
    }
)
SIGNATURE: dict[str, Any] = {
    "feed": "pandas",
    "inputs": [
        {"name": "a", "kind": "float", "dtype": "float64"},
        {"name": "b", "kind": "float", "dtype": "float64"},
        {"name": "n", "kind": "int", "dtype": "int64"},
        {"name": "city", "kind": "text", "dtype": "object", "missing": "none"},
    ],
    "prediction_kind": "int",
}


class Counted:
    """A fitted model as its worker answers it, and how often it was asked."""

    def __init__(self, model: Any, kind: str = "int", columns: tuple[str, ...] = ("a", "b", "n", "city")) -> None:
        inputs = [item for item in SIGNATURE["inputs"] if item["name"] in columns]
        self.told = {**SIGNATURE, "inputs": inputs, "prediction_kind": kind}
        self.model, self.build, self.calls = model, builder(self.told), 0

    def __call__(self, rows: Table) -> Table:
        self.calls += 1
        try:
            return Table(answer(self.model, self.build(rows.columns), rows.n_rows, self.told))
        except Exception as error:
            raise ModelFailed(str(error)) from error


def found(predict: Predict, rows: Table = ROWS, coding: Coding | None = None) -> Coding:
    ticks = itertools.count()
    return with_limits(predict, rows, coding or Coding(), lambda: next(ticks) / 1e6)


def numbers(columns: Any = ("a", "b")) -> Table:
    return ROWS.select(columns)


def refuses(predict: Predict, name: str, cell: float) -> bool:
    """Ask the model about one cell of the first row."""
    row = ROWS.take(np.array([0]))
    row.columns[name].values[0] = cell
    try:
        predict(row.select([item["name"] for item in getattr(predict, "told", SIGNATURE)["inputs"]]))
    except ModelFailed:
        return True
    return False


def test_a_scaler_before_a_linear_model_refuses_what_is_missing_or_infinite() -> None:
    model = make_pipeline(make_column_transformer((StandardScaler(), ["a", "b", "n"])), LogisticRegression())
    limits = found(Counted(model.fit(FRAME, Y)), coding=Coding({"city": ("Lyon", "Paris")})).limits
    assert limits["a"] == Limit(takes_missing=False, lowest=-1e300, highest=1e300)
    assert limits["n"] == Limit(takes_missing=False)
    assert "city" not in limits


def test_an_imputer_takes_what_is_missing_and_refuses_infinity() -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(FRAME[["a", "b"]], Y)
    limits = found(Counted(model, columns=("a", "b")), numbers()).limits
    assert limits["a"] == limits["b"] == Limit(lowest=-1e300, highest=1e300)


def test_a_model_that_takes_everything_is_asked_three_times() -> None:
    model = Counted(HistGradientBoostingClassifier(max_iter=2).fit(FRAME[["a", "b"]], Y), columns=("a", "b"))
    assert found(model, numbers()) == Coding()
    assert model.calls == 3  # missing, far below, far above


def test_trees_refuse_what_single_precision_cannot_hold_to_the_last_digit() -> None:
    model = Counted(RandomForestClassifier(3).fit(FRAME[["a", "b"]], Y), columns=("a", "b"))
    limit = found(model, numbers()).limits["a"]
    assert (limit.takes_missing, limit.lowest, limit.highest) == (True, -SINGLE_TOP, SINGLE_TOP)
    assert not refuses(model, "a", SINGLE_TOP)
    assert refuses(model, "a", float(np.nextafter(SINGLE_TOP, np.inf)))


def test_behind_a_scaler_the_limit_is_coarse_and_never_too_wide() -> None:
    model = make_pipeline(StandardScaler(), DecisionTreeRegressor()).fit(FRAME[["a", "b"]], Y)
    predict = Counted(model, "float", ("a", "b"))
    limits = found(predict, numbers()).limits
    for name in ("a", "b"):
        assert MEASURED <= limits[name].highest <= SINGLE_TOP
        assert not refuses(predict, name, limits[name].highest)
        assert not refuses(predict, name, limits[name].lowest)
    assert refuses(predict, "b", 1e39)


def test_a_column_that_goes_another_way_keeps_its_own_limits() -> None:
    preparation = make_column_transformer((SimpleImputer(), ["a"]), (StandardScaler(), ["b"]))
    model = make_pipeline(preparation, LogisticRegression()).fit(FRAME[["a", "b"]], Y)
    limits = found(Counted(model, columns=("a", "b")), numbers()).limits
    assert (limits["a"].takes_missing, limits["b"].takes_missing) == (True, False)


@pytest.mark.parametrize(("lowest", "refused"), [(0.0, -5e-324), (5e-324, 0.0), (-0.9999999999999999, -1.0)])
def test_a_domain_that_ends_among_ordinary_numbers_is_found_to_the_last_digit(lowest: float, refused: float) -> None:
    def picky(rows: Table) -> Table:
        if (rows.columns["b"].values < lowest).any():
            raise ModelFailed("not positive")
        return answers(prediction=floats(rows.columns["b"].values.tolist()))

    limits = found(picky, numbers()).limits
    assert limits == {"b": Limit(lowest=lowest)}
    assert np.nextafter(lowest, -np.inf) == refused


def test_integers_are_halved_as_integers() -> None:
    def picky(rows: Table) -> Table:
        if (np.abs(rows.columns["n"].values) > 1234).any():
            raise ModelFailed("too many")
        return answers(prediction=floats(rows.columns["n"].values.tolist()))

    assert found(picky, numbers(("n",))).limits == {"n": Limit(lowest=-1234.0, highest=1234.0)}


def test_an_unknown_category_that_an_encoder_refuses_is_a_refused_code() -> None:
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="error"), ["city"]), (StandardScaler(), ["a"]))
    model = Counted(make_pipeline(encoder, LogisticRegression()).fit(FRAME, Y))
    coding = found(model, coding=Coding({"city": ("Lyon", "Paris")}))
    assert coding.refused == {"city": (2, 3)}  # any other, and missing


def test_a_code_that_only_the_last_step_refuses_is_found_beside_those_known() -> None:
    def picky(rows: Table) -> Table:
        if missing_mask(rows.columns["city"]).any():
            raise ModelFailed("Input X contains NaN.")
        return answers(prediction=floats([0.0] * rows.n_rows))

    coding = found(picky, ROWS.select(["city"]), Coding({"city": ("Lyon", "Paris")}, {"city": (2,)}))
    assert coding.refused == {"city": (2, 3)}


def test_infinity_is_refused_apart_from_other_unknown_numbers_of_a_vocabulary() -> None:
    def picky(rows: Table) -> Table:
        if np.isinf(rows.columns["a"].values).any():
            raise ModelFailed("Input X contains infinity")
        return answers(prediction=floats([0.0] * rows.n_rows))

    coding = found(picky, numbers(("a",)), Coding({"a": (1.0, 2.0)}))
    assert coding.limits == {"a": Limit(lowest=-np.finfo(float).max, highest=np.finfo(float).max)}
    assert coding.refused == {}


def test_dates_that_the_library_cannot_hold_are_refused() -> None:
    days = Table({"day": Column("datetime", np.array(["2024-01-01", "2024-06-01"], dtype="datetime64[us]"))})

    def nanoseconds(rows: Table) -> Table:
        days = rows.columns["day"].values
        years = days[~np.isnat(days)].astype("datetime64[Y]").astype(float) + 1970
        if (years < 1678).any() or (years > 2261).any():
            raise ModelFailed("Out of bounds nanosecond timestamp")
        return answers(prediction=floats([0.0] * rows.n_rows))

    limit = found(nanoseconds, days).limits["day"]
    assert limit.takes_missing
    assert np.datetime64(int(limit.highest), "us") == np.datetime64("2261-12-31T23:59:59.999998")


def test_what_there_is_no_time_to_ask_counts_as_refused() -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(FRAME[["a", "b"]], Y)
    ticks = itertools.count()
    limits = with_limits(Counted(model, columns=("a", "b")), numbers(), Coding(), lambda: next(ticks) * 10.0).limits
    assert limits["a"] == limits["b"] == Limit(lowest=-1e300, highest=1e300)


def test_a_failure_that_is_not_the_models_is_none_of_its_limits() -> None:
    def dead(rows: Table) -> Table:
        raise ModelFailed("the process ended", "protocol")

    with pytest.raises(ModelFailed, match="the process ended"):
        found(dead)


def test_narrow_limits_are_far_wider_than_the_rows_and_never_wider_than_before() -> None:
    was = Coding({"city": ("Lyon",)}, limits={"a": Limit(takes_missing=False, lowest=0.0)})
    limits = narrowed(was, ROWS).limits
    assert limits["a"].lowest == 0.0
    assert not limits["a"].takes_missing
    assert np.ptp(FRAME.a) * 2**16 <= limits["a"].highest <= np.ptp(FRAME.a) * 2**17
    assert "city" not in limits
