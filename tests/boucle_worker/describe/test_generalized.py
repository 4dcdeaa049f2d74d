"""Graphs of generalised linear models and of isotonic regression answer as the models do."""

from __future__ import annotations

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from faithful import compared
from fitted import NUMBER, ROWS, UNSEEN, fit, gaps

MODELS = [PoissonRegressor(), GammaRegressor(), TweedieRegressor(power=0), TweedieRegressor(power=0, link="log")]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_link_is_undone(model: object) -> None:
    assert gaps(model, np.exp(NUMBER / 4)).value < 1e-12


@pytest.mark.parametrize("beyond", ["clip", "nan"])
def test_between_knots_and_beyond_them_isotonic_regression_is_followed(beyond: str) -> None:
    model = fit(IsotonicRegression(out_of_bounds=beyond), ROWS[:, 0], NUMBER)
    knots = model.X_thresholds_
    near = np.concatenate([knots, np.nextafter(knots, -9), np.nextafter(knots, 9), UNSEEN[:, 0]])[:, None]

    assert compared(model, ROWS[:, :1], near).value < 1e-15


def test_the_graph_fails_beyond_the_knots_where_the_model_raises() -> None:
    model = fit(IsotonicRegression(out_of_bounds="raise"), ROWS[:, 0], NUMBER)
    beyond = np.array([[ROWS[:, 0].max() + 1]])

    assert compared(model, ROWS[:, :1]).value < 1e-15
    with pytest.raises(InvalidArgument):
        compared(model, beyond)
    with pytest.raises(ValueError, match="interpolation range"):
        model.predict(beyond)
