"""Messages that libraries really raise, and the cause and cure that they become."""

from __future__ import annotations

import pytest

from boucle.core.diagnosis import Failure, diagnose
from boucle.core.signature import Input

INPUTS = [
    Input("age", "float", "float64"),
    Input("city", "text", "object"),
    Input("when", "datetime", "datetime64[us]"),
]


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Failure("ValueError", "could not convert string to float: 'Lyon'"), "text in 'city'"),
        (Failure("ValueError", "could not convert string to float: np.str_('Lyon')"), "text in 'city'"),
        (Failure("TypeError", "can't multiply sequence by non-int of type 'float'"), "text in 'city'"),
        (Failure("ValueError", "DataFrame.dtypes for data must be int, float, bool or category."), "text in 'city'"),
        (Failure("ValueError", "pandas dtypes must be int, float or bool.\nFields: city"), "text in"),
        (
            Failure("DTypePromotionError", "The DType <class 'numpy.dtypes.Float64DType'> could not be promoted by "
                    "<class 'numpy.dtypes.DateTime64DType'>."),
            "dates in 'when'",
        ),
        (Failure("ValueError", "Input X contains NaN."), "takes no missing values"),
        (Failure("NotFittedError", "This LogisticRegression instance is not fitted yet."), "is not fitted yet"),
        (Failure("ValueError", "X has 5 features, but LogisticRegression is expecting 2"), "X has 5 features"),
        (Failure("ValueError", "columns are missing: {'b'}"), "fitted on other columns"),
        (Failure("ModuleNotFoundError", "No module named 'shop'"), "needs the module shop"),
        (Failure("KeyError", "'whatever'"), "raised KeyError on the example: 'whatever'"),
        (Failure("AttributeError", "'NoneType' object has no attribute 'x'"), "raised AttributeError"),
    ],
)  # fmt: skip
def test_a_failure_tells_its_cause_and_a_cure(failure: Failure, cause: str) -> None:
    found = diagnose(failure, INPUTS)
    assert cause in found.cause
    assert found.cure


def test_a_model_fitted_on_an_encoded_table_gets_the_encoder_for_the_raw_columns() -> None:
    failure = Failure(
        "ValueError",
        "The feature names should match those that were passed during fit.",
        "sklearn.linear_model.LogisticRegression",
        ("age", "city_Lyon", "city_Paris"),
    )
    found = diagnose(failure, INPUTS)
    assert "It expects 'city_Lyon', 'city_Paris'. It does not know 'city', 'when'." in found.cause
    assert '(OneHotEncoder(handle_unknown="ignore"), ["city"])' in found.cure


def test_many_columns_are_counted_rather_than_listed() -> None:
    inputs = [Input(f"c{i}", "text", "object") for i in range(8)]
    found = diagnose(Failure("ValueError", "could not convert string to float: 'x'"), inputs)
    assert found.cause.endswith("text in 'c0', 'c1', 'c2', 'c3', 'c4' and 3 more.")
