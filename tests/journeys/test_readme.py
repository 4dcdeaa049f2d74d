"""What the README shows is run as it stands there; only the port of the gateway is that of this platform."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import boucle
from journeys.scene import ROOT, Platform

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def clients() -> pd.DataFrame:
    """Return the table that the README speaks of."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "age": random.integers(18, 90, 200),
            "city": random.choice(["Lyon", "Paris"], 200),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1500, 200), unit="D"),
        }
    )
    return rows.assign(left=rows["age"] + random.normal(0, 9, 200) > 50)


def pipeline_of(rows: pd.DataFrame, strength: float) -> Pipeline:
    """Return a fitted pipeline over raw clients."""
    days = FunctionTransformer(lambda dates: dates.astype("int64").to_numpy() / 8.64e13)
    prepare = make_column_transformer((OneHotEncoder(), ["city"]), (days, ["since"]), remainder="passthrough")
    model = make_pipeline(prepare, LogisticRegression(C=strength, max_iter=2000))
    return model.fit(rows.drop(columns="left"), rows["left"])


def test_the_two_commands_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = re.findall(r"^make (\w+)", blocks("sh")[0], flags=re.MULTILINE)
    assert told == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in told)


def test_the_pictures_are_there() -> None:
    assert all((ROOT / path).exists() for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))


def test_the_blocks_run_one_after_the_other(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = clients()
    exec(blocks("python")[0], {"X": rows, "pipeline": pipeline_of(rows, 1.0)})  # noqa: S102  # the block under test
    boucle.deploy(pipeline_of(rows, 0.1), "churn", example=rows, target="left")
    rows.drop(columns="left").head(3).to_csv(tmp_path / "rows.csv", index=False)

    for line in blocks("sh")[1].strip().splitlines():
        command = line.split("#")[0].strip().replace("http://127.0.0.1:8080", platform.gateway)
        if command == "boucle down":
            continue  # the platform is shared with the other journeys; they take it down at their end
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            timeout=60,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert "problem" not in done.stdout, (command, done.stdout)
