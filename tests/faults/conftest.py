"""A whole platform whose processes are started again at once, with one small model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import boucle
from boucle.bootstrap.home import Home
from boucle.bootstrap.supervisor import last_words
from boucle.settings import load
from faults.load import MODEL
from faults.scene import Scene, until


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One platform for all faults."""
    home = Home(tmp_path_factory.mktemp("faults")).prepare()
    settings = load({}, home=home.root, port=0, gateway_port=0, lease_s=1.0, log_segment_bytes=64 * 1024)
    scene = Scene(settings, home)
    platform = scene.process("-m", "faults.eager_supervisor")
    try:
        until(lambda: home.platform() or platform.poll() is not None, "a platform up")
        assert platform.poll() is None, last_words(home, "control")
        deploy(scene)
        yield scene
    finally:
        platform.terminate()
        platform.wait(60)


def deploy(scene: Scene) -> None:
    """Deploy a classifier of three columns that runs in the gateway itself."""
    dice = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "number": np.arange(0, 400_000, 1_000),
            "price": dice.integers(0, 400, 400) / 4,
            "city": dice.choice(["Lyon", "Nice", "Rome"], 400),
        }
    )
    rows.loc[::10, "price"] = np.nan
    rows.loc[::7, "city"] = None
    prepare = make_column_transformer(
        (SimpleImputer(), ["number", "price"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    )
    sold = (rows["price"].fillna(50) + 10 * (rows["city"] == "Nice") > 50).astype(int)
    model = make_pipeline(prepare, LogisticRegression(max_iter=2_000)).fit(rows, sold)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BOUCLE_URL", scene.told["url"])
        environment.setenv("BOUCLE_HOME", str(scene.home.root))
        deployment = boucle.deploy(model, MODEL, example=rows.assign(sold=sold), target="sold")
    assert deployment.runtime == "onnx", deployment
