"""The commands about models, as a shell runs them: output, JSON, errors that name the next command."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from cli.shell import Shell, shell_of
from client.platform import running

TRAIN = """
class Model:
    def predict(self, rows):
        return rows["age"] * 2.0
model = Model()
"""
CSV = "age,city,left\n41,Lyon,1\n7,Paris,0\n63,,1\n"
DEPLOY = ("deploy", "train_of_the_test.py:model", "double", "--example", "rows.csv", "--target", "left")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a script that makes a model, and rows."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "train_of_the_test.py").write_text(TRAIN)
    (folder / "rows.csv").write_text(CSV)
    return folder


@pytest.fixture(scope="module")
def shell(folder: Path) -> Iterator[Shell]:
    """Run command lines in that folder against a running platform that has one model."""
    with running() as platform:
        run = shell_of(platform, folder)
        done = run(*DEPLOY)
        assert done.returncode == 0, done.stderr
        yield run


def test_deploying_the_same_again_tells_the_same_version_as_json(shell: Shell) -> None:
    done = shell(*DEPLOY, "--json")
    told = json.loads(done.stdout)
    assert (told["name"], told["version"], told["runtime"]) == ("double", 1, "python")
    assert [check["name"] for check in told["checks"]] == ["artifacts", "load"]


def test_deploying_shows_progress_on_stderr_and_the_card_on_stdout(shell: Shell) -> None:
    done = shell(*DEPLOY)
    assert "Version 1 is there already" in done.stderr
    assert done.stdout.startswith("double version 1: ready\n  address      http://127.0.0.1:")


@pytest.mark.parametrize("suffix", ["joblib", "pkl", "skops"])
def test_a_model_file_is_deployed(shell: Shell, folder: Path, suffix: str) -> None:
    rows = pd.read_csv(folder / "rows.csv")
    model = LinearRegression().fit(rows[["age"]], rows["left"])
    path = folder / f"model.{suffix}"
    skops.io.dump(model, path) if suffix == "skops" else importlib.import_module("joblib").dump(model, path)
    rows[["age"]].to_parquet(folder / "age.parquet")
    done = shell("deploy", path.name, f"from-{suffix}", "--example", "age.parquet", "--metric", "r2=0.5", "--json")
    assert json.loads(done.stdout)["version"] == 1, done.stderr


def test_predicting_prints_csv_for_the_next_program(shell: Shell) -> None:
    assert shell("predict", "double", "rows.csv").stdout == "prediction\n41\n7\n63\n"


@pytest.mark.parametrize("rows", ['[{"age": 1.5}]', '{"age": 1.5}', '{"dataframe_records": [{"age": 1.5}]}'])
def test_predicting_reads_json_from_standard_input(shell: Shell, rows: str) -> None:
    told = json.loads(shell("predict", "double", "--json", stdin=rows).stdout)
    assert (told["predictions"], told["model"], told["version"], len(told["ids"])) == ([1.5], "double", 1, 1)


def test_the_same_rows_in_csv_json_and_parquet_get_the_same_answer(shell: Shell, folder: Path) -> None:
    rows = pd.DataFrame({"age": np.array([0.1, 2.5])})
    rows.to_parquet(folder / "same.parquet")
    (folder / "same.json").write_text(rows.to_json(orient="records"))
    answers = [json.loads(shell("predict", "double", f"same.{kind}", "--json").stdout) for kind in ("parquet", "json")]
    assert answers[0]["predictions"] == answers[1]["predictions"] == [0.1, 2.5]


def test_promoting_and_rolling_back(shell: Shell) -> None:
    shell(*DEPLOY, "--metric", "auc=0.7")
    assert shell("promote", "double", "2").stdout == "double: champion is now version 2\n"
    assert json.loads(shell("rollback", "double", "--json").stdout)["aliases"]["champion"] == 1


def test_the_schema_is_a_table_or_json_schema(shell: Shell) -> None:
    assert "age" in shell("schema", "double").stdout
    assert set(json.loads(shell("schema", "double", "--json").stdout)["properties"]) == {"age", "city"}


def test_the_history_tells_who_did_what(shell: Shell) -> None:
    entries = json.loads(shell("history", "double", "--json").stdout)["history"]
    assert entries[0]["action"] == "register"
    assert "register" in shell("history", "double").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("promote", "double", "9"), "See them with: boucle history double"),
        (("history", "nobody"), "There is no model 'nobody'"),
        (("predict", "double", "absent.csv"), "There is no file 'absent.csv'. There is: rows.csv"),
        (("predict", "double", "rows.csv", "--alias", "shadow"), "There is no alias shadow"),
        (("deploy", "absent.onnx", "m", "--example", "rows.csv"), "There is no file 'absent.onnx'"),
        (("deploy", "rows.csv", "m", "--example", "rows.csv"), "names no model. Expected one of: model.onnx"),
        (("deploy", "train_of_the_test.py:nothing", "m", "--example", "rows.csv"), "There is: Model, model"),
        (("deploy", "no_module_of_mine:x", "m", "--example", "rows.csv"), "ModuleNotFoundError"),
        (("deploy", "train_of_the_test.py:model", "m", "--example", "rows.txt"), "There is no file 'rows.txt'"),
        ((*DEPLOY, "--metric", "high"), "--metric high is not understood. Expected NAME=VALUE."),
        ((*DEPLOY, "--metric", "auc=high"), "Metric 'auc' is 'high', expected a finite number"),
        ((*DEPLOY, "--task", "ranking"), "expected one of: classification, regression"),
        ((*DEPLOY[:2], "Bad Name", *DEPLOY[3:]), "Name 'Bad Name' is not usable"),
    ],
)
def test_an_error_is_one_message_on_stderr_and_exit_status_1(
    shell: Shell, arguments: tuple[str, ...], told: str
) -> None:
    done = shell(*arguments)
    message = done.stderr.partition("Error: ")[2]
    assert done.returncode == 1
    assert told in message
    assert len(message.splitlines()) <= 2
    assert "Traceback" not in done.stderr
