"""A platform with models that could be real, in memory: for the tests of the pages and for looking at them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.adapters.memory.jobs import MemoryJobStore, MemoryScheduleStore
from boucle.adapters.memory.registry import MemoryRegistryStore
from boucle.core.check import Check
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature
from boucle.core.traffic import ModelTraffic
from boucle.core.version import Manifest
from boucle.registry.model import BuildFound
from boucle.registry.registry import Registry
from boucle.web.plane import ControlPlane

NOW_US = 1_783_864_800_000_000  # 2026-07-12 14:00:00 UTC
DAY_US = 86_400_000_000
TOKEN = "t0ken-of-the-tests"

BANK = Schema(
    (
        ColumnSchema("age", "int", minimum=18, maximum=95, example=41),
        ColumnSchema(
            "job",
            "category",
            nullable=True,
            categories=("admin.", "blue-collar", "entrepreneur", "housemaid", "management", "retired", "services"),
            missing_rate=0.0064,
            example="management",
        ),
        ColumnSchema("marital", "category", categories=("divorced", "married", "single"), example="married"),
        ColumnSchema("balance", "float", minimum=-8019.0, maximum=102127.0, example=2143.5),
        ColumnSchema("housing", "bool", example=True),
        ColumnSchema(
            "contacted_at",
            "datetime",
            minimum="2008-05-05T00:00:00.000000Z",
            maximum="2010-11-17T00:00:00.000000Z",
            example="2009-03-02T09:30:00.000000Z",
        ),
        ColumnSchema("note", "text", nullable=True, missing_rate=0.8168, example="asked for L'Isle branch"),
    )
)
HOUSE = Schema(
    (
        ColumnSchema("rooms", "int", minimum=1, maximum=14, example=5),
        ColumnSchema("area_m2", "float", minimum=18.0, maximum=412.5, example=96.0),
        ColumnSchema("postcode", "text", example="69004"),
    )
)


PYTHON_REASON = "runs in Python because no converter to ONNX is installed for sklearn.pipeline.Pipeline"
PASSED = (
    Check("artifacts", "pass", "3 files, 214 kB, digests as announced", evidence={"files": 3}),
    Check(
        "environment",
        "pass",
        "Python 3.11, 12 packages, ready in 0.3 s",
        "an interpreter 3.11 and the pinned packages",
        evidence={"seconds": 0.31, "interpreter": "3.11.7", "packages": 12},
    ),
    Check("load", "pass", "loaded in 0.8 s", evidence={"seconds": 0.8}),
    Check(
        "reproduce",
        "pass",
        "1,000 rows in a batch and 612 one by one give the notebook's answers",
        "equal answers",
        evidence={"rows": 1000, "one_by_one": 612, "largest_difference": 0.0},
    ),
    Check("schema", "pass", "7 columns, every sample row fits"),
    Check("timing", "pass", "1 row 2.4 ms, 100 rows 6.1 ms", evidence={"one_row_ms": 2.4, "hundred_rows_ms": 6.1}),
    Check("smoke", "pass", "one row as JSON was answered: yes"),
)
WARNED = Check(
    "reproduce",
    "warn",
    "the model disagrees with itself: 3 of 1,000 rows differ between batch and row by row, at most 2.2e-16",
    "equal answers",
    "Nothing to do if rounding in the last digit does not matter to you.",
    {"rows": 1000, "different": 3, "largest_difference": 2.2e-16},
)
BARE = Check(
    "raw-rows",
    "fail",
    "the model cannot take raw rows: ValueError: could not convert string to float: 'management'",
    "a model that takes rows as they arrive",
    "Hand over the whole pipeline, preprocessing included: make_pipeline(preprocessing, model).fit(X, y)",
    {"type": "ValueError"},
)


class FixedTraffic:
    """The counts given, as the gateway's adapter would tell them."""

    def __init__(self, counts: dict[str, ModelTraffic] | None = None) -> None:
        self.counts = counts or {}

    def read(self) -> dict[str, ModelTraffic]:
        """Return them."""
        return self.counts


