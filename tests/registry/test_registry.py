import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from boucle.core.check import Check
from boucle.core.errors import Conflict, InvalidRequest, NotFound
from boucle.core.version import Manifest, Version
from boucle.registry.model import BuildFound
from boucle.registry.registry import Registry

FOUND = BuildFound("python", "no converter is installed", "3.11")
Make = Callable[..., Manifest]
Ready = Callable[[int], Version]


def test_the_first_manifest_of_a_name_becomes_version_one_and_builds(registry: Registry, make: Make) -> None:
    version, is_new = registry.register("churn", make(1), "ada")

    assert (version.number, version.state, is_new) == (1, "building", True)
    assert registry.version("churn", 1) == version
    assert version.manifest == make(1)


def test_the_same_manifest_is_the_same_version_even_when_its_words_differ(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")

    version, is_new = registry.register("churn", make(1, description="better words", author="bob"), "bob")

    assert (version.number, version.author, is_new) == (1, "ada", False)
    assert len(registry.versions("churn")) == 1
    assert registry.model("churn").description == "better words"


def test_another_manifest_is_the_next_number_and_another_name_starts_at_one(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")

    assert registry.register("churn", make(2), "ada")[0].number == 2
    assert registry.register("fraud", make(2), "ada")[0].number == 1


def test_a_failed_version_deployed_again_goes_back_to_building_without_its_checks(
    registry: Registry, make: Make
) -> None:
    registry.register("churn", make(1), "ada")
    registry.add_check("churn", 1, Check("load", "fail", observed="no module named shop"))
    registry.found("churn", 1, FOUND)
    registry.mark_failed("churn", 1, "load failed")

    version, is_new = registry.register("churn", make(1), "bob")

    assert (version.number, version.state, version.checks, version.runtime, is_new) == (1, "building", (), None, False)
    assert registry.version("churn", 1) == version


@pytest.mark.parametrize("name", ["", "Churn", "1churn", "a/b", "../x", "a" * 64, "é", "churn\n"])
def test_a_name_that_could_not_stand_in_an_address_is_refused(registry: Registry, make: Make, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not usable"):
        registry.register(name, make(1), "ada")
    assert registry.models() == ()


def test_checks_are_kept_in_order_and_read_from_an_index(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")
    for name in ("artifacts", "environment", "load"):
        registry.add_check("churn", 1, Check(name, "pass", evidence={"seconds": 0.5, "rows": [1, 2]}))

    assert [check.name for check in registry.checks("churn", 1, after=1)] == ["environment", "load"]
    assert registry.checks("churn", 1)[0].evidence == {"seconds": 0.5, "rows": [1, 2]}


def test_a_step_that_is_repeated_after_a_crash_says_its_check_once(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")
    for name in ("artifacts", "load", "artifacts"):
        registry.add_check("churn", 1, Check(name, "pass"))

    assert [check.name for check in registry.checks("churn", 1)] == ["artifacts", "load"]


def test_the_first_ready_version_is_champion_and_a_later_one_challenger(registry: Registry, ready: Ready) -> None:
    ready(1)
    ready(2)
    assert registry.model("churn").aliases == {"champion": 1, "challenger": 2}

    ready(3)
    assert registry.model("churn").aliases == {"champion": 1, "challenger": 3}
    assert registry.model("churn").previous is None


def test_marking_ready_twice_changes_nothing(registry: Registry, ready: Ready) -> None:
    ready(1)
    before = (registry.model("churn"), registry.history("churn"), registry.sequence())

    assert registry.mark_ready("churn", 1).state == "ready"
    assert (registry.model("churn"), registry.history("churn"), registry.sequence()) == before


def test_a_version_whose_runtime_is_unknown_cannot_be_ready(registry: Registry, make: Make) -> None:
    registry.register("churn", make(1), "ada")

    with pytest.raises(Conflict, match="did not tell how it runs"):
        registry.mark_ready("churn", 1)
    assert registry.model("churn").aliases == {}


def test_a_failed_version_cannot_be_ready_and_a_ready_one_does_not_fail(
    registry: Registry, make: Make, ready: Ready
) -> None:
    ready(1)
    registry.register("churn", make(2), "ada")
    registry.mark_failed("churn", 2, "refused")

    with pytest.raises(Conflict, match="version 2 is failed: its build is over"):
        registry.found("churn", 2, FOUND)
    assert registry.mark_failed("churn", 1, "too late").state == "ready"
    assert registry.version("churn", 2).reason == "refused"


def test_promoting_a_challenger_keeps_the_old_champion_as_rollback(registry: Registry, ready: Ready) -> None:
    ready(1)
    ready(2)

    model = registry.promote("churn", 2, "bob")

    assert (model.aliases, model.previous) == ({"champion": 2}, 1)
    assert registry.model("churn") == model


def test_rolling_back_steps_one_champion_back_each_time_until_there_is_none(registry: Registry, ready: Ready) -> None:
    for seed in (1, 2, 3):
        ready(seed)
    registry.promote("churn", 2, "bob")
    registry.promote("churn", 3, "bob")

    assert registry.rollback("churn", "bob").aliases == {"champion": 2}
    assert registry.rollback("churn", "bob").aliases == {"champion": 1}
    with pytest.raises(Conflict, match="no champion before version 1"):
        registry.rollback("churn", "bob")
    assert registry.model("churn").aliases == {"champion": 1}


def test_promoting_the_champion_again_is_no_change(registry: Registry, ready: Ready) -> None:
    ready(1)
    before = (registry.history("churn"), registry.sequence())

    assert registry.promote("churn", 1, "bob").previous is None
    assert (registry.history("churn"), registry.sequence()) == before


def test_a_former_champion_can_be_made_challenger_and_the_champion_cannot(registry: Registry, ready: Ready) -> None:
    ready(1)
    ready(2)
    registry.promote("churn", 2, "bob")

    assert registry.promote("churn", 1, "bob", alias="challenger").aliases == {"champion": 2, "challenger": 1}
    with pytest.raises(Conflict, match="version 2 is the champion"):
        registry.promote("churn", 2, "bob", alias="challenger")
    assert registry.rollback("churn", "bob").aliases == {"champion": 1}


def test_only_ready_versions_are_promoted(registry: Registry, make: Make, ready: Ready) -> None:
    ready(1)
    registry.register("churn", make(2), "ada")

    with pytest.raises(Conflict, match="churn version 2 is building: only a ready version"):
        registry.promote("churn", 2, "bob")
    assert registry.model("churn").aliases == {"champion": 1}


def test_a_missing_version_is_answered_with_those_there_are(registry: Registry, make: Make, ready: Ready) -> None:
    ready(1)
    registry.register("churn", make(2), "ada")

    with pytest.raises(NotFound, match=r"no version 'churn 7'\. There is: 1 \(ready\), 2 \(building\)\."):
        registry.promote("churn", 7, "bob")


def test_a_missing_alias_is_answered_with_those_there_are_and_the_next_command(
    registry: Registry, make: Make, ready: Ready
) -> None:
    registry.register("churn", make(1), "ada")
    with pytest.raises(NotFound, match=r"'churn@champion'\. There is: none\. Set one with: boucle promote churn 1"):
        registry.aliased("churn", "champion")

    ready(1)
    assert registry.aliased("churn", "champion").number == 1
    with pytest.raises(NotFound, match=r"'champoin'\. There is: challenger, champion\."):
        registry.promote("churn", 1, "bob", alias="champoin")


def test_a_missing_model_is_answered_with_those_there_are(registry: Registry, make: Make) -> None:
    with pytest.raises(NotFound, match=r"There is no model 'churn'\. There is: none\."):
        registry.model("churn")
    registry.register("fraud", make(1), "ada")
    for ask in (registry.versions, registry.history, registry.model, lambda name: registry.rollback(name, "bob")):
        with pytest.raises(NotFound, match="There is: fraud"):
            ask("churn")


def test_every_change_has_its_audit_entry(registry: Registry, make: Make, ready: Ready) -> None:
    ready(1)
    ready(2)
    registry.promote("churn", 2, "bob")
    registry.rollback("churn", "eve")
    registry.register("churn", make(3), "ada")
    registry.mark_failed("churn", 3, "refused")
    registry.register("churn", make(3), "bob")

    history = registry.history("churn")

    assert [(entry.actor, entry.action, entry.version) for entry in history] == [
        ("ada", "register", 1),
        ("boucle", "ready", 1),
        ("ada", "register", 2),
        ("boucle", "ready", 2),
        ("bob", "promote", 2),
        ("eve", "rollback", 1),
        ("ada", "register", 3),
        ("boucle", "failed", 3),
        ("bob", "retry", 3),
    ]
    assert history[4].detail == "champion: version 1 → 2"
    assert [entry.at for entry in history] == sorted({entry.at for entry in history})


def test_concurrent_promotions_are_a_line(registry: Registry, ready: Ready) -> None:
    for seed in range(1, 6):
        ready(seed)
    people = [threading.Thread(target=registry.promote, args=("churn", n, f"p{n}")) for n in (2, 3, 4, 5)]
    for person in people:
        person.start()
    for person in people:
        person.join()

    details = [entry.detail for entry in registry.history("churn") if entry.action == "promote"]
    moves = [tuple(map(int, detail.removeprefix("champion: version ").split(" → "))) for detail in details]
    assert [before for before, _ in moves] == [1, *(after for _, after in moves[:-1])]
    assert registry.model("churn").past == tuple(before for before, _ in moves)


def test_the_job_that_builds_a_version_is_remembered(registry: Registry, make: Make) -> None:
    version, _ = registry.register("churn", make(1), "ada")
    registry.set_job("churn", 1, "0190-job")
    assert registry.version("churn", 1) == replace(version, job="0190-job")
