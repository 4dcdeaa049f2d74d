"""What a gate changes: who becomes champion without a person's word."""

from collections.abc import Callable

import pytest

from boucle.core.check import Check
from boucle.core.gate import Gate, read_gate
from boucle.core.version import Manifest, Version
from boucle.registry.model import BuildFound
from boucle.registry.registry import Registry

Make = Callable[..., Manifest]
BY_HAND, BY_GATE = read_gate({"auc": ">= 0.8"}), read_gate({"auc": ">= 0.8", "loss": "<= 0.5"}, promotes=True)


@pytest.fixture
def built(registry: Registry, make: Make) -> Callable[..., Version]:
    """Return a function that builds a version of ``churn``; ``status`` is that of its gate's check."""

    def build(seed: int, gate: Gate | None = None, status: str | None = None) -> Version:
        version, _ = registry.register("churn", make(seed, gate=gate), "ada")
        if status is not None:
            registry.add_check("churn", version.number, Check("gate", status))  # type: ignore[arg-type]  # a status
        registry.found("churn", version.number, BuildFound("python", "as it is"))
        return registry.mark_ready("churn", version.number)

    return build


Built = Callable[..., Version]


def told(registry: Registry) -> list[tuple[str, str, int | None, str]]:
    """Return the history without the registrations."""
    entries = [entry for entry in registry.history("churn") if entry.action != "register"]
    return [(entry.actor, entry.action, entry.version, entry.detail) for entry in entries]


def test_the_first_version_that_keeps_its_gate_is_champion(registry: Registry, built: Built) -> None:
    built(1, BY_HAND, "pass")

    assert registry.model("churn").aliases == {"champion": 1}
    assert told(registry) == [("boucle", "ready", 1, "is now champion")]


@pytest.mark.parametrize("status", ["warn", None], ids=["broken", "never looked at"])
@pytest.mark.parametrize("gate", [BY_HAND, BY_GATE], ids=["by hand", "by gate"])
def test_a_first_version_that_does_not_keep_its_gate_waits_as_challenger(
    registry: Registry, built: Built, gate: Gate, status: str | None
) -> None:
    version = built(1, gate, status)

    assert version.state == "ready"
    assert registry.model("churn").aliases == {"challenger": 1}
    assert told(registry) == [("boucle", "ready", 1, "is now challenger: its gate is not kept")]


def test_the_next_version_is_the_first_champion_when_the_one_before_was_not(registry: Registry, built: Built) -> None:
    built(1, BY_HAND, "warn")
    built(2)

    model = registry.model("churn")
    assert (model.aliases, model.previous) == ({"champion": 2, "challenger": 1}, None)


def test_a_later_version_that_keeps_its_gate_waits_for_a_person_unless_the_gate_promotes(
    registry: Registry, built: Built
) -> None:
    built(1)
    built(2, BY_HAND, "pass")

    assert registry.model("churn").aliases == {"champion": 1, "challenger": 2}


def test_a_gate_that_promotes_makes_a_later_version_champion_and_names_the_bounds(
    registry: Registry, built: Built
) -> None:
    built(1)
    built(2, BY_GATE, "pass")

    model = registry.model("churn")
    assert (model.aliases, model.previous) == ({"champion": 2}, 1)
    assert told(registry)[1:] == [
        ("boucle", "ready", 2, ""),
        ("boucle", "promote", 2, "champion: version 1 → 2, its gate is kept: auc >= 0.8, loss <= 0.5"),
    ]
    assert registry.rollback("churn", "bob").aliases == {"champion": 1}


def test_a_gate_that_promotes_leaves_the_champion_when_it_is_not_kept(registry: Registry, built: Built) -> None:
    built(1)
    built(2, BY_GATE, "warn")

    assert registry.model("churn").aliases == {"champion": 1, "challenger": 2}
    assert told(registry)[-1] == ("boucle", "ready", 2, "is now challenger: its gate is not kept")


@pytest.fixture
def building(registry: Registry, make: Make) -> Callable[..., int]:
    """Return a function that builds a version of ``churn`` up to its last step and returns its number."""

    def build(seed: int, gate: Gate | None = None) -> int:
        version, _ = registry.register("churn", make(seed, gate=gate), "ada")
        if gate is not None:
            registry.add_check("churn", version.number, Check("gate", "pass"))
        registry.found("churn", version.number, BuildFound("python", "as it is"))
        return version.number

    return build


