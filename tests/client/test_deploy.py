"""deploy against the real control plane: what is sent, what is shown, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

import boucle
from boucle.client.client import Client
from boucle.core.errors import InvalidRequest, Refused
from boucle.core.table import Table
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
