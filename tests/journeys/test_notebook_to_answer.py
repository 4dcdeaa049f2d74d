"""From a notebook to an answer, on real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import boucle
from boucle.core.errors import BoucleError, Refused
from journeys.scene import BESIDE, ROOT, SHARED, Platform, shop, shop_pipeline

OTHER_PYTHONS = Path.home() / ".pyenv" / "versions"


def test_the_service_answers_a_thousand_unseen_raw_rows_as_the_notebook_does(platform: Platform) -> None:
    rows, unseen = shop(2_000, seed=0), shop(1_000, seed=1).drop(columns="left")
    model = shop_pipeline(rows)

    deployment = boucle.deploy(model, "shop", example=rows, target="left", metrics={"accuracy": 0.9})
    answer = deployment.predict(unseen)

    assert np.abs(answer.probabilities - model.predict_proba(unseen)).max() <= 1e-9
    assert list(answer.predictions) == list(model.predict(unseen))
    assert {check.status for check in deployment.checks} <= {"pass", "warn"}
    assert [check.name for check in deployment.checks][:3] == ["artifacts", "environment", "load"]


def test_the_same_deploy_again_is_the_same_version(platform: Platform) -> None:
    rows = shop(300, seed=2)
    model = shop_pipeline(rows)
    first = boucle.deploy(model, "again", example=rows, target="left")
    assert boucle.deploy(model, "again", example=rows, target="left").version == first.version == 1


def test_a_second_version_waits_is_promoted_and_steps_back(platform: Platform) -> None:
    one = shop_pipeline(shop(300, seed=3))
    two = shop_pipeline(shop(300, seed=4))
    rows = shop(300, seed=3)
    boucle.deploy(one, "twice", example=rows, target="left")
    second = boucle.deploy(two, "twice", example=rows, target="left")
    row = json.loads(rows.drop(columns="left").head(1).to_json(orient="records", date_format="iso"))

    assert platform.ask("twice", row).headers["x-boucle-version"] == "1"
    second.promote()
    assert platform.ask("twice", row).headers["x-boucle-version"] == "2"
    second.rollback()
    assert platform.ask("twice", row).headers["x-boucle-version"] == "1"


def test_sdk_command_line_and_http_give_the_same_answer(platform: Platform) -> None:
    rows = shop(300, seed=5)
    deployment = boucle.deploy(shop_pipeline(rows), "three-ways", example=rows, target="left")
    row = json.loads(rows.drop(columns="left").head(1).to_json(orient="records", date_format="iso"))
    by_http = platform.ask("three-ways", row).json()
    by_cli = json.loads(platform.cli("predict", "three-ways", "-", "--json", stdin=json.dumps(row)).stdout)
    by_sdk = deployment.predict(row)
    assert by_http["predictions"] == by_cli["predictions"] == list(by_sdk.predictions)
    assert by_http["probabilities"] == by_cli["probabilities"] == by_sdk.probabilities.tolist()


@pytest.mark.slow
def test_real_bank_clients_with_texts_and_missing_values(platform: Platform) -> None:
    file = SHARED / "bank-marketing" / "bank-additional-full.parquet"
    if not file.exists():
        pytest.skip("the bank-marketing table is not beside this project (shared/data)")
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    bank = pd.read_parquet(file).drop(columns=["duration", "period"])
    known, unseen = bank.iloc[:20_000], bank.iloc[30_000:31_000].drop(columns="y")
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    prepare = make_column_transformer((encode, make_column_selector(dtype_exclude=np.number)), remainder="passthrough")
    model = make_pipeline(prepare, HistGradientBoostingClassifier(max_iter=30, random_state=0))
    model.fit(known.drop(columns="y"), known["y"])
    deployment = boucle.deploy(model, "bank", example=known, target="y")
    assert np.abs(deployment.predict(unseen).probabilities - model.predict_proba(unseen)).max() <= 1e-9


OTHERS = [
    pytest.param("3.11", "scikit-learn==1.5.2", id="python-3.11-scikit-learn-1.5.2"),
    pytest.param("3.9", "scikit-learn==1.6.1", id="python-3.9"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("python", "pin"), OTHERS)
def test_versions_of_other_environments_answer_side_by_side(
    platform: Platform, tmp_path: Path, python: str, pin: str
) -> None:
    interpreter = interpreter_of(python)
    environment = tmp_path / "env"
    uv = str(Path(sys.executable).parent / "uv")
    quiet = {**os.environ, "VIRTUAL_ENV": str(environment)}
    subprocess.run([uv, "venv", "--quiet", "--python", interpreter, str(environment)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", pin, "pandas<3", str(ROOT)], check=True, env=quiet)
    name = "side-" + python.replace(".", "-")

    told = subprocess.run(
        [str(environment / "bin" / "python"), str(BESIDE / "old_notebook.py"), name],
        capture_output=True,
        text=True,
        check=False,
        env={**quiet, "BOUCLE_HOME": str(platform.home), "BOUCLE_URL": platform.url},
        timeout=180,
    )

    assert told.returncode == 0, told.stderr[-3000:]
    notebook: dict[str, Any] = json.loads(told.stdout.strip().splitlines()[-1])
    assert pin.endswith(notebook["scikit-learn"])
    assert notebook["difference"] <= 1e-9
    assert platform.ask(name, notebook["rows"]).json()["probabilities"] == pytest.approx(
        np.array(notebook["probabilities"]), abs=1e-9
    )
    newest = shop(300, seed=6)
    boucle.deploy(shop_pipeline(newest), "newest", example=newest, target="left")
    assert platform.ask(name, notebook["rows"]).status_code == 200


def interpreter_of(version: str) -> str:
    """Return the path of an interpreter; the test is skipped when this machine has none of that version."""
    if sys.version.startswith(version + "."):
        return sys.executable
    found = sorted(OTHER_PYTHONS.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} on this machine")
    return str(found[-1])


def test_a_bare_estimator_is_refused_with_cause_and_cure_and_nothing_is_registered(platform: Platform) -> None:
    from sklearn.linear_model import LogisticRegression

    rows = shop(200, seed=7)
    bare = LogisticRegression().fit(rows[["visits"]].to_numpy(), rows["left"])
    with pytest.raises(BoucleError, match="make_pipeline"):
        boucle.deploy(bare, "bare", example=rows, target="left")
    assert platform.ask("bare", [{}]).status_code == 404


def test_a_missing_interpreter_is_refused_and_those_found_are_listed(platform: Platform) -> None:
    from dataclasses import replace

    from boucle.core.document import to_json
    from boucle.core.version import Manifest

    rows = shop(200, seed=8)
    first = boucle.deploy(shop_pipeline(rows), "interpreter", example=rows, target="left")
    manifest = manifest_of(platform, "interpreter", first.version)
    changed: Manifest = replace(manifest, python="3.99.0", format="cloudpickle", trusted=False)
    version = register(platform, "interpreter", to_json(changed))
    failed = await_built(platform, "interpreter", version)
    check = next(check for check in failed["checks"] if check["status"] == "fail")
    assert check["name"] == "environment"
    assert "3.11" in check["observed"] + check["expected"] + check["advice"]
    row = json.loads(rows.drop(columns="left").head(1).to_json(orient="records", date_format="iso"))
    assert platform.ask("interpreter", row).headers["x-boucle-version"] == "1"


def manifest_of(platform: Platform, name: str, version: int) -> Any:
    """Return the manifest of a version through the API."""
    from boucle.core.document import from_json
    from boucle.core.version import Manifest

    return from_json(Manifest, api(platform, "GET", f"/models/{name}/versions/{version}")["manifest"])


def register(platform: Platform, name: str, manifest: dict[str, Any]) -> int:
    """Post a manifest and return the number of the version."""
    return int(api(platform, "POST", f"/models/{name}/versions", manifest)["number"])


def await_built(platform: Platform, name: str, version: int) -> dict[str, Any]:
    """Wait until a version is not building any more."""
    import time

    for _attempt in range(600):
        told = api(platform, "GET", f"/models/{name}/versions/{version}")
        if told["state"] != "building":
            return told
        time.sleep(0.1)
    raise AssertionError(f"{name} {version} is still building")


def api(platform: Platform, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Call the REST API with the local token."""
    import httpx

    answer = httpx.request(
        method,
        f"{platform.url}/api/v1{path}",
        json=body,
        headers={"Authorization": f"Bearer {platform.token}"},
        trust_env=False,
        timeout=30,
    )
    assert answer.is_success, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_truncated_artifact_is_refused_and_the_champion_serves(platform: Platform) -> None:
    from dataclasses import replace

    from boucle.core.document import to_json
    from boucle.core.version import Artifact

    rows = shop(200, seed=9)
    first = boucle.deploy(shop_pipeline(rows), "truncated", example=rows, target="left")
    manifest = manifest_of(platform, "truncated", first.version)
    data = b"not the model that its digest tells"
    import hashlib

    digest = hashlib.sha256(data).hexdigest()
    (platform.home / "artifacts" / digest[:2]).mkdir(exist_ok=True)
    (platform.home / "artifacts" / digest[:2] / digest).write_bytes(data)
    version = register(platform, "truncated", to_json(replace(manifest, model=Artifact(digest, len(data)))))
    (platform.home / "artifacts" / digest[:2] / digest).write_bytes(data[:10])
    failed = await_built(platform, "truncated", version)
    assert failed["state"] == "failed"
    row = json.loads(rows.drop(columns="left").head(1).to_json(orient="records", date_format="iso"))
    assert platform.ask("truncated", row).headers["x-boucle-version"] == "1"


def test_a_missing_alias_is_refused_and_the_aliases_are_listed(platform: Platform) -> None:
    rows = shop(200, seed=10)
    boucle.deploy(shop_pipeline(rows), "aliases", example=rows, target="left")
    import httpx

    answer = httpx.post(
        f"{platform.gateway}/models/aliases/invocations?alias=challenger", json=[{}], trust_env=False, timeout=10
    )
    assert answer.status_code == 404
    assert "champion" in answer.json()["detail"]
    with pytest.raises((BoucleError, Refused), match="1"):
        boucle.Client().promote("aliases", 7)
