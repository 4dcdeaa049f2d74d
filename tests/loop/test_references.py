"""The reference of a version: from its artifacts, once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boucle.adapters.sql import SqlProfileStore
from boucle.core.table import Column, Table
from boucle.core.version import Version
from boucle.loop.references import made_reference, reference
from loop.collecting import Platform, example, manifest


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def version(platform: Platform, **changes: object) -> Version:
    known = platform.registry.version("shop", 1)
    return replace(known, manifest=manifest(platform.artifacts, example(), **changes))


def test_reference_rows_and_sample_answers_become_grids_with_profiles(platform: Platform) -> None:
    shares = np.array([[0.25, 0.75], [0.5, 0.5]])
    said = Table({"prediction": Column("int", np.array([1, 0])), "probabilities": Column("matrix", shares)})
    made = made_reference(platform.artifacts, version(platform, answers=platform.artifacts.write(said.to_bytes())))

    assert {stream: profile.n_rows for stream, profile in made.profiles.items()} == {
        "traffic": 0,
        "features": 300,
        "answers": 2,
        "quality": 0,
    }
    answers = made.profiles["answers"]
    assert answers.mean(answers.grid.index("probability.1")) == 0.625


def test_without_reference_rows_the_sample_is_used_and_without_both_features_are_not_counted(
    platform: Platform,
) -> None:
    sample = platform.artifacts.write(example(20).without(["sold"]).to_bytes())

    with_sample = made_reference(platform.artifacts, version(platform, reference=None, sample=sample))
    with_nothing = made_reference(platform.artifacts, version(platform, reference=None))

    assert with_sample.profiles["features"].n_rows == 20
    assert set(with_nothing.grids) == {"traffic", "answers", "quality"}


def test_a_reference_is_made_once(platform: Platform) -> None:
    store = SqlProfileStore(platform.engine)
    first = reference(store, platform.artifacts, version(platform))

    again = reference(store, platform.artifacts, version(platform, reference=None))

    assert again.profiles["features"].n_rows == first.profiles["features"].n_rows == 300
