"""Warm series: what is held is what the store has, whatever changed in between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from boucle.adapters.memory.collecting import MemoryCollectStore
from boucle.adapters.memory.profiles import MemoryProfileStore
from boucle.adapters.memory.watched import WatchedMemory
from boucle.core.counting import count
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.core.table import Column, Table
from boucle.loop.warm import WarmSeries
from boucle.monitoring.ports import Key

GRID = Grid((Part("x", "number", edges=(3.0,)),))
KEY, OTHER = Key("churn", 1, "features"), Key("risk", 1, "features")
MINUTE, HOUR = 60_000_000, 3_600_000_000
DAY = 24 * HOUR
T0 = 20_000 * DAY
ALWAYS = Span(-(2**62), 2**62)


class Reading(MemoryProfileStore):
    """Counts how often, and from when on, series are read."""

    def __init__(self, memory: WatchedMemory) -> None:
        super().__init__(memory)
        self.read: list[int] = []

    def series(self, key: Key, window: Span) -> Series:
        self.read.append(window.start)
        return super().series(key, window)


class Scene:
    def __init__(self) -> None:
        memory = WatchedMemory()
        self.store, self.collect = Reading(memory), MemoryCollectStore(memory)
        self.warm = WarmSeries(self.store)
        for key in (KEY, OTHER):
            self.store.keep_reference(key.model, 1, Reference({"features": GRID}, {}))

    def add(self, at: int, *values: float, key: Key = KEY) -> None:
        with self.collect.collecting() as tx:
            tx.add({(key, at): profile(*values)})

    def check(self, span: Span = ALWAYS) -> None:
        """Expect what is held to be what a fresh look finds."""
        held, fresh = self.warm(KEY, span), MemoryProfileStore.series(self.store, KEY, span)
        assert [
            (at, one.n_rows, one.counts.tolist(), one.sums.tolist()) for at, one in held.steps if at >= span.start
        ] == [(at, one.n_rows, one.counts.tolist(), one.sums.tolist()) for at, one in fresh.steps]


def profile(*values: float) -> Profile:
    return count(GRID, Table({"x": Column("float", np.array(values))}))


@pytest.fixture
def scene() -> Scene:
    found = Scene()
    for minute in range(5):
        found.add(T0 + minute * MINUTE, 1.0, 4.0)
    found.check()
    return found


def test_nothing_is_read_again_while_nothing_changed(scene: Scene) -> None:
    scene.store.read.clear()
    for _ in range(3):
        scene.warm(KEY, ALWAYS)

    assert scene.store.read == []


def test_new_minutes_alone_are_read(scene: Scene) -> None:
    scene.add(T0 + 5 * MINUTE, 2.0)
    scene.store.read.clear()
    scene.check()

    assert scene.store.read == [T0 + 5 * MINUTE]


def roll_up(scene: Scene) -> None:
    with scene.collect.collecting() as tx:
        tx.roll_up("churn", T0 + HOUR, 3_600)


def forget(scene: Scene) -> None:
    with scene.collect.collecting() as tx:
        tx.forget("churn", T0 + 2 * MINUTE)


def forget_and_add(scene: Scene) -> None:
    forget(scene)
    scene.add(T0 + 7 * MINUTE, 2.0)
    scene.add(T0 + 8 * MINUTE, 2.0)


def correct(scene: Scene) -> None:
    with scene.collect.collecting() as tx:
        tx.add({(KEY, T0 + 2 * MINUTE): Profile.empty(GRID) - profile(1.0)})
        tx.add({(KEY, T0 + 2 * MINUTE): profile(7.0)})


def forget_all(scene: Scene) -> None:
    with scene.collect.collecting() as tx:
        tx.forget("churn", T0 + DAY)


@pytest.mark.parametrize(
    "change",
    [
        lambda scene: scene.add(T0 - DAY, 2.0),
        lambda scene: scene.add(T0 + MINUTE, 2.0),
        lambda scene: scene.add(T0 + 9 * MINUTE, 2.0),
        correct,
        roll_up,
        forget,
        forget_and_add,
        forget_all,
    ],
    ids=["older", "late", "newer", "corrected", "rolled up", "forgotten", "forgotten and added", "all forgotten"],
)
def test_whatever_changes_is_seen_at_the_next_look(scene: Scene, change: Callable[[Scene], None]) -> None:
    change(scene)
    scene.check()
    scene.add(T0 + DAY, 2.0)
    scene.check()


def test_an_earlier_begin_than_is_held_is_read(scene: Scene) -> None:
    fresh = Scene()
    for minute in range(5):
        fresh.add(T0 + minute * MINUTE, float(minute))

    fresh.check(Span(T0 + 3 * MINUTE, T0 + DAY))
    fresh.check(Span(T0 + MINUTE, T0 + DAY))
    fresh.check(Span(T0 + 2 * MINUTE, T0 + DAY))


def test_what_was_asked_longest_ago_makes_room(scene: Scene) -> None:
    scene.warm = WarmSeries(scene.store, most_bytes=1)
    scene.add(T0, 1.0, key=OTHER)
    scene.warm(KEY, ALWAYS)
    scene.warm(OTHER, ALWAYS)
    scene.store.read.clear()
    scene.warm(OTHER, ALWAYS)
    scene.warm(KEY, ALWAYS)

    assert len(scene.store.read) == 1