@dataclass
class World:
    """The pieces of a control plane, and the time it believes in."""

    now_us: int = NOW_US
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    jobs: MemoryJobStore = field(default_factory=MemoryJobStore)
    traffic: FixedTraffic = field(default_factory=FixedTraffic)
    gateway_url: str = "http://127.0.0.1:8080"

    def __post_init__(self) -> None:
        self.registry = Registry(MemoryRegistryStore(), lambda: self.now_us)
        self.schedules = MemoryScheduleStore(self.jobs)

    def plane(self, **changes: Any) -> ControlPlane:
        """Return the control plane of this world."""
        made = ControlPlane(
            self.registry,
            self.jobs,
            self.schedules,
            self.artifacts,
            self.traffic,
            TOKEN,
            lambda: self.gateway_url,
            "0.1.0",
            allowed_hosts=("testserver",),
            now_us=lambda: self.now_us,
        )
        return replace(made, **changes)

    def manifest(self, schema: Schema = BANK, **changes: Any) -> Manifest:
        """Return a manifest whose artifacts are here; ``seed`` tells one model from another."""
        seed = changes.pop("seed", 0)
        model = self.artifacts.write(f"model {seed}".encode() * 4000)
        inputs = tuple(Input(column.name, column.kind, "object") for column in schema.columns)
        made = Manifest(
            model,
            "skops",
            trusted=True,
            schema=schema,
            signature=Signature("pandas", inputs, "classification", "text", ("no", "yes"), probabilities=True),
            python="3.11.7",
            requirements=("numpy==2.3.1", "pandas==2.3.0", "scikit-learn==1.7.1", "scipy==1.16.0", "skops==0.13.0"),
            sample=self.artifacts.write(b"sample"),
            data_digest=hashlib.sha256(b"data").hexdigest(),
            model_class="sklearn.pipeline.Pipeline",
            metrics={"accuracy": 0.9043, "roc_auc": 0.9318, "log_loss": 0.2127},
            params={"max_depth": 8, "n_estimators": 300, "learning_rate": 0.05, "random_state": 7},
            tags={"team": "retention"},
            author="ada",
        )
        return replace(made, **changes)

    def ready(self, name: str, manifest: Manifest, runtime: Any = "python", reason: str = PYTHON_REASON) -> int:
        """Register a version and let its build end well; return its number."""
        number = self.building(name, manifest, len(PASSED), runtime, reason)
        self.registry.mark_ready(name, number)
        return number

    def building(
        self, name: str, manifest: Manifest, n_checks: int, runtime: Any = "python", reason: str = PYTHON_REASON
    ) -> int:
        """Register a version whose build has come to its n-th check; return its number."""
        version, _is_new = self.registry.register(name, manifest, manifest.author)
        for check in PASSED[:n_checks]:
            self.registry.add_check(name, version.number, check)
        if n_checks > 2:
            self.registry.found(name, version.number, BuildFound(runtime, reason, "3.11"))
        return version.number

    def failed(self, name: str, manifest: Manifest, check: Check) -> int:
        """Register a version whose build ends badly with a check; return its number."""
        version, _is_new = self.registry.register(name, manifest, manifest.author)
        for passed in PASSED[:3]:
            self.registry.add_check(name, version.number, passed)
        self.registry.add_check(name, version.number, check)
        self.registry.mark_failed(name, version.number, check.observed)
        return version.number


def populated() -> World:
    """Return a world with models in every state a person may meet."""
    world = World(NOW_US - 12 * DAY_US)
    churn = "Will a customer leave within 90 days? Asked by the call centre before each contact."
    world.ready("churn", world.manifest(seed=1, description=churn, metrics={"accuracy": 0.8871, "roc_auc": 0.9012}))
    world.now_us += 5 * DAY_US
    number = world.building("churn", world.manifest(seed=2, description=churn), 3)
    for check in (WARNED, *PASSED[4:]):
        world.registry.add_check("churn", number, check)
    world.registry.mark_ready("churn", number)
    world.registry.promote("churn", number, "grace")
    world.now_us += 4 * DAY_US
    world.ready("churn", world.manifest(seed=3, description=churn, author="grace", trusted=False, format="cloudpickle"))
    _others(world)
    world.now_us = NOW_US
    minutes = (
        0,
        3,
        5,
        8,
        4,
        9,
        12,
        15,
        11,
        8,
        14,
        18,
        22,
        17,
        19,
        25,
        21,
        16,
        12,
        9,
        14,
        20,
        26,
        31,
        28,
        24,
        19,
        15,
        9,
        4,
    )
    house = (0,) * 18 + (2, 0, 0, 1, 0, 3, 0, 0, 5, 1, 0, 0)
    world.traffic.counts = {
        "churn": ModelTraffic(48_211, 12, sum(minutes), 1800, minutes, 2.31, 7.94),
        "house-price": ModelTraffic(1_204, 0, sum(house), 1800, house, 0.412, 1.27),
    }
    return world


def _others(world: World) -> None:
    house = Signature(
        "pandas", tuple(Input(c.name, c.kind, "object") for c in HOUSE.columns), "regression", "float", None
    )
    world.ready(
        "house-price",
        world.manifest(
            HOUSE, seed=4, signature=house, format="onnx", author="emmy", metrics={"mae": 18_240.0, "r2": 0.871}
        ),
        "onnx",
        "runs in ONNX: 1,000 answers equal the notebook's within 1e-5",
    )
    world.failed("house-price", world.manifest(HOUSE, seed=5, signature=house, author="emmy"), BARE)
    world.now_us += DAY_US
    world.failed("claims-triage", world.manifest(seed=6, author="linus", description="Which desk reads a claim."), BARE)
    world.building("late-payment", world.manifest(seed=7, author="grace", metrics={}, params={}), 4)


def digests(manifest: Manifest) -> Iterator[str]:
    """Return the digests that a manifest names."""
    return (artifact.digest for artifact in manifest.artifacts())
