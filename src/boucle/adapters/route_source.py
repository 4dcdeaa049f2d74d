"""Route tables over HTTP: a long poll of the control plane."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from boucle.core.document import from_json
from boucle.core.errors import InvalidDocument, Unavailable
from boucle.core.i18n import _
from boucle.core.routes import RouteTable

_WAIT_S, _SLACK_S = 20, 10.0
_OK, _NOTHING_NEW = 200, 204


class HttpRouteSource:
    """Asks ``{url}/api/v1/routes``. ``token`` is called for each request: the token may change while we run."""

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/routes"
        self._token = token
        self._client: httpx.AsyncClient | None = None

    async def next_after(self, sequence: int) -> RouteTable | None:
        """Wait up to 20 s for a table other than ``sequence`` (-1: any, at once). Raises Unavailable."""
        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False, timeout=_WAIT_S + _SLACK_S)
        asked = {"after": max(sequence, 0), "wait_s": _WAIT_S if sequence >= 0 else 0}
        try:
            token = self._token()
            answer = await self._client.get(self._url, params=asked, headers={"authorization": f"Bearer {token}"})
            if answer.status_code == _NOTHING_NEW:
                return None
            if answer.status_code == _OK:
                return from_json(RouteTable, answer.json())
        except (httpx.HTTPError, OSError, ValueError, InvalidDocument) as error:
            raise Unavailable(
                _("No route table from {url}: {cause}").format(url=self._url, cause=str(error) or type(error).__name__)
            ) from error
        raise Unavailable(_("{url} answered {status}").format(url=self._url, status=answer.status_code))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
