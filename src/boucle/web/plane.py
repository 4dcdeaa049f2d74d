"""ControlPlane: all that the web shell works with, given by the wiring and held by the application."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request

from boucle.core.report import Report
from boucle.core.table import Table
from boucle.jobs.ports import JobStore, ScheduleStore
from boucle.labels.ports import TruthReader
from boucle.loop.exploring import LogQuery
from boucle.loop.periodic import Shelf
from boucle.loop.reports import ReportQuery
from boucle.monitoring.ports import ProfileStore, WatchStore
from boucle.registry.registry import Registry
from boucle.web.ports import Artifacts, ShippedStreams, Traffic

GIB = 1024**3


def _now_us() -> int:
    return time.time_ns() // 1000


def _never() -> bool:
    return False


@dataclass(frozen=True)
class ControlPlane:
    """``gateway_url`` is where this process reaches the gateway; ``gateway_for`` is what a caller is told.

    ``token`` opens the API, and the pages too when ``is_open_to_network``. ``allowed_hosts`` are served beside the
    loopback names. ``is_stopping`` ends the answers that wait for news, so that a stop does not wait for them.
    ``watching``, ``profiles`` and ``truths`` are None where nothing is watched; ``channels`` are the names of the ways
    out for alerts. ``reports`` makes the report of a window, ``rows`` reads those of the inference log,
    ``shelf`` holds the periodic reports.
    """

    registry: Registry
    jobs: JobStore
    schedules: ScheduleStore
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
    watching: WatchStore | None = None
    profiles: ProfileStore | None = None
    truths: TruthReader | None = None
    channels: tuple[str, ...] = ()
    streams: ShippedStreams | None = None
    reports: Callable[[ReportQuery], Report] | None = None
    rows: Callable[[LogQuery], Table] | None = None
    shelf: Shelf | None = None


def gateway_for(plane: ControlPlane, request: Request) -> str:
    """Return the address of the gateway as the caller of a request can reach it.

    Beyond loopback that is the host the caller asked (the guard has checked it), with the gateway's port.
    """
    inside = plane.gateway_url().rstrip("/")
    if not plane.is_open_to_network:
        return inside
    host = request.url.hostname or ""
    return f"{request.url.scheme}://{f'[{host}]' if ':' in host else host}:{urlsplit(inside).port}"


def plane_of(request: Request) -> ControlPlane:
    """Return the control plane that the application of a request serves."""
    return cast("ControlPlane", request.app.state.plane)


Plane = Annotated[ControlPlane, Depends(plane_of)]
