"""Bodies: how much of them is held, by one request and by all."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from boucle.core.errors import TooLarge, Unavailable
from boucle.gateway.requests import Budget, ClientGone, Exchange, Holding, body_of
from boucle.serving.limits import Limits

LIMITS = Limits(max_body_bytes=1_000)


def sent(*parts: bytes, then_leaves: bool = False, headers: dict[bytes, bytes] | None = None) -> Exchange:
    """An exchange whose caller sends a body in parts."""
    last = len(parts) - 1
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": then_leaves or i < last} for i, part in enumerate(parts)
    ]
    if then_leaves:
        messages.append({"type": "http.disconnect"})
    left = iter(messages)

    async def receive() -> MutableMapping[str, Any]:
        return next(left)

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError(f"nothing is sent here: {message}")

    return Exchange({}, headers or {}, receive, send)


def read(exchange: Exchange, budget: Budget) -> bytes:
    with Holding(budget) as holding:
        return asyncio.run(body_of(exchange, LIMITS, holding))


def test_a_body_is_its_parts_and_nothing_is_held_after() -> None:
    budget = Budget(10_000)

    assert read(sent(b"ab", b"", b"cd"), budget) == b"abcd"
    assert budget.held_bytes == 0


def test_a_body_that_comes_whole_needs_no_budget() -> None:
    assert read(sent(b"x" * 900), Budget(0)) == b"x" * 900


def test_large_bodies_beyond_the_budget_are_told_to_come_back() -> None:
    budget = Budget(600)

    with Holding(budget) as other:
        other.add(500)
        with pytest.raises(Unavailable, match="as many large requests as it can"):
            read(sent(b"x" * 80, b"x" * 80), budget)
        assert budget.held_bytes == 500
    assert read(sent(b"x" * 80, b"x" * 80), budget) == b"x" * 160


@pytest.mark.parametrize("then_leaves", [False, True])
def test_a_body_that_grows_beyond_the_limit_is_refused(then_leaves: bool) -> None:
    with pytest.raises(TooLarge, match="bytes of the body"):
        read(sent(b"x" * 600, b"x" * 600, then_leaves=then_leaves), Budget(10_000))


def test_a_caller_who_leaves_in_the_middle_is_noticed() -> None:
    budget = Budget(10_000)

    with pytest.raises(ClientGone):
        read(sent(b"x" * 60, then_leaves=True), budget)
    assert budget.held_bytes == 0
