"""Replaying recorded rows as traffic: at their own times, their outcomes a day late."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from journeys.scene import Platform

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Told:
    """What the gateway acknowledged: the id of each row, and the answer to it."""

    ids: list[str]
    predictions: list[Any]


class Consumer:
    """Someone who asks one model, over one connection."""

    def __init__(self, platform: Platform, name: str) -> None:
        self.platform, self.name = platform, name
        self._connection = http.client.HTTPConnection(urlsplit(platform.gateway).netloc, timeout=30)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(self, rows: Sequence[dict[str, Any]], at: int | None = None) -> Told:
        """Send rows as one request, as if at a time."""
        document = self._post(f"/models/{self.name}/invocations", rows, at)
        ids = [f"{document['prediction_id']}:{place}" for place in range(len(rows))]
        return Told(ids, document["predictions"])

    def tell(self, ids: Sequence[str], values: Sequence[Any], at: int | None = None) -> dict[str, Any]:
        """Send outcomes."""
        truth = [{"id": one, "value": value} for one, value in zip(ids, values, strict=True)]
        return self._post(f"/models/{self.name}/feedback", {"truth": truth}, at)

    def _post(self, path: str, document: Any, at: int | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} | ({} if at is None else {"X-Boucle-Time": str(at)})
        self._connection.request("POST", path, json.dumps(document), headers)
        response = self._connection.getresponse()
        found: dict[str, Any] = json.loads(response.read())
        assert response.status < 300, found
        return found


def control(platform: Platform, method: str, path: str, document: Any = None) -> Any:
    """Ask the control plane, and return what it says."""
    address = f"{platform.url}/api/v1{path}"
    headers = {"Authorization": f"Bearer {platform.token}"}
    response = httpx.request(method, address, json=document, headers=headers, trust_env=False, timeout=60)
    assert response.status_code < 300, response.text
    return response.json() if response.content else None


def until(said: Callable[[], Any], timeout_s: float = 120.0) -> Any:
    """Return what is said as soon as it is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := said()):
        assert time.monotonic() < deadline, f"it never came: {said}"
        time.sleep(0.3)
    return found
