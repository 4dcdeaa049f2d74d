"""Pointers move only to what is loaded; what fails is tried again while the old version answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from boucle.adapters.memory.models import MemoryModels
from boucle.core.errors import NotFound, Unavailable
from boucle.core.routes import RouteTable
from boucle.serving.endpoint import Endpoint, Opener, ServingOptions
from boucle.serving.fleet import Fleet
from boucle.serving.meter import Meters
from boucle_worker.frames import Columns
from routed import ROW, doubled_age, routed, table, tripled_age

FIRST, SECOND = routed(1, "a" * 64), routed(2, "b" * 64)


def scene(models: MemoryModels, play: Callable[[Fleet], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(2) as executor:
            fleet = Fleet(Opener(models, ServingOptions(executor)), Meters())
            try:
                await play(fleet)
            finally:
                await fleet.close()

    asyncio.run(run())


async def asked(endpoint: Endpoint) -> float:
    plan = endpoint.plan
    answered = await endpoint.infer(plan.read(plan.names.of_records([ROW])))
    return float(answered.answers["prediction"].values[answered.start])


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110  # what a fleet does by itself tells nobody
            await asyncio.sleep(0.005)


def world() -> MemoryModels:
    return MemoryModels({"a" * 64: doubled_age, "b" * 64: tripled_age})


@pytest.mark.parametrize("runtime", ["onnx", "python"])
def test_a_loaded_champion_answers(runtime: Any) -> None:
    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, routed(1, "a" * 64, runtime=runtime, format="skops")))
        assert await fleet.settled(5)
        assert await asked(fleet.find("bank")) == 82.0
        await fleet.find("bank").probe()

    scene(world(), play)


def test_a_pointer_moves_when_the_new_version_is_loaded_and_not_before() -> None:
    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, FIRST))
        await fleet.settled(5)
        fleet.apply(table(2, FIRST, SECOND, champion=2))
        assert await asked(fleet.find("bank")) == 82.0
        await fleet.settled(5)
        assert await asked(fleet.find("bank")) == 123.0

    scene(world(), play)


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_is_told() -> None:
    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, FIRST))
        await fleet.settled(5)
        fleet.apply(table(2, FIRST, routed(2, "c" * 64), champion=2))
        await fleet.settled(5)
        assert fleet.find("bank").version.number == 1
        assert [(f.model, f.number, f.attempts) for f in fleet.failing.values()] == [("bank", 2, 1)]

    scene(world(), play)


def test_a_version_that_could_not_be_loaded_is_tried_again() -> None:
    models = world()

    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, routed(1, "c" * 64)))
        await fleet.settled(5)
        with pytest.raises(Unavailable, match="being loaded"):
            fleet.find("bank")
        models.functions["c" * 64] = doubled_age
        await until(lambda: not fleet.failing)
        assert await asked(fleet.find("bank")) == 82.0

    scene(models, play)


def test_a_model_that_cannot_answer_its_own_example_is_not_served() -> None:
    def broken(columns: Columns) -> Columns:
        raise ValueError("no such column")

    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, FIRST))
        await fleet.settled(5)
        assert "ValueError: no such column" in fleet.failing["bank", 1].cause

    scene(MemoryModels({"a" * 64: broken}), play)


def test_a_version_without_alias_is_held_ready_but_answers_nobody() -> None:
    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, FIRST, SECOND, champion=1))
        await fleet.settled(5)
        assert sorted(fleet.loaded) == [("bank", 1), ("bank", 2)]
        assert list(fleet.aliases("bank")) == ["champion"]

    scene(world(), play)


def test_a_version_that_left_the_table_is_closed_after_its_last_request() -> None:
    models = world()

    async def play(fleet: Fleet) -> None:
        fleet.apply(table(1, routed(1, "a" * 64, runtime="python", format="skops")))
        await fleet.settled(5)
        endpoint = fleet.find("bank")
        endpoint.enter()
        fleet.apply(table(2, SECOND))
        await fleet.settled(5)
        await asyncio.sleep(0)
        assert models.made[0].is_loaded
        assert await asked(endpoint) == 82.0
        endpoint.exit()
        await until(lambda: not models.made[0].is_loaded)

    scene(models, play)


def test_what_is_not_there_is_named_with_what_is() -> None:
    async def play(fleet: Fleet) -> None:
        with pytest.raises(Unavailable, match="no route table yet"):
            fleet.find("bank")
        fleet.apply(table(1, FIRST))
        with pytest.raises(NotFound, match=r"There is no model 'banc'\. There is: bank\."):
            fleet.find("banc")
        with pytest.raises(NotFound, match="no alias 'challenger'"):
            fleet.find("bank", "challenger")
        fleet.apply(RouteTable(2))
        with pytest.raises(NotFound, match="no model 'bank'"):
            fleet.find("bank")

    scene(world(), play)
