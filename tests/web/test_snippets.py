"""The snippets run: each is executed as a person would, against a server that keeps what it was sent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from boucle.core.schema import Schema
from boucle.core.window import Window
from boucle.web.pages.snippets import Example, Snippet, java, python, r, shell, snippets, window_snippets
from web.conftest import Gateway

NASTY: dict[str, Any] = {
    "age": 41,
    "balance": -2143.5,
    "tiny": 1e-07,
    "big": 123456789012345,
    "housing": True,
    "gone": None,
    'L\'Isle "sur" la Sorgue': "é ' \" \\ $HOME `id` \\n €",
    "if": "",
    "a b": "line\nbreak\ttab",
}
PLAIN = {"age": 41, "city": "Lyon"}


def snippet(key: str, gateway: Gateway, row: dict[str, Any], needs_token: bool = False) -> Snippet:
    made = snippets(Example("churn", f"{gateway.url}/models/churn/invocations", row, needs_token=needs_token))
    return next(item for item in made if item.key == key)


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "BOUCLE_TOKEN": "s3cret", "LC_ALL": "C.UTF-8", "NO_PROXY": "*"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def command_for(key: str, code: str, folder: Path) -> list[str]:
    """Write the code as its note says and return how it is run; skip where the language is not installed."""
    program = {"curl": "curl", "python": sys.executable, "r": "Rscript", "java": "java"}[key]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if key == "curl":
        return ["sh", "-c", code]
    file = folder / {"python": "ask.py", "r": "ask.R", "java": "Predict.java"}[key]
    file.write_text(code, encoding="utf-8")
    if key == "r" and subprocess.run([program, "-e", "library(httr2)"], capture_output=True, check=False).returncode:
        pytest.skip("httr2 is not installed")
    return [program, str(file)]


@pytest.mark.parametrize("row", [PLAIN, NASTY], ids=["plain", "nasty"])
@pytest.mark.parametrize("key", ["curl", "python", "r", "java"])
def test_a_snippet_asks_exactly_its_row(key: str, row: dict[str, Any], gateway: Gateway, tmp_path: Path) -> None:
    gateway.body = {"predictions": ["no"], "prediction_id": "p"}
    code = snippet(key, gateway, row).code

    printed = run(command_for(key, code, tmp_path), tmp_path)

    assert [(path, rows) for path, rows, _headers in gateway.asked] == [("/models/churn/invocations", [row])]
    assert gateway.asked[0][2]["Content-Type"].startswith("application/json")
    assert "no" in printed


@pytest.mark.parametrize("key", ["curl", "python", "r", "java"])
def test_a_snippet_reads_the_token_from_the_environment(key: str, gateway: Gateway, tmp_path: Path) -> None:
    gateway.body = {"predictions": ["no"], "prediction_id": "p"}
    code = snippet(key, gateway, PLAIN, needs_token=True).code

    run(command_for(key, code, tmp_path), tmp_path)

    assert "s3cret" not in code
    assert gateway.asked[0][2]["Authorization"] == "Bearer s3cret"


WINDOW_ROWS = "timestamp,close\r\n2024-01-01T00:00:00Z,1.5\r\n2024-01-01T01:00:00Z,1.25\r\n"
WINDOWED = Schema((), Window(2, "timestamp"))


def window_snippet(key: str, gateway: Gateway, needs_token: bool = False) -> Snippet:
    example = Example("btc-hourly", f"{gateway.url}/models/btc-hourly/invocations", {}, needs_token=needs_token)
    return next(item for item in window_snippets(example, WINDOWED) if item.key == key)


@pytest.mark.parametrize("key", ["curl", "python", "r", "java"])
def test_a_snippet_of_a_window_model_sends_the_file_of_a_window(key: str, gateway: Gateway, tmp_path: Path) -> None:
    gateway.body = {"predictions": [1.3125], "intervals": [[1.0, 1.5]], "prediction_id": "p"}
    (tmp_path / "window.csv").write_text(WINDOW_ROWS, newline="")
    code = window_snippet(key, gateway, needs_token=True).code

    printed = run(command_for(key, code, tmp_path), tmp_path)

    [(path, sent, headers)] = gateway.asked
    assert (path, sent) == ("/models/btc-hourly/invocations", WINDOW_ROWS)
    assert headers["Authorization"] == "Bearer s3cret"
    assert "1.3125" in printed
    assert "s3cret" not in code


@pytest.mark.parametrize(
    ("window", "newest"),
    [
        (Window(120, "timestamp"), "rows.tail(120)"),
        (Window(120, "timestamp", group_by="pair"), 'rows.groupby("pair").tail(120)'),
    ],
    ids=["one series", "groups"],
)
def test_the_sdk_snippet_of_a_window_model_asks_with_the_newest_rows(window: Window, newest: str) -> None:
    made = window_snippets(Example("btc-hourly", "http://x", {}, "challenger"), Schema((), window))
    code = next(item.code for item in made if item.key == "sdk")

    compile(code, "sdk", "exec")
    assert f"newest = {newest}" in code
    assert 'predict("btc-hourly", newest, alias="challenger")' in code


def test_the_sdk_snippet_is_python_that_names_the_model_and_the_alias() -> None:
    champion, challenger = (
        next(item.code for item in snippets(Example("churn", "http://x", NASTY, alias)) if item.key == "sdk")
        for alias in ("champion", "challenger")
    )

    compile(champion, "sdk", "exec")
    assert 'predict("churn", rows)' in champion
    assert 'predict("churn", rows, alias="challenger")' in challenger


def test_literals_are_those_of_their_language() -> None:
    assert shell({"city": "L'Isle"}) == "'{\"city\": \"L'\\''Isle\"}'"
    assert python([{"a": None, "b": [True, "é"]}]) == '[{"a": None, "b": [True, "é"]}]'
    assert r({"a b": None, "if": False, "x": "y"}) == 'list(`a b` = NULL, `if` = FALSE, x = "y")'
    assert java('"é"') == '"\\"\\u00e9\\""'
