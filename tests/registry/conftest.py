"""A registry on each of its stores, with a clock that counts, and manifests that differ where a test wants."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from boucle.adapters.memory.registry import MemoryRegistryStore
from boucle.adapters.sql import SqlRegistryStore, migrate, open_database
from boucle.core.gate import Gate
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature
from boucle.core.version import Artifact, Manifest, Version
from boucle.registry.model import BuildFound
from boucle.registry.ports import RegistryStore
from boucle.registry.registry import Registry

START = 1_700_000_000_000_000
Make = Callable[..., Manifest]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RegistryStore:
    if request.param == "memory":
        return MemoryRegistryStore()
    engine = open_database(f"sqlite:///{tmp_path}/db.sqlite")
    migrate(engine)
    return SqlRegistryStore(engine)


@pytest.fixture
def registry(store: RegistryStore) -> Registry:
    ticks = itertools.count(START)
    return Registry(store, lambda: next(ticks))


@pytest.fixture
def make() -> Make:
    """Return a maker of manifests: two with the same seed are the same model."""

    def manifest(seed: int = 1, description: str = "", author: str = "ada", gate: Gate | None = None) -> Manifest:
        return Manifest(
            model=Artifact(f"{seed:064x}", 10),
            format="skops",
            trusted=True,
            schema=Schema((ColumnSchema("age", "int", minimum=0, maximum=99, example=41),)),
            signature=Signature(
                feed="pandas",
                inputs=(Input("age", "int", "int64"),),
                task="classification",
                prediction_kind="text",
                classes=("no", "yes"),
                probabilities=True,
            ),
            python="3.11.7",
            requirements=("scikit-learn==1.9.1",),
            sample=Artifact(f"{seed + 1000:064x}", 20),
            metrics={"auc": 0.9},
            params={"depth": 3, "seed": None},
            description=description,
            author=author,
            gate=gate,
        )

    return manifest


FOUND = BuildFound("python", "no converter is installed", "3.11", Artifact("f" * 64, 5))


@pytest.fixture
def ready(registry: Registry, make: Make) -> Callable[[int], Version]:
    """Return a function that registers and builds a version of ``churn`` from a seed."""

    def build(seed: int) -> Version:
        version, _ = registry.register("churn", make(seed), "ada")
        registry.found("churn", version.number, FOUND)
        return registry.mark_ready("churn", version.number)

    return build
