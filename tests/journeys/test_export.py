"""A model leaves as a file, and a program that knows nothing of boucle gets the model's own answers from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(__file__).parent / "beside" / "run_onnx.js"
NODE = "onnxruntime-node@1.23.2"


def customers() -> pd.DataFrame:
    dice = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "age": dice.integers(18, 90, 400).astype(float),
            "city": dice.choice(["Lyon", "Paris", "Sète"], 400),
            "plan": dice.choice(["gold", "silver"], 400),
            "member": dice.random(400) < 0.5,
        }
    )
    rows.loc[::7, "age"] = np.nan
    rows.loc[::11, "city"] = None
    return rows


@pytest.fixture(scope="module")
def fitted() -> Any:
    rows = customers()
    preparation = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["plan"]),
        ("passthrough", ["member"]),
    )
    model = make_pipeline(preparation, RandomForestClassifier(25, random_state=0))
    return model.fit(rows, np.where((rows["age"] > 50) ^ (rows["city"] == "Paris"), "parti", "resté"))


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """Install onnxruntime for Node once; skip with a word where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = ROOT / ".cache" / "node"
    if not (folder / "node_modules" / "onnxruntime-node").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix", str(folder), NODE]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode and "CI" not in os.environ:
            pytest.skip(f"{NODE} cannot be installed: {done.stderr.strip()[-200:]}")
        assert done.returncode == 0, done.stderr
    return folder / "node_modules"


def test_an_exported_file_answers_in_node_as_the_model_does_in_python(
    tmp_path: Path, fitted: Any, node_modules: Path
) -> None:
    rows = customers()
    skops.io.dump(fitted, tmp_path / "model.skops")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    said = boucle(
        "export", str(tmp_path / "model.skops"), "--onnx", str(tmp_path / "out.onnx"),
        "--example", str(tmp_path / "rows.csv"),
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "out.onnx" in said.stdout
    assert " 0 of " in said.stdout
    strange = rows.head(40).assign(city="Brest")
    asked = pd.concat([rows, strange], ignore_index=True)
    found = ask_node(node_modules, tmp_path / "out.onnx", asked)
    assert found["label"]["data"] == fitted.predict(asked).tolist()
    probabilities = np.array(found["probabilities"]["data"]).reshape(found["probabilities"]["dims"])
    assert np.abs(probabilities - fitted.predict_proba(asked)).max() < 1e-12


def test_without_an_example_the_model_tells_what_it_takes(tmp_path: Path, fitted: Any) -> None:
    skops.io.dump(fitted, tmp_path / "model.skops")
    said = boucle("export", str(tmp_path / "model.skops"), "--onnx", str(tmp_path / "out.onnx"), "--json")
    assert said.returncode == 0, said.stderr
    told = json.loads(said.stdout)
    assert {item["name"]: item["dtype"] for item in told["inputs"]} == {
        "age": "float64",
        "city": "str",
        "plan": "str",
        "member": "float64",
    }
    assert told["proof"]["status"] == "pass"


def test_a_model_without_an_exact_graph_is_refused_and_no_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from sklearn.linear_model import Ridge\n"
        "class Mine(Ridge):\n"
        "    def predict(self, X):\n"
        "        return super().predict(X) ** 2\n"
        "model = Mine().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])\n"
    )
    said = boucle("export", f"{tmp_path / 'mine.py'}:model", "--onnx", str(tmp_path / "out.onnx"))
    assert said.returncode == 1
    assert "Mine cannot be written as ONNX" in said.stderr
    assert "whose code the converter does not know" in said.stderr
    assert not (tmp_path / "out.onnx").exists()


def ask_node(node_modules: Path, model: Path, rows: pd.DataFrame) -> dict[str, Any]:
    inputs = {
        "age": {"type": "float64", "data": [None if x != x else x for x in rows["age"].tolist()]},
        "city": {"type": "string", "data": rows["city"].fillna("").tolist()},
        "plan": {"type": "string", "data": rows["plan"].tolist()},
        "member": {"type": "bool", "data": rows["member"].tolist()},
    }  # fmt: skip
    told = model.with_suffix(".json")
    told.write_text(json.dumps({"inputs": inputs, "n": len(rows)}), encoding="utf-8")
    command = ["node", str(RUN), str(node_modules), str(model), str(told)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def boucle(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "boucle.cli.main", *arguments]
    environment = {"PATH": os.environ["PATH"], "BOUCLE_LANGUAGE": "en", "COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
