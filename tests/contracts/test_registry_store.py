"""What every RegistryStore does; the registry itself is tested over both of them in tests/registry."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from boucle.adapters.memory.registry import MemoryRegistryStore
from boucle.adapters.sql import SqlRegistryStore
from boucle.core.check import Check
from boucle.core.gate import Bound, Gate
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature, Tensor
from boucle.core.version import Artifact, CodeFile, Manifest, Version
from boucle.core.window import Window
from boucle.registry.model import AuditEntry, RegisteredModel
from boucle.registry.ports import RegistryStore, VersionQuery

CLASSES = ("no", 1, True, None, 0.5)
MANIFEST = Manifest(
    model=Artifact("a" * 64, 10),
    format="cloudpickle",
    trusted=False,
    schema=Schema(
        (ColumnSchema("city", "category", categories=("Paris", "Brême"), nullable=True),),
        Window(120, "at", "city", 3600.0, "fill", {"open": "close"}, 6),
    ),
    signature=Signature("polars", (Input("city", "text", "str", "none"),), "classification", "text", CLASSES),
    python="3.12.1",
    code=(CodeFile("shop/features.py", "b" * 64, 3),),
    params={"nothing": None, "deep": {"x": [1, 2.5, "é"]}},
    gate=Gate((Bound("loss", at_most=0.5), Bound("auc", at_least=0.8)), promotes=True),
)
TENSOR = Tensor("x", "float32", (None, 2), ("a", "b"))
TIMES = Tensor("t", "int64", (None, 120), ("at",), "ms")
FULL = Version(
    name="churn",
    number=1,
    state="building",
    digest="d1",
    manifest=MANIFEST,
    created_at=1_700_000_000_000_001,
    author="ada",
    checks=(Check("load", "warn", "slow", evidence={"s": 1.5, "none": None}),),
    runtime="onnx",
    reason="as it came",
    interpreter="3.12",
    lock=Artifact("c" * 64, 4),
    signature=Signature("onnx", (), "regression", "float", input_tensors=(TENSOR, TIMES), interval_level=0.9),
    job="0190",
)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, database: Callable[[str], sa.Engine]) -> RegistryStore:
    return MemoryRegistryStore() if request.param == "memory" else SqlRegistryStore(database(request.param))


def test_what_was_saved_is_read_back_equal(store: RegistryStore) -> None:
    model = RegisteredModel("churn", 1_700_000_000_000_000, "ada", "who leaves", {"champion": 2}, (1, 3))
    with store.writing() as tx:
        tx.save_model(model)
        tx.save_version(FULL)
        tx.record("churn", AuditEntry(5, "ada", "register", 1, "new"))
        tx.record("churn", AuditEntry(4, "bob", "describe"))

    with store.reading() as view:
        assert view.models() == (model,)
        assert view.versions(VersionQuery()) == (FULL,)
        assert view.history("churn") == (AuditEntry(5, "ada", "register", 1, "new"), AuditEntry(4, "bob", "describe"))


def break_off(store: RegistryStore) -> None:
    with store.writing() as tx:
        tx.save_model(RegisteredModel("churn", 1))
        tx.save_version(FULL)
        tx.record("churn", AuditEntry(1, "ada", "register", 1))
        tx.grow_sequence()
        raise RuntimeError("power")


def test_an_exception_undoes_all_of_a_transaction(store: RegistryStore) -> None:
    with pytest.raises(RuntimeError, match="power"):
        break_off(store)

    with store.reading() as view:
        assert (view.models(), view.versions(VersionQuery()), view.history("churn"), view.sequence()) == ((), (), (), 0)


def test_a_view_does_not_see_what_is_written_meanwhile(store: RegistryStore) -> None:
    with store.reading() as view:
        assert view.sequence() == 0
        with store.writing() as tx:
            tx.save_model(RegisteredModel("churn", 1))
            tx.grow_sequence()
        assert (view.models(), view.sequence()) == ((), 0)
    with store.reading() as later:
        assert (len(later.models()), later.sequence()) == (1, 1)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (VersionQuery("a"), [("a", 1), ("a", 2)]),
        (VersionQuery("a", (2, 9)), [("a", 2)]),
        (VersionQuery("a", ()), []),
        (VersionQuery(state="ready"), [("a", 2), ("b", 1)]),
        (VersionQuery("b", digest="a1"), [("b", 1)]),
    ],
    ids=["name", "numbers", "no numbers", "state", "digest"],
)
def test_versions_are_found_by_their_properties(
    store: RegistryStore, query: VersionQuery, expected: list[tuple[str, int]]
) -> None:
    with store.writing() as tx:
        for name in ("b", "a"):
            tx.save_model(RegisteredModel(name, 1))
        tx.save_version(Version("b", 1, "ready", "a1", MANIFEST, 1, "ada"))
        tx.save_version(Version("a", 2, "ready", "a2", MANIFEST, 1, "ada"))
        tx.save_version(Version("a", 1, "failed", "a1", MANIFEST, 1, "ada"))

    with store.reading() as view:
        assert [(version.name, version.number) for version in view.versions(query)] == expected
