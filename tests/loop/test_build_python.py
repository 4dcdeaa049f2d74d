"""The build of models that run in Python: real environments, real worker processes."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from boucle.adapters.uv import UvEnvironments
from boucle.core.table import Table
from boucle.core.version import Artifact, CodeFile
from loop.doubling import Doubling, Dying, Hanging, Moody
from loop.scene import GRAPH_STEPS, Scene, pins, statuses
from loop.shop import N, customers, pipeline

MATRIX = np.arange(60.0).reshape(30, 2)
SMALL = pins("numpy", "cloudpickle")
STEPS = list(GRAPH_STEPS)


def test_a_pipeline_with_text_dates_and_missing_values_becomes_champion(scene: Scene) -> None:
    rows = customers()
    version = scene.but(clock=time.perf_counter).built(scene.manifest(pipeline(rows), rows))
    assert (version.state, version.runtime, version.interpreter) == ("ready", "onnx", running_minor())
    assert statuses(version) == dict.fromkeys(STEPS, "pass")
    assert version.lock is not None
    assert f"scikit-learn=={pins('scikit-learn')[0].partition('==')[2]}" in lock_text(scene, version.lock)
    figures = {check.name: check.evidence for check in version.checks}
    assert figures["reproduce"]["rows"] == N
    assert figures["reproduce"]["rows_alone"] >= 16
    assert figures["timing"]["one_row_ms"] > 0
    assert all("seconds" in evidence for evidence in figures.values())
    assert scene.world.registry.model("model").aliases == {"champion": 1}


def test_the_same_deploy_again_builds_nothing_and_changes_nothing(scene: Scene) -> None:
    rows = customers()
    manifest = scene.manifest(pipeline(rows), rows)
    first = scene.built(manifest)
    assert scene.built(manifest) == first


def test_a_bare_estimator_is_refused_with_cause_and_cure_and_the_champion_stays(scene: Scene) -> None:
    rows = customers()
    champion = scene.built(scene.manifest(pipeline(rows), rows))
    bare = LogisticRegression().fit(np.random.default_rng(0).random((N, 2)), np.arange(N) % 2)
    version = scene.built(scene.raw_manifest(bare, rows[["age", "city"]].assign(age=1.0)))
    assert version.state == "failed"
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("raw-rows", "fail")
    assert refused.observed == "LogisticRegression takes numbers only, but the rows hold text in 'city'."
    assert "make_pipeline(preparation, LogisticRegression(...))" in refused.advice
    assert version.reason == f"raw-rows: {refused.observed}"
    assert scene.world.registry.model("model").aliases == {"champion": champion.number}


def test_answers_that_are_not_the_notebooks_are_refused_with_the_row(scene: Scene) -> None:
    rows = customers()
    manifest = scene.manifest(pipeline(rows), rows)
    assert manifest.answers is not None
    told = Table.from_bytes(scene.world.artifacts.read(manifest.answers.digest))
    other = told.columns["probabilities"].values.copy()
    other[41, 0] += 1e-3
    told.columns["probabilities"] = told.columns["probabilities"]._replace(values=other)
    version = scene.built(replace(manifest, answers=scene.world.artifacts.write(told.to_bytes())))
    assert version.state == "failed"
    refused = version.checks[-1]
    assert refused.name == "reproduce"
    assert "1 of 300 rows (<1 %)" in refused.observed
    assert "row 41:" in refused.observed
    assert refused.evidence["largest_difference"] == pytest.approx(1e-3)


def test_without_answers_of_the_notebook_the_version_is_ready_but_unproven(scene: Scene) -> None:
    rows = customers()
    version = scene.built(replace(scene.manifest(pipeline(rows), rows), answers=None))
    assert version.state == "ready"
    assert statuses(version)["reproduce"] == "warn"
    assert "unproven" in next(check.observed for check in version.checks if check.name == "reproduce")


def test_without_a_sample_the_example_row_of_the_schema_is_tried(scene: Scene) -> None:
    rows = customers()
    version = scene.built(replace(scene.manifest(pipeline(rows), rows), sample=None, answers=None))
    assert version.state == "ready"
    assert version.checks[0].evidence["sample_rows"] == 1


def test_a_transformer_of_a_local_file_is_carried_and_loaded(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_features.py").write_text(
        "from sklearn.base import BaseEstimator, TransformerMixin\n"
        "class Halve(TransformerMixin, BaseEstimator):\n"
        "    def fit(self, rows, target=None):\n"
        "        self.fitted_ = True\n"
        "        return self\n"
        "    def transform(self, rows):\n"
        "        return rows / 2\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import shop_features  # type: ignore[import-not-found]  # written right above

    rows = customers()[["visits"]]
    model = make_pipeline(shop_features.Halve(), LogisticRegression()).fit(rows, rows["visits"] > 4)
    manifest = scene.manifest(model, rows)
    sys.modules.pop("shop_features")
    assert [file.path for file in manifest.code] == ["shop_features.py"]
    version = scene.built(manifest)
    assert version.state == "ready", version.reason
    lacking = scene.built(replace(manifest, code=()))
    assert lacking.state == "failed"
    assert lacking.checks[-1].observed == ("The model needs the module shop_features, which is not in its environment.")
    assert "code=[shop_features]" in lacking.checks[-1].advice


def test_a_missing_interpreter_is_refused_listing_those_found(scene: Scene) -> None:
    rows = customers()
    version = scene.built(replace(scene.manifest(pipeline(rows), rows), python="3.4.3"))
    assert version.state == "failed"
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("environment", "fail")
    assert refused.observed.startswith("Python 3.4 is not installed on the server; found: ")
    assert running_minor() in refused.evidence["installed"]
    assert "uv python install 3.4" in refused.advice


def test_requirements_that_do_not_exist_are_refused_with_what_uv_said(scene: Scene) -> None:
    rows = customers()
    manifest = replace(scene.manifest(pipeline(rows), rows), requirements=("scikit-learn==1.9.1", "numpy==0.0.1"))
    refused = scene.built(manifest).checks[-1]
    assert (refused.name, refused.status) == ("environment", "fail")
    assert "numpy" in refused.observed
    assert refused.evidence["error"] == "environment-failed"
    assert "requirements=[...]" in refused.advice


@pytest.mark.parametrize("fault", ["truncated", "changed", "missing", "wrong size"])
def test_an_artifact_that_is_not_as_sent_is_refused_by_name(scene: Scene, fault: str) -> None:
    rows = customers()
    manifest = scene.manifest(pipeline(rows), rows)
    path = scene.world.artifacts.local_path(manifest.model.digest)
    data = path.read_bytes()
    if fault == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif fault == "changed":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif fault == "missing":
        manifest = replace(manifest, model=Artifact("0" * 64, 10))
    else:
        manifest = replace(manifest, model=Artifact(manifest.model.digest, 10))
    version = scene.built(manifest)
    assert version.state == "failed"
    refused = version.checks[-1]
    assert (refused.name, refused.status, len(version.checks)) == ("artifacts", "fail", 1)
    assert "model" in refused.observed
    assert "Deploy the model again" in refused.advice


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "..\\evil.py"])
def test_a_module_that_leaves_its_folder_is_refused(scene: Scene, path: str) -> None:
    rows = customers()
    manifest = scene.manifest(pipeline(rows), rows)
    file = scene.world.artifacts.write(b"x = 1")
    version = scene.built(replace(manifest, code=(CodeFile(path, file.digest, file.size_bytes),)))
    assert version.checks[-1].observed == f"the module path {path!r} leaves its folder"


def test_answers_to_other_rows_than_the_sample_are_refused(scene: Scene) -> None:
    rows = customers()
    manifest = scene.manifest(pipeline(rows), rows)
    assert manifest.sample is not None
    few = Table.from_bytes(scene.world.artifacts.read(manifest.sample.digest)).take(slice(0, 5))
    version = scene.built(replace(manifest, sample=scene.world.artifacts.write(few.to_bytes())))
    assert version.checks[-1].observed.startswith("There are 300 answers (prediction, probabilities) to 5 sample rows")


def test_a_sample_that_is_no_table_is_refused(scene: Scene) -> None:
    rows = customers()
    junk = scene.world.artifacts.write(b"no table at all")
    version = scene.built(replace(scene.manifest(pipeline(rows), rows), sample=junk))
    assert version.checks[-1].observed.startswith("The sample is no stored table")


def test_a_model_that_disagrees_with_itself_is_ready_and_says_so_with_figures(scene: Scene) -> None:
    version = scene.built(scene.manifest(Moody(2.0), MATRIX, SMALL))
    assert version.state == "ready"
    told = next(check for check in version.checks if check.name == "reproduce")
    assert (told.status, told.evidence["self_largest_difference"]) == ("warn", 0.5)
    assert told.observed.startswith("as in the notebook, but the model disagrees with itself: 30 of 30 rows (100 %)")


@pytest.mark.parametrize(
    ("model", "said"),
    [(Dying(2.0), "process"), (Hanging(2.0), "gave no answer in 0.3 s")],
    ids=["crashes", "hangs"],
)
def test_a_model_that_gives_no_answer_is_refused(scene: Scene, model: Doubling, said: str) -> None:
    manifest = scene.raw_manifest(model, MATRIX, requirements=SMALL)
    version = scene.but(predict_timeout_s=0.3).built(manifest)
    assert version.state == "failed"
    refused = version.checks[-1]
    assert (refused.name, refused.status) == ("raw-rows", "fail")
    assert said in refused.observed
    assert refused.advice


def test_a_skops_model_of_an_absent_python_runs_on_the_nearest_with_a_warning(
    scene: Scene, environments: UvEnvironments
) -> None:
    class OnePython(UvEnvironments):
        def interpreters(self) -> dict[str, Path]:
            return {running_minor(): environments.interpreters()[running_minor()]}

    rows = customers()[["visits"]]
    manifest = scene.manifest(LogisticRegression().fit(rows, rows["visits"] > 4), rows)
    assert manifest.format == "skops"
    version = scene.but(environments=OnePython(environments._root)).built(replace(manifest, python="3.29.1"))
    assert (version.state, version.interpreter) == ("ready", running_minor())
    told = version.checks[1]
    assert (told.name, told.status) == ("environment", "warn")
    assert told.advice.startswith("Python 3.29 is not installed here")


def running_minor() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def lock_text(scene: Scene, lock: Artifact) -> str:
    return scene.world.artifacts.read(lock.digest).decode()
