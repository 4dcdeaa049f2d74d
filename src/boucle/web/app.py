"""The control plane as one application: routers, errors, guard. Nothing else is decided here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from boucle.core.i18n import N_
from boucle.web import metrics, problems
from boucle.web.api import (
    alerts,
    artifacts,
    inference_log,
    models,
    past_reports,
    platform,
    reports,
    schedules,
    streams,
    waiting,
)
from boucle.web.guard import Guard
from boucle.web.openapi import openapi_of
from boucle.web.pages import model as model_page
from boucle.web.pages import models as models_page
from boucle.web.pages import reference, static
from boucle.web.plane import ControlPlane
from boucle.web.security import GuardedRoute

SAMPLE_S = 15.0  # how often the gateway's counts are read when nobody looks, so that the minutes are real


def create_app(plane: ControlPlane) -> FastAPI:
    """Return the ASGI application of the control plane."""
    app = FastAPI(
        title="boucle",
        description=N_("Register models, follow their builds, promote them and roll them back."),
        version=plane.version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
    )
    app.state.plane = plane
    app.router.route_class = GuardedRoute  # a route added to the application itself declares no permission: refused
    app.router.redirect_slashes = False
    for module in (
        models,
        artifacts,
        waiting,
        schedules,
        alerts,
        reports,
        past_reports,
        inference_log,
        streams,
        platform,
        metrics,
        static,
        models_page,
        model_page,
        reference,
    ):
        app.include_router(module.router)
    app.include_router(reports.page_router)
    app.include_router(past_reports.page_router)
    app.include_router(platform.health)
    app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]  # FastAPI's documented way
    problems.install(app)
    app.add_middleware(Guard, plane=plane)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    sampling = asyncio.create_task(_sample(app.state.plane))
    try:
        yield
    finally:
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling


async def _sample(plane: ControlPlane) -> Any:
    while True:
        await run_in_threadpool(plane.traffic.read)
        await asyncio.sleep(SAMPLE_S)
