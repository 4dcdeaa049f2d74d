"""The project as it is run: by Kedro and by MLflow, in a copy of its own, with no word to anyone outside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boucle
import pandas as pd
import pytest
import yaml

from crypto.exchange.client import BINANCE, Patience
from crypto.exchange.replay import Fault, ReplayExchange
from crypto.exchange.source import Wanted
from crypto.pipelines.fetching.nodes import PATIENCE, WANTED
from series import hour, hourly

ROOT = Path(__file__).resolve().parents[1]
FIGURES: dict[str, Any] = yaml.safe_load((ROOT / "conf/base/parameters.yaml").read_text(encoding="utf-8"))
PYTHON = (sys.executable, "-m")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, as `boucle new` makes one."""
    for name in ("conf", "src"):
        shutil.copytree(ROOT / name, tmp_path / "project" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "MLproject", ".telemetry", "README.md"):
        shutil.copy(ROOT / name, tmp_path / "project" / name)
    return tmp_path / "project"


@pytest.fixture
def replay() -> Iterator[ReplayExchange]:
    with ReplayExchange({"BTCUSDT": hourly(range(100, 1500))}) as exchange:
        exchange.clock.set(hour(1300.5))
        yield exchange


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if name not in ("DO_NOT_TRACK", "PYTHONPATH")}
    found = os.pathsep.join([str(project / "src"), str(Path(boucle.__file__).parents[1])])
    env = {**known, "HOME": str(project.parent), "PYTHONPATH": found}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return subprocess.run(list(command), cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_preprocessing_alone_fetches_and_leaves_a_series(project: Path, replay: ReplayExchange) -> None:
    ran = run(
        project, *PYTHON, "kedro", "run", "--pipelines", "preprocessing", "--params", f"fetching.url={replay.url}"
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1,300 clean candles, 2024-01-01 00:00 UTC to 2024-02-24 03:00 UTC." in ran.stdout
    assert sorted(path.name for path in (project / "data").iterdir()) == ["market.json", "series.parquet"]
    series = pd.read_parquet(project / "data/series.parquet")
    assert len(series) == json.loads((project / "data/market.json").read_text())["n_candles"] == 1300
    assert str(series["timestamp"].dtype) == "datetime64[ms, UTC]"


def test_nobody_outside_is_told_of_a_run(project: Path, replay: ReplayExchange) -> None:
    """Kedro's telemetry would write an identity to the home folder and to pyproject.toml before it sends."""
    before = (project / "pyproject.toml").read_bytes()

    ran = run(project, *PYTHON, "kedro", "run", "--pipelines", "fetching", "--params", f"fetching.url={replay.url}")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert yaml.safe_load((project / ".telemetry").read_text()) == {"consent": False}
    assert (project / "pyproject.toml").read_bytes() == before
    assert not (project.parent / ".config").exists()


def test_a_bad_day_ends_the_run_with_its_reason(project: Path, replay: ReplayExchange) -> None:
    replay.fail(Fault("ban", seconds=7200))

    ran = run(project, *PYTHON, "crypto", "--pipelines", "preprocessing", "--params", f"fetching.url={replay.url}")

    assert ran.returncode == 1
    assert ran.stderr.strip().splitlines()[-1].startswith("RateLimited: http://127.0.0.1:")
    assert not (project / "data").exists()


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("mlflow") and find_spec("sqlalchemy")), reason="the extra mlflow is not installed")
def test_mlflow_runs_a_pipeline(project: Path, replay: ReplayExchange) -> None:
    params = f"params=fetching.url={replay.url}"

    ran = run(project, "mlflow", "run", ".", "-e", "preprocessing", "--env-manager", "local", "-P", params)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (project / "data/series.parquet").exists()


def test_every_pipeline_is_an_entry_point_of_mlflow() -> None:
    points = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]

    assert sorted(points) == ["converting", "exporting", "fetching", "main", "preprocessing", "training"]


def test_the_block_level_holds_the_figures_of_the_original() -> None:
    assert (
        FIGURES["level"].items()
        >= {
            "train_batch_size": 64,
            "val_batch_size": 1,
            "train_workers": 2,
            "val_workers": 1,
            "max_epochs": 100,
            "hidden_size": 128,
            "number_of_features": 9,
            "number_of_layers": 2,
            "dropout_rate": 0.2,
            "learning_rate": 1e-4,
            "log_n_steps": 2,
            "run_on_gpu": True,
        }.items()
    )
    assert "wandb_project" in FIGURES["level"]
    assert FIGURES["target"] == "return"
    assert FIGURES["gate"]["max_naive_ratio"] == 1.005


def test_the_figures_of_fetching_are_those_that_the_code_would_take() -> None:
    told = FIGURES["fetching"]

    assert Wanted(**{name: told[name] for name in WANTED}) == Wanted()
    assert {name: told[name] for name in PATIENCE} == {name: getattr(Patience(), name) for name in PATIENCE}
    assert told["url"] == BINANCE
