"""The model as bytes: skops where all is trusted, cloudpickle elsewhere, the same bytes for the same model."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from boucle.client.capture.serialise import serialise
from boucle.core.errors import InvalidRequest
from boucle_worker.trusted import TRUSTED

X = np.random.default_rng(0).normal(size=(200, 3))
Y = (X[:, 0] > 0).astype(int)


def always(_model: Any) -> bool:
    return True


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ],
    ids=["pipeline", "forest", "boosting"],
)
def test_scikit_learns_own_models_are_trusted_files(model: Any) -> None:
    model.fit(X, Y)
    stored = serialise(model, always)
    assert (stored.format, stored.trusted) == ("skops", True)
    again = skops.io.loads(stored.data, trusted=list(TRUSTED))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_the_same_model_fitted_again_gives_the_same_bytes() -> None:
    first = serialise(RandomForestClassifier(5, random_state=0).fit(X, Y), always)
    assert serialise(RandomForestClassifier(5, random_state=0).fit(X, Y), always).data == first.data


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    program = """
import hashlib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from boucle.client.capture.serialise import serialise
X = np.random.default_rng(0).normal(size=(200, 3))
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
print(hashlib.sha256(serialise(model, lambda again: True).data).hexdigest())
"""
    digests = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


def test_a_function_of_the_author_makes_a_file_untrusted() -> None:
    model = make_pipeline(FunctionTransformer(lambda rows: rows * 2), LogisticRegression()).fit(X, Y)
    stored = serialise(model, always)
    assert (stored.format, stored.trusted) == ("cloudpickle", False)
    np.testing.assert_array_equal(pickle.loads(stored.data).predict(X), model.predict(X))


def test_a_file_that_answers_otherwise_when_read_back_is_not_used() -> None:
    assert serialise(LogisticRegression().fit(X, Y), lambda _model: False).format == "cloudpickle"


def test_the_modules_of_objects_their_bases_and_functions_are_noted() -> None:
    modules = serialise(
        make_pipeline(FunctionTransformer(importlib.import_module("scipy.special").expit), LogisticRegression()), always
    ).modules
    assert {"sklearn.base", "sklearn.pipeline", "sklearn.linear_model._logistic"} <= modules
    assert any(name.startswith("scipy.special") for name in modules)


def test_a_function_of_the_notebook_tells_what_it_imports_inside() -> None:
    program = """
from boucle.client.capture.serialise import serialise
class Model:
    def predict(self, rows):
        import colorsys
        return rows
print("colorsys" in serialise(Model(), lambda again: True).modules)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "True"


def test_a_model_that_holds_a_lock_is_refused_with_the_cure() -> None:
    model = LogisticRegression().fit(X, Y)
    model.lock = threading.Lock()
    with pytest.raises(InvalidRequest, match="__getstate__"):
        serialise(model, always)
