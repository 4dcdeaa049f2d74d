"""The monitor on blocks: which family moved, since when, once for each change, and the same after a restart."""

import json
from collections.abc import Iterator

import numpy as np
import pytest

from boucle.core.report import Span
from boucle.monitoring.concept import Block, ConceptMonitor, Moved, check_name, told, tuned
from boucle.monitoring.signals import Grouping

PARTS = (
    Grouping("price", "input", (0, 1, 2, 3, 3)),
    Grouping("truth", "label", (0, 1, 1)),
    Grouping("correct", "error", (1, 0, 0)),
)
REFERENCE = {"price": [500.0, 500.0, 500.0, 500.0], "truth": [1200.0, 800.0]}
USUAL = {"price": [0.25] * 4, "truth": [0.6, 0.4], "correct": [0.9, 0.1]}
TUNING = tuned(1_000_000, 50, 3)


def monitor() -> ConceptMonitor:
    return ConceptMonitor(PARTS, REFERENCE, TUNING)


def blocks(start: int, n: int, seed: int, **shares: list[float]) -> Iterator[Block]:
    rng = np.random.default_rng(seed)
    for at in range(start, start + n):
        drawn = {name: rng.multinomial(50, p).astype(float).tolist() for name, p in {**USUAL, **shares}.items()}
        yield Block(at, at + 1, 50, drawn)


def alarms(watched: ConceptMonitor, given: Iterator[Block]) -> list[Moved]:
    return [moved for block in given for moved in watched.update(block)]


MOVES = {
    "price": ("input", {"price": [0.1, 0.2, 0.3, 0.4]}),
    "truth": ("label", {"truth": [0.35, 0.65]}),
    "correct": ("error", {"correct": [0.7, 0.3]}),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moved_is_told_with_its_family_and_since_when(name: str) -> None:
    family, change = MOVES[name]
    watched = monitor()
    assert not alarms(watched, blocks(0, 100, 1))
    found = alarms(watched, blocks(100, 40, 2, **change))
    assert [(moved.name, moved.family, moved.is_first) for moved in found] == [(name, family, True)]
    assert 95 <= found[0].since <= 105


def test_errors_that_become_fewer_are_no_alarm() -> None:
    watched = monitor()
    alarms(watched, blocks(0, 60, 1))
    assert not alarms(watched, blocks(60, 60, 2, correct=[0.99, 0.01]))


def test_one_change_is_told_once_and_then_the_new_world_is_the_baseline() -> None:
    change = {"price": [0.1, 0.2, 0.3, 0.4], "correct": [0.7, 0.3]}
    watched = monitor()
    alarms(watched, blocks(0, 60, 3))
    found = alarms(watched, blocks(60, 300, 4, **change))
    assert {moved.name for moved in found} == {"price", "correct"}
    assert [moved.is_first for moved in found].count(True) == 1
    assert len(watched.changes) == 1


def test_a_change_back_is_another_change() -> None:
    watched = monitor()
    alarms(watched, blocks(0, 60, 5))
    alarms(watched, blocks(60, 150, 6, price=[0.1, 0.2, 0.3, 0.4]))
    assert [moved.is_first for moved in alarms(watched, blocks(210, 40, 7))] == [True]


def test_nothing_is_told_before_a_baseline_is_there() -> None:
    watched = monitor()
    assert not alarms(watched, blocks(0, 10, 8, correct=[0.1, 0.9]))


def test_it_goes_on_from_its_state_as_if_it_had_not_stopped() -> None:
    change = {"truth": [0.4, 0.6]}
    whole, first = monitor(), monitor()
    expected = alarms(whole, blocks(0, 50, 9)) + alarms(whole, blocks(50, 90, 10, **change))
    found, given = alarms(first, blocks(0, 50, 9)), blocks(50, 90, 10, **change)
    for block in given:
        second = monitor()
        second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
        found += second.update(block)
        first = second
    assert found == expected
    assert json.loads(json.dumps(first.state())) == json.loads(json.dumps(whole.state()))


def test_a_state_of_other_groups_is_left_aside() -> None:
    kept = monitor().state()
    kept["signals"]["price"]["base"] = [1.0]
    watched = monitor()
    watched.restore(kept)
    assert watched.state()["signals"]["price"]["base"] == REFERENCE["price"]


def test_checks_say_what_moved_while_it_lies_in_the_window() -> None:
    watched = monitor()
    alarms(watched, blocks(0, 60, 11))
    alarms(watched, blocks(60, 100, 12, correct=[0.6, 0.4]))
    found = {check.name: check for check in watched.checks(Span(50, 160))}
    assert {name: check.status for name, check in found.items()} == {
        "concept:input:price": "pass",
        "concept:label": "pass",
        "concept:error": "warn",
    }
    bad = found["concept:error"]
    assert bad.observed == "Errors grew."
    assert bad.evidence["level"] > bad.evidence["h"]
    assert 58 <= bad.evidence["since"] < bad.evidence["at"] <= 70
    assert all(check.status == "pass" for check in watched.checks(Span(150, 160)))


def test_families_are_told_apart_in_words() -> None:
    families = ("input", "prediction", "label", "error")
    texts = {told(Moved("x", family, 1, 0, 11.0, 10.0)) for family in families}  # type: ignore[arg-type]
    assert len(texts) == 4
    assert check_name(PARTS[0]) == "concept:input:price"


def test_its_state_does_not_grow() -> None:
    watched = monitor()
    for round_ in range(25):
        change = {"price": [0.1, 0.1, 0.1, 0.7]} if round_ % 2 else {}
        alarms(watched, blocks(round_ * 90, 90, round_, **change))
    assert len(watched.changes) == 20
    assert len(json.dumps(watched.state())) < 10_000


def test_a_rare_class_that_vanishes_is_found_over_many_blocks() -> None:
    part = Grouping("truth", "label", (0, 1))
    usual, gone = [0.97, 0.03], [1.0, 0.0]
    watched = ConceptMonitor([part], {"truth": [9_700.0, 300.0]}, tuned(1_000_000, 50, 1))
    assert not alarms(watched, blocks(0, 100, 14, truth=usual))
    found = alarms(watched, blocks(100, 60, 15, truth=gone))
    assert [moved.name for moved in found] == ["truth"]
    assert found[0].h == pytest.approx(tuned(1_000_000, 50, 1).slow_h, abs=1e-3)


def test_false_alarms_are_as_rare_as_was_asked_for() -> None:
    """All signals, both speeds, a fresh reference for each stream; a stream ends with its first false alarm."""
    wanted, false, n_rows = 10_000, 0, 0
    rng = np.random.default_rng(16)
    for seed in range(25):
        drawn = {name: rng.multinomial(2_000, USUAL[name]).astype(float).tolist() for name in REFERENCE}
        watched = ConceptMonitor(PARTS, drawn, tuned(wanted, 50, 3))
        for block in blocks(0, 300, 100 + seed):
            n_rows += block.n
            if watched.update(block):
                false += 1
                break
    assert 0.5 * wanted < n_rows / false
