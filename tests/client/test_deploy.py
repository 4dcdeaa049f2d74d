"""deploy against the real control plane: what is sent, what is shown, what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

import boucle
from boucle.client.client import Client
from boucle.core.check import Check
from boucle.core.errors import InvalidRequest, NotFound, Refused
from boucle.core.table import Table
from boucle.core.window import Window
from client.platform import FAILING, PASSING, Platform

ROWS = pd.DataFrame({"age": [41, 7, 63], "city": ["Lyon", "Paris", "Lyon"], "left": ["no", "yes", "no"]})


def fitted() -> DummyClassifier:
    return DummyClassifier(strategy="prior").fit(ROWS[["age", "city"]], ROWS["left"])


def test_a_deploy_returns_once_the_version_answers(platform: Platform) -> None:
    deployment = boucle.deploy(fitted(), "churn", example=ROWS, target="left", metrics={"auc": 0.9}, tags={"team": "a"})
    assert (deployment.name, deployment.version, deployment.state, deployment.runtime) == (
        "churn",
        1,
        "ready",
        "python",
    )
    assert deployment.url == f"{platform.gateway_url}/models/churn/invocations"
    assert [check.name for check in deployment.checks] == [check.name for check in PASSING]
    assert deployment.aliases == ("champion",)


def test_the_manifest_tells_the_model_its_rows_and_its_own_answers(platform: Platform) -> None:
    boucle.deploy(fitted(), "churn", example=ROWS, target="left", description="Who leaves?", params={"depth": 3})
    manifest = platform.registry.version("churn", 1).manifest
    answers = Table.from_bytes(platform.artifacts.read(_digest(manifest.answers)))
    sample = Table.from_bytes(platform.artifacts.read(_digest(manifest.sample)))
    reference = Table.from_bytes(platform.artifacts.read(_digest(manifest.reference)))
    assert sample.names == ("age", "city")
    assert reference.names == ("age", "city", "left")
    assert answers.columns["prediction"].values.tolist() == ["no", "no", "no"]
    assert answers.columns["probabilities"].values[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert (manifest.signature.classes, manifest.signature.task) == (("no", "yes"), "classification")
    assert (manifest.target, manifest.author, manifest.description) == ("left", "ada", "Who leaves?")
    assert manifest.params == {"depth": 3}


def test_the_same_deploy_repeated_is_the_same_version_and_sends_nothing(platform: Platform) -> None:
    first = boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    again = boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    assert (first.version, again.version) == (1, 1)


def test_another_model_is_a_challenger_until_it_is_promoted(platform: Platform) -> None:
    boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    second = boucle.deploy(fitted(), "churn", example=ROWS[["age"]], metrics={"auc": 0.7})
    assert (second.version, second.aliases) == (2, ("challenger",))
    second.promote()
    assert second.aliases == ("champion",)
    assert second.rollback().version == 1


def test_a_ready_version_without_an_alias_is_returned_with_the_way_to_promote_it(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in (["age", "city", "left"], ["age"], ["city"]):
        boucle.deploy(fitted(), "churn", example=ROWS[columns])
    capsys.readouterr()

    again = boucle.deploy(fitted(), "churn", example=ROWS[["age"]])

    assert (again.version, again.state, again.aliases) == (2, "ready", ())
    shown = " ".join(capsys.readouterr().err.split())
    assert "churn version 2 is ready, but no alias points at it; promote it yourself with: boucle promote" in shown


def test_a_bare_estimator_is_refused_before_anything_is_sent(platform: Platform) -> None:
    bare = LogisticRegression().fit(np.array([[41.0], [7.0], [63.0]]), ROWS["left"])
    with pytest.raises(Refused, match=r"churn was refused and nothing was sent") as caught:
        boucle.deploy(bare, "churn", example=ROWS[["city"]].to_numpy())
    check = caught.value.checks[0]
    assert check.observed == "LogisticRegression takes numbers only, but the rows hold text in 'x0'."
    assert 'make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["x0"])' in check.advice
    assert platform.registry.models() == ()


def test_a_model_that_the_build_refuses_raises_its_checks(platform: Platform) -> None:
    platform.script = FAILING
    with pytest.raises(Refused, match=r"churn version 1 was refused") as caught:
        boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    assert caught.value.checks == FAILING


def test_a_refused_deploy_repeated_is_built_again(platform: Platform) -> None:
    platform.script = FAILING
    with pytest.raises(Refused):
        boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    platform.script = PASSING
    assert boucle.deploy(fitted(), "churn", example=ROWS, target="left").version == 1


def test_each_check_is_shown_as_it_comes(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    shown = capsys.readouterr().err
    assert "✓ load: loaded in 0.1 s" in shown
    assert shown.index("Sending") < shown.index("artifacts") < shown.index("load") < shown.index("answers")


def test_a_name_that_cannot_be_used_is_refused_at_once(home: object) -> None:
    with pytest.raises(InvalidRequest, match="is not usable"):
        boucle.deploy(fitted(), "Churn!", example=ROWS, target="left")


def test_the_client_lists_models_and_their_history(platform: Platform, client: Client) -> None:
    boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    assert [(model["name"], model["champion"]) for model in client.models()] == [("churn", 1)]
    assert client.history("churn")[0]["actor"] == "ada"
    assert set(client.schema("churn")["properties"]) == {"age", "city"}


def test_a_local_module_with_an_empty_package_file_is_carried(
    platform: Platform, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "shopping"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "prices.py").write_text("class Prices:\n    def predict(self, X):\n        return [1.0] * len(X)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    boucle.deploy(import_module("shopping.prices").Prices(), "prices", example=ROWS[["age"]])
    manifest = platform.registry.version("prices", 1).manifest
    assert [file.path for file in manifest.code] == ["shopping/__init__.py", "shopping/prices.py"]


def _digest(artifact: object) -> str:
    return str(getattr(artifact, "digest"))  # noqa: B009  # an optional artifact that is there


def forecaster() -> Any:
    """Return an ONNX file that takes windows of three rows; the platform of these tests never opens it."""
    node = helper.make_node("Identity", ["close"], ["prediction"])
    shape = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 3]) for name in ("close", "prediction")]
    return helper.make_model(helper.make_graph([node], "last", shape[:1], shape[1:]))


HOURS = pd.DataFrame({"close": np.arange(12_000.0), "at": pd.date_range("2024-01-01", periods=12_000, freq="h")})
LAST = {"rows": 3, "order_by": "at"}
BROKEN = Check("gate", "warn", "naive_ratio 12.1 > 1.005")
NAIVE = {"naive_ratio": "<= 1.005"}


def test_a_window_model_is_deployed_and_shows_what_one_answer_takes(platform: Platform) -> None:
    platform.script = (*PASSING, Check("gate", "pass", "naive_ratio 0.99 <= 1.005"))
    deployment = boucle.deploy(
        forecaster(),
        "btc",
        example=HOURS.head(50),
        window={**LAST, "group_by": None},
        tensors={"close": "close"},
        interval_level=0.9,
        metrics={"naive_ratio": 0.99},
        gate=NAIVE,
    )
    for card in (repr(deployment), deployment._repr_html_()):
        assert "one answer per 3 rows, in the order of at" in card
        assert "made to hold 90 % of outcomes" in card
        assert "worse than naive" not in card
    assert "passed: naive_ratio <= 1.005" in repr(deployment)
    assert not deployment.is_worse_than_naive


def test_a_first_version_that_breaks_its_gate_answers_by_its_alias_and_says_what_to_do(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.script = (*PASSING, BROKEN)
    deployment = boucle.deploy(fitted(), "btc", example=ROWS, target="left", metrics={"naive_ratio": 12.1}, gate=NAIVE)
    closing = capsys.readouterr().err.splitlines()[-1]
    assert closing.strip() == (
        "btc version 1 is ready, not promoted: naive_ratio 12.1 > 1.005; promote it yourself with: boucle promote btc 1"
    )
    assert (deployment.state, deployment.aliases) == ("ready", ("challenger",))
    assert deployment.predict(ROWS).version == 1
    assert platform.asked[-1].alias == "challenger"
    assert repr(deployment).startswith("btc version 1: ready (worse than naive)\n")
    assert "not passed: naive_ratio 12.1 > 1.005" in repr(deployment)
    assert "worse than naive" in deployment._repr_html_()


def test_what_was_promoted_despite_its_gate_is_told_as_any_other(
    platform: Platform, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.script = (*PASSING, BROKEN)
    boucle.deploy(fitted(), "btc", example=ROWS, target="left", gate=NAIVE).promote()
    assert client.history("btc")[-1]["detail"] == "champion: version – → 1, despite its gate"
    capsys.readouterr()
    boucle.deploy(fitted(), "btc", example=ROWS, target="left", gate=NAIVE)
    assert capsys.readouterr().err.splitlines()[-1].strip() == "btc version 1 answers"


def test_asking_for_a_champion_that_waits_names_the_command_that_makes_it_one(
    platform: Platform, client: Client
) -> None:
    platform.script = (*PASSING, BROKEN)
    boucle.deploy(fitted(), "btc", example=ROWS, target="left", gate=NAIVE)
    with pytest.raises(NotFound, match=r"There is: challenger 1\. Promote one: boucle promote btc 1"):
        client.deployment("btc")


def test_a_gate_that_promotes_replaces_the_champion(platform: Platform) -> None:
    boucle.deploy(fitted(), "churn", example=ROWS, target="left")
    platform.script = (*PASSING, Check("gate", "pass", "auc 0.9 >= 0.8"))
    second = boucle.deploy(
        fitted(),
        "churn",
        example=ROWS,
        target="left",
        metrics={"auc": 0.9},
        gate={"auc": ">= 0.8"},
        promotion="by-gate",
    )
    assert (second.version, second.aliases) == (2, ("champion",))
    assert second.rollback().version == 1


@pytest.mark.parametrize("how", ["deployment", "client"])
def test_of_a_long_series_a_window_model_is_asked_once_about_its_newest_rows(
    platform: Platform, client: Client, how: str
) -> None:
    deployment = boucle.deploy(forecaster(), "btc", example=HOURS.head(50), window=LAST)
    deployment.predict(HOURS) if how == "deployment" else client.predict("btc", HOURS)
    [asked] = platform.asked
    assert [row[0] for row in json.loads(asked.body)["dataframe_split"]["data"]] == [11_997, 11_998, 11_999]


def test_the_window_is_that_of_the_version_that_is_asked(platform: Platform, client: Client) -> None:
    boucle.deploy(fitted(), "btc", example=ROWS, target="left")
    boucle.deploy(forecaster(), "btc", example=HOURS.head(50), window=LAST)
    assert client.window("btc") is None
    assert client.window("btc", "challenger") == Window(3, "at")
    assert client.window("btc", "shadow") is None
