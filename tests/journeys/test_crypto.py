"""The crypto project on a running platform: a replay exchange, two hours of it, a gate, a rollback, a bad day."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from journeys.scene import ROOT, SHARED, Platform

CANDLES = SHARED / "binance-klines" / "BTCUSDT-1h-2022-2024.parquet"
SOURCES = ROOT / "projects" / "crypto" / "src"
START = datetime.fromisoformat("2024-03-01T12:30:00+00:00")
NAME = "btcusdt"


@dataclass(frozen=True)
class Exchange:
    """A replay exchange in a process of its own; its time is what the file ``clock`` says."""

    url: str
    clock: Path
    process: subprocess.Popen[str]

    def move_to(self, now: datetime) -> None:
        """Let that time be now."""
        beside = self.clock.with_suffix(".new")
        beside.write_text(now.isoformat())
        beside.replace(self.clock)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange that speaks Binance's protocol, on real candles of 2024."""
    if not CANDLES.exists():
        pytest.skip("the real candles are not there: ../shared/data/binance-klines")
    clock = tmp_path_factory.mktemp("exchange") / "now"
    clock.write_text(START.isoformat())
    command = [sys.executable, "-m", "crypto.exchange.replay", str(CANDLES), "--symbol", "BTCUSDT"]
    process = subprocess.Popen(
        [*command, "--clock", str(clock)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert found is not None
        yield Exchange(found.group(), clock, process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def project(platform: Platform, exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of one's own, told where the exchange is; small, so that a run takes seconds."""
    folder = tmp_path_factory.mktemp("projects") / "mine"
    made = platform.cli("new", "crypto", str(folder))
    assert made.returncode == 0, made.stderr
    figures = {
        "fetching": {
            "url": exchange.url,
            "period": {"start": "2023-12-01"},
            "tries": 2,
            "first_wait_s": 0.1,
        },
        "return": {"max_epochs": 3, "hidden_size": 16},
    }
    (folder / "conf" / "local" / "parameters.yaml").write_text(json.dumps(figures))
    yield folder
    platform.cli("schedule", "remove", NAME)  # the platform is shared with the other journeys


def run(platform: Platform, *arguments: str) -> str:
    """Run a command that must end well; its output."""
    command = [sys.executable, "-m", "boucle.cli.main", *arguments]
    environ = {**os.environ, "BOUCLE_HOME": str(platform.home), "BOUCLE_URL": platform.url, "BOUCLE_LANGUAGE": "en"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def model(platform: Platform) -> Any:
    headers = {"Authorization": f"Bearer {platform.token}"}
    return httpx.get(f"{platform.url}/api/v1/models/{NAME}", headers=headers, trust_env=False).json()


def own_window(platform: Platform, version: int) -> str:
    """Return the newest candles that a version has seen, as its page gives them."""
    address = f"{platform.url}/models/{NAME}/window.csv"
    return httpx.get(address, params={"version": version}, trust_env=False).text


def asked(platform: Platform, window: str) -> httpx.Response:
    headers = {"Content-Type": "text/csv", "Accept": "application/json"}
    return httpx.post(f"{platform.gateway}/models/{NAME}/invocations", content=window, headers=headers, trust_env=False)


@pytest.mark.slow
def test_the_loop_turns_from_candles_to_a_renewed_champion_and_back(
    platform: Platform, exchange: Exchange, project: Path
) -> None:
    for pipeline in ("preprocessing", "training", "converting", "exporting"):  # each alone, on what the last one left
        run(platform, "run", str(project), "--pipeline", pipeline)
    assert model(platform)["aliases"] == {"champion": 1}
    assert not list((project / "data").iterdir())

    first = own_window(platform, 1)
    rows = list(csv.DictReader(io.StringIO(first)))
    answer = asked(platform, first)
    told = answer.json()
    low, high = told["intervals"][0]
    assert (len(rows), answer.headers["X-Boucle-Version"]) == (120, "1")
    assert rows[-1]["timestamp"].startswith("2024-03-01T11:00")  # the candle of 12:00 is still open
    assert low < told["predictions"][0] < high
    assert abs(told["predictions"][0] / float(rows[-1]["close"]) - 1) < 0.01

    exchange.move_to(START + timedelta(hours=3))
    added = run(platform, "schedule", "add", NAME, "--project", str(project), "--cron", "2 * * * *", "--attempts", "1")
    assert NAME in added
    run(platform, "schedule", "run", NAME)
    renewed = model(platform)
    assert (renewed["aliases"], renewed["previous"]) == ({"champion": 2}, 1)
    history = json.loads(run(platform, "history", NAME, "--json"))["history"]
    assert [(entry["actor"], entry["version"]) for entry in history if entry["action"] == "promote"] == [("boucle", 2)]
    assert "2024-03-01T14:00" in own_window(platform, 2)

    page = httpx.get(f"{platform.url}/models/{NAME}", trust_env=False).text
    assert "This is no investment advice." in page
    assert "<svg" in page

    run(platform, "rollback", NAME)
    assert model(platform)["aliases"]["champion"] == 1
    assert asked(platform, first).json()["predictions"] == told["predictions"]


@pytest.mark.slow
def test_a_model_worse_than_naive_waits_for_a_person_and_is_labelled(platform: Platform, project: Path) -> None:
    before = model(platform)["aliases"]["champion"]
    level = ["target=level", "level.max_epochs=1", "level.hidden_size=8", "level.train_workers=0"]
    told = [*level, "level.val_workers=0", "level.val_batch_size=512", "level.run_on_gpu=false"]
    run(platform, "run", str(project), *(word for figure in told for word in ("--param", figure)))
    found = model(platform)
    assert found["aliases"]["champion"] == before
    assert found["aliases"]["challenger"] == 3
    page = httpx.get(f"{platform.url}/models/{NAME}/versions/3", trust_env=False).text
    assert "worse than naive" in page


@pytest.mark.slow
def test_when_the_exchange_is_gone_the_run_says_so_and_the_champion_goes_on(
    platform: Platform, exchange: Exchange, project: Path
) -> None:
    first = own_window(platform, 1)
    exchange.process.kill()
    exchange.process.wait()
    failed = platform.cli("schedule", "run", NAME)
    assert failed.returncode == 1
    assert exchange.url in failed.stdout + failed.stderr
    assert asked(platform, first).status_code == 200
    listed = json.loads(run(platform, "schedule", "list", "--json"))
    assert exchange.url in json.dumps(listed)
    assert NAME in run(platform, "models")
