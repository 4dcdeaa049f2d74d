"""Models fitted with other Pythons and older libraries, answering in environments of their own."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boucle.adapters.model_process import ModelProcess
from boucle.adapters.uv import UvEnvironments
from boucle.core.errors import EnvironmentFailed
from boucle_worker.frames import Column

NOTEBOOK = """
import json, sys
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

rng = np.random.default_rng(0)
n = 200
rows = pd.DataFrame({
    "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(40, 10, n)).astype("float32"),
    "visits": rng.integers(0, 100, n).astype("int16"),
    "city": pd.Series(rng.choice(["Aix", "Lyon", "Nice"], n), dtype=object),
    "seen": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n), unit="s"),
    "is_new": pd.Series(rng.choice([True, False], n)).astype("boolean"),
})
rows["plan"] = pd.Categorical(rng.choice(["free", "paid"], n), categories=["paid", "free"])
rows.loc[::9, "is_new"] = pd.NA
rows.loc[::11, "city"] = None
labels = np.where(rows["visits"] + rows["age"].fillna(40) > 90, "yes", "no")


class Calendar:
    def fit(self, rows, labels=None):
        self.fitted_ = True
        return self

    def transform(self, rows):
        assert list(map(str, rows.dtypes)) == DTYPES, list(map(str, rows.dtypes))
        return rows.assign(
            hour=rows["seen"].dt.hour,
            seen=0,
            is_new=rows["is_new"].astype("float64"),
            plan=rows["plan"].cat.codes,
            city=rows["city"].fillna("none"),
        )


DTYPES = list(map(str, rows.dtypes))
encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder=SimpleImputer())
model = make_pipeline(Calendar(), encoder, RandomForestClassifier(20, random_state=0))
model.fit(rows, labels)
import cloudpickle
with open(sys.argv[1], "wb") as file:
    cloudpickle.dump(model, file)
print(json.dumps({
    "dtypes": DTYPES,
    "age": rows["age"].astype("float64").where(rows["age"].notna(), None).tolist(),
    "visits": rows["visits"].tolist(),
    "city": rows["city"].tolist(),
    "seen": rows["seen"].astype("datetime64[ns]").astype("int64").tolist(),
    "is_new": [None if cell is pd.NA else bool(cell) for cell in rows["is_new"]],
    "plan": rows["plan"].astype(object).tolist(),
    "predictions": model.predict(rows).tolist(),
    "probabilities": model.predict_proba(rows).tolist(),
}))
"""
LIBRARIES = {
    "3.8": ["numpy==1.24.4", "pandas==2.0.3", "scikit-learn==1.3.2", "cloudpickle==3.1.1"],
    "3.9": ["numpy==1.26.4", "pandas==2.2.3", "scikit-learn==1.6.1", "cloudpickle==3.1.1"],
    "3.12": ["numpy==2.2.6", "pandas==2.2.3", "scikit-learn==1.6.1", "cloudpickle==3.1.1"],
    "3.13": ["numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1", "cloudpickle==3.1.2"],
}
KINDS = {"age": "float", "visits": "int", "city": "text", "seen": "datetime", "is_new": "bool", "plan": "text"}


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> UvEnvironments:
    return UvEnvironments(tmp_path_factory.mktemp("envs"))


@pytest.mark.slow
@pytest.mark.parametrize("minor", LIBRARIES)
def test_a_model_answers_in_its_own_python_exactly_as_it_did_in_its_notebook(
    minor: str, environments: UvEnvironments, tmp_path: Path
) -> None:
    python = environment(environments, minor)
    script, model = tmp_path / "notebook.py", tmp_path / "model"
    script.write_text(NOTEBOOK)
    done = subprocess.run([python, script, model], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    process = ModelProcess(python, tmp_path / "log")
    process.start()

    try:
        header, _nothing = process.call(load_header(model, told["dtypes"]), {}, 60)
        _header, answers = process.call({"op": "predict"}, columns(told), 60)
    finally:
        process.close()

    assert header["python"].startswith(minor + ".")
    assert header["versions"]["scikit-learn"] == LIBRARIES[minor][2].partition("==")[2]
    assert answers["prediction"].values.tolist() == told["predictions"]
    assert answers["probabilities"].values.tolist() == told["probabilities"]


def environment(environments: UvEnvironments, minor: str) -> Path:
    if minor not in environments.interpreters():
        pytest.skip(f"Python {minor} is not installed on this machine")
    try:
        return environments.ensure(environments.lock(LIBRARIES[minor], minor), minor)
    except EnvironmentFailed as error:
        pytest.skip(f"no index and no cache that has the libraries for Python {minor}: {error}")


def load_header(model: Path, dtypes: list[str]) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = [
        {"name": name, "kind": kind, "dtype": dtype} for (name, kind), dtype in zip(KINDS.items(), dtypes, strict=True)
    ]
    inputs[2]["missing"] = "none"
    inputs[4]["missing"] = "NA"
    inputs[5]["categories"] = ["paid", "free"]
    return {
        "op": "load",
        "format": "cloudpickle",
        "model": {"path": str(model), "digest": hashlib.sha256(model.read_bytes()).hexdigest()},
        "code": [],
        "signature": {
            "feed": "pandas",
            "inputs": inputs,
            "prediction_kind": "text",
            "classes": ["no", "yes"],
            "probabilities": True,
        },
    }


def columns(told: dict[str, Any]) -> dict[str, Column]:
    gone = np.array([cell is None for cell in told["is_new"]])
    return {
        "age": Column("float", np.array(told["age"], dtype=float)),
        "visits": Column("int", np.array(told["visits"])),
        "city": Column("text", np.array(told["city"], dtype=object)),
        "seen": Column("datetime", np.array(told["seen"], dtype="datetime64[ns]").astype("datetime64[us]")),
        "is_new": Column("bool", np.array([bool(cell) for cell in told["is_new"]]), gone),
        "plan": Column("text", np.array(told["plan"], dtype=object)),
    }
