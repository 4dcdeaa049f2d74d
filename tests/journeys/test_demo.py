"""The demo as `make demo` runs it, in a home of its own: what it prints is what happened."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from boucle.bootstrap.starting import stop
from boucle.settings import load
from journeys.scene import ROOT


@pytest.mark.slow
def test_the_demo_forecasts_the_same_three_ways_and_says_where_its_candles_come_from(tmp_path: Path) -> None:
    environ = {**os.environ, "BOUCLE_HOME": str(tmp_path), "BOUCLE_LANGUAGE": "en"}
    environ.pop("BOUCLE_URL", None)
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / "forecast.py")],
            capture_output=True,
            text=True,
            check=False,
            env=environ,
            timeout=400,
        )
    finally:
        stop(load({}, home=tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    forecasts = re.findall(
        r"(SDK|CLI|curl) +next close (\S+), in nine of ten cases between (\S+) and (\S+)", done.stdout
    )
    assert [way for way, *_answer in forecasts] == ["SDK", "CLI", "curl"]
    assert len({tuple(answer) for _way, *answer in forecasts}) == 1
    assert "come from https://api.binance.com" in done.stdout or "EUR/USD are replayed" in done.stdout
    assert re.search(r"ratio (0\.\d+|1\.00[0-4]\d*|1\.0050?)\b", done.stdout)
    assert "no advice" in done.stdout
