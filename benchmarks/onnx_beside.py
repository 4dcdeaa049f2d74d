"""skl2onnx beside: the same pipeline converted in single precision, the one way of it that loads."""

from __future__ import annotations

from typing import Any

OPSETS = {"": 18, "ai.onnx.ml": 3}


def converted(model: Any, inputs: list[dict[str, Any]]) -> bytes:
    """Return the file that skl2onnx makes of a fitted model; ``inputs`` tell the name and kind of each column.

    Rows given as a matrix are one input. Raises whatever it raises.
    """
    from skl2onnx import convert_sklearn  # type: ignore[import-not-found] # not here
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType  # type: ignore[import-not-found] # not here

    _register()
    if all(item["name"].startswith("x") and item["name"][1:].isdigit() for item in inputs):
        types = [("X", FloatTensorType([None, len(inputs)]))]
    else:
        kinds = {"text": StringTensorType}
        types = [(item["name"], kinds.get(item["kind"], FloatTensorType)([None, 1])) for item in inputs]
    options: dict[int, dict[str, Any]] = {}
    if hasattr(model, "predict_proba"):
        options[id(model)] = {"zipmap": False}
    for step in _fitted_steps(model):  # en_US, their default locale, is not on every machine
        if type(step).__name__ in ("CountVectorizer", "TfidfVectorizer"):
            options[id(step)] = {"locale": "C"}
    made = convert_sklearn(model, initial_types=types, target_opset=OPSETS, options=options or None)
    return bytes(made.SerializeToString())


def _fitted_steps(model: Any) -> list[Any]:
    """Return the steps of pipelines and the parts of their column transformers, as they were fitted."""
    found = []
    for _name, step in getattr(model, "steps", ()):
        found.append(step)
        found += [part for _label, part, _columns in getattr(step, "transformers_", ())]
    return found


def without_text_imputers(model: Any) -> None:
    """Take the imputers of text columns out of an unfitted model: theirs knows no missing text."""
    for name, step in model.get_params(deep=True).items():
        if "texts" in name and type(step).__name__ == "Pipeline":
            step.steps = [(label, part) for label, part in step.steps if type(part).__name__ != "SimpleImputer"]


def _register() -> None:
    """Teach skl2onnx the boosted trees of other libraries, as its documentation tells."""
    from lightgbm import LGBMClassifier, LGBMRegressor
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm  # type: ignore[import-not-found] # not here
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost  # type: ignore[import-not-found] # not here
    from skl2onnx import update_registered_converter
    from skl2onnx.common import shape_calculator as shapes  # type: ignore[import-not-found] # not here
    from xgboost import XGBClassifier, XGBRegressor

    labels, values = (
        shapes.calculate_linear_classifier_output_shapes,
        shapes.calculate_linear_regressor_output_shapes,
    )
    told = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for kind, shape, convert, options in (
        (XGBClassifier, labels, convert_xgboost, told),
        (XGBRegressor, values, convert_xgboost, None),
        (LGBMClassifier, labels, convert_lightgbm, told),
        (LGBMRegressor, values, convert_lightgbm, {"split": None}),
    ):
        update_registered_converter(kind, f"Beside{kind.__name__}", shape, convert, options=options)
