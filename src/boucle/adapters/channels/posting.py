"""One POST of JSON to an address that may hold a secret: whatever goes wrong is told without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from boucle.core.errors import Unavailable
from boucle.core.i18n import _

TIMEOUT_S = 10.0


def post(who: str, url: str, document: Any, headers: Mapping[str, str] | None = None) -> None:
    """Send a document; 2xx is delivered, anything else raises Unavailable. Redirects are not followed."""
    try:
        answer = httpx.post(
            url, json=document, headers=dict(headers or {}), timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
        kind = type(error).__name__
        # not "from error": its text holds the address, and an address may hold a secret
        raise Unavailable(_("{who} cannot be reached ({kind}).").format(who=who, kind=kind), 60) from None
    if not 200 <= answer.status_code < 300:
        raise Unavailable(_("{who} answered {status}.").format(who=who, status=answer.status_code), 60)
