from collections.abc import Callable

from boucle.core.document import from_json, to_json
from boucle.core.routes import RouteTable
from boucle.core.signature import Signature, Tensor
from boucle.core.version import Artifact, Manifest, Version
from boucle.registry.model import BuildFound
from boucle.registry.registry import Registry

Make = Callable[..., Manifest]
Ready = Callable[[int], Version]


def numbers(registry: Registry) -> list[int]:
    route = registry.route_table().route("churn")
    return sorted(version.number for version in route.versions) if route else []


def test_a_version_is_routed_once_its_build_found_how_it_runs(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")
    assert registry.route_table() == RouteTable(0, ())

    lock, tensors = Artifact("f" * 64, 5), (Tensor("x", "float32", (None, 3), ("age",)),)
    signature = Signature("onnx", (), "regression", "float", input_tensors=tensors)
    registry.found("churn", 1, BuildFound("onnx", "an ONNX file", "3.11", lock, signature))

    table = registry.route_table()
    assert table.sequence == 1
    route = table.route("churn")
    assert route is not None
    assert route.aliases == {}
    assert (route.versions[0].runtime, route.versions[0].lock) == ("onnx", lock)
    assert route.versions[0].signature == signature
    assert route.versions[0].model == make(1).model


def test_a_failed_build_leaves_the_routes(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")
    registry.found("churn", 1, BuildFound("python", "as it is"))
    registry.mark_failed("churn", 1, "answers differ")

    assert numbers(registry) == []
    assert registry.sequence() == 2


def test_champion_challenger_rollback_target_and_the_version_being_built_are_held_ready(
    registry: Registry, make: Make, ready: Ready
) -> None:
    for seed in (1, 2, 3, 4):
        ready(seed)
    registry.promote("churn", 2, "bob")
    registry.promote("churn", 3, "bob")
    registry.register("churn", make(5), "ada")
    assert numbers(registry) == [2, 3, 4]

    registry.found("churn", 5, BuildFound("python", "as it is"))
    assert numbers(registry) == [2, 3, 4, 5]


def test_the_sequence_grows_with_each_change_that_a_gateway_sees_and_with_no_other(
    registry: Registry, make: Make, ready: Ready
) -> None:
    seen = [registry.sequence()]

    def grew() -> bool:
        seen.append(registry.sequence())
        return seen[-1] > seen[-2]

    registry.register("churn", make(1), "ada")
    assert not grew()
    registry.found("churn", 1, BuildFound("python", "as it is"))
    assert grew()
    registry.found("churn", 1, BuildFound("python", "as it is"))
    assert not grew()
    registry.mark_ready("churn", 1)
    assert grew()
    registry.set_job("churn", 1, "job")
    assert not grew()
    ready(2)
    assert grew()
    registry.promote("churn", 2, "bob")
    assert grew()
    registry.rollback("churn", "bob")
    assert grew()
    registry.register("churn", make(1, description="who leaves next month"), "ada")
    assert grew()


def test_a_route_table_is_read_back_as_it_was(registry: Registry, ready: Ready) -> None:
    ready(1)
    table = registry.route_table()
    assert from_json(RouteTable, to_json(table)) == table
