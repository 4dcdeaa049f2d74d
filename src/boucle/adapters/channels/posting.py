"""One POST of JSON to an address that may hold a secret: whatever goes wrong is told without it.

A timeout of httpx bounds each wait, not their sum: an answer that comes in drops would hold the watch of all models.
So the whole has a bound, which takes an event loop of its own, and of the answer only the status is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from boucle.core.errors import Unavailable
from boucle.core.i18n import _

TIMEOUT_S = 10.0


def post(who: str, url: str, document: Any, headers: Mapping[str, str] | None = None) -> None:
    """Send a document; 2xx is delivered, anything else raises Unavailable. Redirects are not followed."""
    try:
        status = asyncio.run(asyncio.wait_for(_status(url, document, dict(headers or {})), TIMEOUT_S))
    except TimeoutError:
        text = _("{who} gave no answer in {seconds:g} seconds.")
        raise Unavailable(text.format(who=who, seconds=TIMEOUT_S), 60) from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        kind = type(error).__name__
        # not "from error": its text holds the address, and an address may hold a secret
        raise Unavailable(_("{who} cannot be reached ({kind}).").format(who=who, kind=kind), 60) from None
    if not 200 <= status < 300:
        raise Unavailable(_("{who} answered {status}.").format(who=who, status=status), 60)


async def _status(url: str, document: Any, headers: dict[str, str]) -> int:
    async with (
        httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
        client.stream("POST", url, json=document, headers=headers) as answer,
    ):
        return answer.status_code
