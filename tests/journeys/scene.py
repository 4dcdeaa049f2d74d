"""The scene of the journeys: a running platform, and the tables and models that are deployed on it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from boucle.bootstrap.home import Home

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
BESIDE = Path(__file__).parent / "beside"


@dataclass(frozen=True)
class Platform:
    """A platform that runs: its addresses and its home."""

    home: Path
    told: dict[str, Any]

    @property
    def url(self) -> str:
        """Address of the control plane."""
        return str(self.told["url"])

    @property
    def gateway(self) -> str:
        """Address of the gateway."""
        return str(self.told["gateway_url"])

    @property
    def token(self) -> str:
        """The local token."""
        return (self.home / "token").read_text().strip()

    def pid(self, name: str) -> int:
        """Return the process id of control, gateway, host or worker, as of now."""
        told = Home(self.home).platform()
        assert told is not None
        return int(told["pids"][name])

    def ask(self, name: str, rows: list[dict[str, Any]]) -> httpx.Response:
        """Post rows to the gateway, as a consumer does."""
        address = f"{self.gateway}/models/{name}/invocations"
        return httpx.post(address, json=rows, trust_env=False, timeout=30)

    def cli(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command line against this platform."""
        return subprocess.run(
            [sys.executable, "-m", "boucle.cli.main", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BOUCLE_HOME": str(self.home), "BOUCLE_URL": self.url, "BOUCLE_LANGUAGE": "en"},
            timeout=120,
        )


def shop(n_rows: int, seed: int) -> pd.DataFrame:
    """Return rows with texts, missing values, dates, whole numbers and truth values."""
    random = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "age": random.integers(18, 90, n_rows).astype(float),
            "visits": random.integers(0, 40, n_rows),
            "city": random.choice(["Lyon", "Paris", "Lille", "?"], n_rows, p=[0.4, 0.3, 0.2, 0.1]),
            "since": pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 3000, n_rows), unit="D"),
            "member": random.random(n_rows) < 0.5,
        }
    )
    rows["city"] = rows["city"].astype(object).where(rows["city"] != "?", np.nan)
    rows.loc[random.random(n_rows) < 0.1, "age"] = np.nan
    rows.loc[random.random(n_rows) < 0.05, "since"] = pd.NaT
    rows["left"] = (rows["age"].fillna(50) + rows["visits"] - 20 * rows["member"] + random.normal(0, 10, n_rows)) > 50
    return rows


def shop_pipeline(rows: pd.DataFrame) -> Any:
    """Return a fitted pipeline whose transformer lives in a file beside."""
    sys.path.insert(0, str(BESIDE))
    try:
        from client_features import Age  # type: ignore[import-not-found]  # found at run time, as beside a notebook
    finally:
        sys.path.remove(str(BESIDE))
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    prepare = make_column_transformer(
        (SimpleImputer(), ["age", "visits"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), ["city"]),
        (Age(), ["since"]),
        ("passthrough", ["member"]),
        sparse_threshold=0.0,
    )
    model = make_pipeline(prepare, RandomForestClassifier(n_estimators=30, random_state=0))
    return model.fit(rows.drop(columns="left"), rows["left"])
