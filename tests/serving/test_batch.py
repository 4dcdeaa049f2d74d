"""Requests that arrive together are answered together, each with its own rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from boucle.core.errors import ModelFailed, TooSlow, Unavailable
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.table import Column
from boucle.serving.batch import Answered, Batcher, BatchOptions, Run
from boucle.serving.limits import Limits
from boucle.serving.meter import Meter
from boucle.serving.plan import RowPlan, Rows
from boucle.serving.raw import RawRows
from boucle_worker.frames import Columns

PLAN = RowPlan(Schema((ColumnSchema("x", "float"),)), Limits())


def rows(*values: float) -> Rows:
    return PLAN.read(RawRows(len(values), [values]))


def values_of(answered: Answered) -> list[float]:
    found: list[float] = answered.answers["prediction"].values[answered.start : answered.stop].tolist()
    return found


class Model:
    """Doubles; remembers its batches; fails on what it is told to."""

    def __init__(self, fails: Callable[[Any], Exception | None] = lambda _values: None) -> None:
        self.batches: list[list[float]] = []
        self._fails = fails

    def here(self, parts: Sequence[Rows]) -> Columns:
        values = PLAN.columns(parts)["x"].values
        self.batches.append(values.tolist())
        error = self._fails(values)
        if error is not None:
            raise error
        return {"prediction": Column("float", values * 2)}

    async def later(self, parts: Sequence[Rows]) -> Columns:
        await asyncio.sleep(0.01)
        return self.here(parts)


_DEFAULT = BatchOptions()


def together(run: Run, *requests: Rows, options: BatchOptions = _DEFAULT) -> list[Any]:
    """Send requests at the same moment; return the values of each, or its error."""

    async def scene() -> list[Any]:
        batcher = Batcher(run, options, Meter())
        found = await asyncio.gather(*map(batcher.infer, requests), return_exceptions=True)
        return [item if isinstance(item, BaseException) else values_of(item) for item in found]

    return asyncio.run(scene())


@pytest.mark.parametrize("way", ["here", "later"])
def test_requests_that_arrive_together_are_one_batch(way: str) -> None:
    model = Model()

    found = together(getattr(model, way), rows(1), rows(2, 3), rows(4))

    assert found == [[2], [4, 6], [8]]
    assert model.batches == [[1, 2, 3, 4]]


def test_what_arrives_while_a_batch_runs_goes_together_next() -> None:
    model = Model()

    async def scene() -> None:
        batcher = Batcher(model.later, BatchOptions(), Meter())
        first = asyncio.create_task(batcher.infer(rows(1)))
        await asyncio.sleep(0.005)
        await asyncio.gather(first, *(batcher.infer(rows(x)) for x in (2, 3, 4)))

    asyncio.run(scene())

    assert model.batches == [[1], [2, 3, 4]]


def test_a_batch_holds_at_most_so_many_rows() -> None:
    model = Model()

    found = together(model.here, rows(1, 2), rows(3, 4), rows(5), options=BatchOptions(max_rows=3))

    assert found == [[2, 4], [6, 8], [10]]
    assert model.batches == [[1, 2], [3, 4, 5]]


def test_a_request_of_many_rows_goes_alone() -> None:
    model = Model()
    many = rows(*range(100))

    found = together(model.here, rows(1), many, rows(2))

    assert found == [[2], [2.0 * x for x in range(100)], [4]]
    assert [len(batch) for batch in model.batches] == [1, 100, 1]


@pytest.mark.parametrize("way", ["here", "later"])
def test_a_request_that_makes_the_model_fail_fails_alone(way: str) -> None:
    model = Model(lambda values: ModelFailed("13 is unlucky") if 13 in values else None)

    found = together(getattr(model, way), rows(1), rows(13), rows(2))

    assert found[0] == [2]
    assert isinstance(found[1], ModelFailed)
    assert found[2] == [4]


def test_a_worker_that_is_gone_is_asked_once_more() -> None:
    gone = iter([Unavailable("gone"), None])
    model = Model(lambda _values: next(gone))

    assert together(model.later, rows(1)) == [[2]]
    assert model.batches == [[1], [1]]


def test_a_worker_that_is_gone_twice_is_unavailable() -> None:
    found = together(Model(lambda _values: Unavailable("gone")).later, rows(1))

    assert isinstance(found[0], Unavailable)


def test_a_model_that_is_too_slow_is_not_asked_again() -> None:
    model = Model(lambda _values: TooSlow("the model", 1.0))

    found = together(model.later, rows(1), rows(2))

    assert [type(item) for item in found] == [TooSlow, TooSlow]
    assert len(model.batches) == 1


def test_answers_of_another_number_than_the_rows_are_a_failure() -> None:
    def short(parts: Sequence[Rows]) -> Columns:
        return {"prediction": Column("float", np.zeros(len(parts) + 1))}

    found = together(short, rows(1))

    assert str(found[0]) == "The model gave 2 answers to 1 rows."


def test_a_full_queue_refuses_at_once() -> None:
    found = together(Model().later, rows(1), rows(2), rows(3), options=BatchOptions(max_waiting=2))

    assert found[:2] == [[2], [4]]
    assert isinstance(found[2], Unavailable)


def test_a_request_that_waited_too_long_is_refused_not_run() -> None:
    model = Model()

    async def scene() -> None:
        batcher = Batcher(model.later, BatchOptions(max_rows=1, max_wait_s=0.001), Meter())
        waiting = [asyncio.create_task(batcher.infer(rows(x))) for x in (1, 2, 3, 4, 5, 6)]
        await waiting[0]
        with pytest.raises(Unavailable, match="waited too long"):
            await waiting[-1]

    asyncio.run(scene())

    assert [6] not in model.batches


def test_under_load_what_is_taken_is_answered_soon_and_the_rest_is_refused_at_once() -> None:
    model = Model()
    options = BatchOptions(max_rows=1, max_wait_s=0.1)
    waited: list[float] = []
    refused: list[float] = []

    async def ask(batcher: Batcher, at_s: float) -> None:
        await asyncio.sleep(at_s)
        start = time.monotonic()
        try:
            await batcher.infer(rows(1))
            waited.append(time.monotonic() - start)
        except Unavailable:
            refused.append(time.monotonic() - start)

    async def scene() -> None:
        batcher = Batcher(model.later, options, Meter())
        await asyncio.gather(*(ask(batcher, i * 0.001) for i in range(1_000)))

    asyncio.run(scene())

    assert len(waited) + len(refused) == 1_000
    assert len(waited) > 50
    assert max(waited) < 0.5
    assert sorted(refused)[len(refused) * 9 // 10] < 0.05


def test_the_batcher_works_on_after_a_failure_nobody_foresaw() -> None:
    errors = iter([RuntimeError("bug"), None])

    async def scene() -> None:
        batcher = Batcher(Model(lambda _values: next(errors)).here, BatchOptions(), Meter())
        with pytest.raises(RuntimeError, match="bug"):
            await batcher.infer(rows(1))
        assert values_of(await batcher.infer(rows(2))) == [4]

    asyncio.run(scene())