def test_a_build_that_ends_late_does_not_replace_a_newer_champion(
    registry: Registry, built: Built, building: Callable[..., int]
) -> None:
    built(1)
    building(2, BY_GATE)
    built(3, BY_GATE, "pass")

    registry.mark_ready("churn", 2)

    model = registry.model("churn")
    assert (model.aliases, model.previous) == ({"champion": 3, "challenger": 2}, 1)
    assert told(registry)[-1] == ("boucle", "ready", 2, "is now challenger: version 3 is newer")


@pytest.mark.parametrize("gate", [None, BY_HAND, BY_GATE], ids=["no gate", "by hand", "by gate"])
def test_a_build_that_ends_late_does_not_replace_a_newer_challenger(
    registry: Registry, built: Built, building: Callable[..., int], gate: Gate | None
) -> None:
    built(1)
    building(2, gate)
    built(3)
    registry.promote("churn", 3, "bob")
    built(4)
    before = registry.sequence()

    assert registry.mark_ready("churn", 2).state == "ready"

    assert registry.model("churn").aliases == {"champion": 3, "challenger": 4}
    assert told(registry)[-1] == ("boucle", "ready", 2, "gets no alias: version 4 is newer")
    route = registry.route_table().route("churn")
    assert route is not None
    assert sorted(version.number for version in route.versions) == [1, 3, 4]
    assert registry.sequence() == before + 1, "gateways let go of the version that they loaded early"


def test_a_late_version_whose_gate_promotes_replaces_an_older_champion_beside_a_newer_challenger(
    registry: Registry, built: Built, building: Callable[..., int]
) -> None:
    built(1)
    building(2, BY_GATE)
    built(3)

    registry.mark_ready("churn", 2)

    assert registry.model("churn").aliases == {"champion": 2, "challenger": 3}


def test_a_late_version_is_the_first_champion_when_the_newer_one_is_not(
    registry: Registry, built: Built, building: Callable[..., int]
) -> None:
    building(1)
    built(2, BY_HAND, "warn")

    registry.mark_ready("churn", 1)

    assert registry.model("churn").aliases == {"champion": 1, "challenger": 2}


def test_marking_ready_again_neither_promotes_nor_tells_twice(registry: Registry, built: Built) -> None:
    built(1)
    built(2, BY_GATE, "pass")
    registry.promote("churn", 1, "bob")
    before = (registry.model("churn"), registry.history("churn"), registry.sequence())

    assert registry.mark_ready("churn", 2).state == "ready"
    assert (registry.model("churn"), registry.history("churn"), registry.sequence()) == before


def test_a_promotion_by_gate_is_one_change_of_the_routes(registry: Registry, make: Make, built: Built) -> None:
    built(1)
    registry.register("churn", make(2, gate=BY_GATE), "ada")
    registry.add_check("churn", 2, Check("gate", "pass"))
    registry.found("churn", 2, BuildFound("python", "as it is"))
    before = registry.sequence()

    registry.mark_ready("churn", 2)

    assert registry.sequence() == before + 1
    route = registry.route_table().route("churn")
    assert route is not None
    assert (route.aliases, sorted(version.number for version in route.versions)) == ({"champion": 2}, [1, 2])


def test_a_person_may_promote_despite_the_gate_and_the_history_says_so(registry: Registry, built: Built) -> None:
    built(1, BY_HAND, "warn")

    assert registry.promote("churn", 1, "bob").aliases == {"champion": 1}
    assert told(registry)[-1] == ("bob", "promote", 1, "champion: version – → 1, despite its gate")


def test_becoming_challenger_by_hand_is_no_matter_of_the_gate(registry: Registry, built: Built) -> None:
    built(1)
    built(2, BY_HAND, "warn")
    built(3)

    registry.promote("churn", 2, "bob", alias="challenger")

    assert told(registry)[-1][-1] == "challenger: version 3 → 2"


def test_a_version_that_waits_without_a_champion_is_routed(registry: Registry, built: Built) -> None:
    built(1, BY_HAND, "warn")

    route = registry.route_table().route("churn")
    assert route is not None
    assert (route.aliases, [version.number for version in route.versions]) == ({"challenger": 1}, [1])
