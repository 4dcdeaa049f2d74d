"""ControlPlane: all that the web shell works with, given by the wiring and held by the application."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from boucle.jobs.ports import JobStore
from boucle.registry.registry import Registry
from boucle.web.ports import Artifacts, Traffic

GIB = 1024**3


def _now_us() -> int:
    return time.time_ns() // 1000


def _never() -> bool:
    return False


@dataclass(frozen=True)
class ControlPlane:
    """``gateway_url`` is asked at each use: the gateway may come up after the control plane, on a port of its own.

    ``token`` opens the API, and the pages too when ``is_open_to_network``. ``allowed_hosts`` are served beside the
    loopback names. ``is_stopping`` ends the answers that wait for news, so that a stop does not wait for them.
    """

    registry: Registry
    jobs: JobStore
    artifacts: Artifacts
    traffic: Traffic
    token: str
    gateway_url: Callable[[], str]
    version: str
    is_open_to_network: bool = False
    allowed_hosts: tuple[str, ...] = ()
    max_artifact_bytes: int = 16 * GIB
    build_timeout_s: float = 900.0
    now_us: Callable[[], int] = _now_us
    is_stopping: Callable[[], bool] = _never


def plane_of(request: Request) -> ControlPlane:
    """Return the control plane that the application of a request serves."""
    return cast("ControlPlane", request.app.state.plane)


Plane = Annotated[ControlPlane, Depends(plane_of)]
