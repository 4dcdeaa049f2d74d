"""What the gateway tells of itself and of its models: health, metrics, schemas."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from boucle.core.document import to_json
from boucle.core.errors import BoucleError, NotFound
from boucle.core.i18n import _
from boucle.core.routes import RoutedVersion
from boucle.core.schema import to_json_schema
from boucle.core.version import CHAMPION
from boucle.gateway.metrics import CONTENT_TYPE_LATEST, Metrics
from boucle.gateway.recording import Recorder
from boucle.gateway.requests import Exchange, Scope, alias_of, require_method
from boucle.serving.endpoint import Endpoint
from boucle.serving.fleet import Fleet

_JSON = "application/json"
_PROBE_TIMEOUT_S, _PROBE_KEPT_S = 5.0, 0.5
_ROUTES = (
    "/models/{name}",
    "/models/{name}/schema",
    "/models/{name}/invocations",
    "/models/{name}/feedback",
    "/livez",
    "/readyz",
    "/metrics",
)


class Views:
    """Answers every path but invocations. An answer about readiness is kept for half a second."""

    def __init__(self, fleet: Fleet, metrics: Metrics, recorder: Recorder) -> None:
        self._fleet = fleet
        self._recorder = recorder
        self._metrics = metrics
        self._asked_at = float("-inf")
        self._asked: asyncio.Task[tuple[int, dict[str, Any]]] | None = None

    async def answer(self, exchange: Exchange, parts: list[str]) -> None:
        """Answer a GET. ``parts`` are those of the path. Raises NotFound or MethodNotAllowed."""
        status, kind, content = await self._content(exchange.scope, parts)
        headers = [(b"content-type", kind.encode("ascii")), (b"cache-control", b"no-store")]
        await exchange.respond(status, content, headers)

    async def _content(self, scope: Scope, parts: list[str]) -> tuple[int, str, bytes]:
        match parts[1:]:
            case ["models", name]:
                require_method(scope, "GET", "HEAD")
                return 200, _JSON, orjson.dumps(self._model(name))
            case ["models", name, "schema"]:
                require_method(scope, "GET", "HEAD")
                schema = self._fleet.find(name, alias_of(scope)).version.schema
                return 200, "application/schema+json", orjson.dumps(to_json_schema(schema, name))
            case ["livez"]:
                require_method(scope, "GET", "HEAD")
                return 200, _JSON, b'{"status":"alive"}'
            case ["readyz"]:
                require_method(scope, "GET", "HEAD")
                status, told = await self._readiness()
                return status, _JSON, orjson.dumps(told)
            case ["metrics"]:
                require_method(scope, "GET", "HEAD")
                return 200, CONTENT_TYPE_LATEST, self._metrics.text()
        raise NotFound(_("path"), scope["path"][:80], _ROUTES)

    def _model(self, name: str) -> dict[str, Any]:
        table = self._fleet.table
        route = None if table is None else table.route(name)
        if route is None:
            self._fleet.find(name)
            raise NotFound("model", name)
        pointers = self._fleet.aliases(name)
        champion = pointers.get(CHAMPION)
        told: dict[str, Any] = {
            "name": name,
            "version": None if champion is None else champion.version.number,
            "runtime": None if champion is None else champion.version.runtime,
            "aliases": {alias: endpoint.version.number for alias, endpoint in pointers.items()},
            "loaded": sorted(number for model, number in self._fleet.loaded if model == name),
            "description": route.description,
        }
        return told if champion is None else {**told, **_forecast(champion.version)}

    async def _readiness(self) -> tuple[int, dict[str, Any]]:
        """Ask once for all who ask within half a second."""
        loop = asyncio.get_running_loop()
        if self._asked is None or loop.time() - self._asked_at > _PROBE_KEPT_S:
            self._asked_at = loop.time()
            self._asked = loop.create_task(readiness(self._fleet))
        status, told = await asyncio.shield(self._asked)
        return status, _with_log(told, self._recorder)


def _forecast(version: RoutedVersion) -> dict[str, Any]:
    """Return what a model that answers windows or gives intervals says of them; nothing for any other."""
    told: dict[str, Any] = {}
    if version.schema.window is not None:
        told["window"] = to_json(version.schema.window)
    if version.signature.interval_level is not None:
        told["interval_level"] = version.signature.interval_level
    return told


def _with_log(told: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    """Return what was found, degraded while the inference log cannot be written."""
    if not recorder.trouble:
        return told
    detail = _("The inference log cannot be written ({cause}); {n} answers are lost to it.").format(
        cause=recorder.trouble, n=recorder.n_lost
    )
    return {**told, "status": "degraded" if told["status"] == "ready" else told["status"], "log": detail}


async def readiness(fleet: Fleet) -> tuple[int, dict[str, Any]]:
    """Ask each champion for an answer, and return (HTTP status, what was found).

    200 ``ready``; 200 ``degraded`` when all answer but some version cannot be loaded; 503 ``not-ready`` when a
    champion does not answer, or when there is no route table yet.
    """
    if fleet.table is None:
        return 503, {"status": "not-ready", "detail": _("No route table yet. Is the control plane up?")}
    wanted = [(route.name, route.aliases[CHAMPION]) for route in fleet.table.routes if CHAMPION in route.aliases]
    models = await asyncio.gather(*(_asked(fleet, name, number) for name, number in wanted))
    failing = [
        {"model": f.model, "version": f.number, "detail": f.cause, "attempts": f.attempts}
        for f in fleet.failing.values()
    ]
    answers = "degraded" if failing else "ready"
    status = answers if all(model["ready"] for model in models) else "not-ready"
    told = {"status": status, "sequence": fleet.table.sequence, "models": models, "failing": failing}
    return 503 if status == "not-ready" else 200, told


async def _asked(fleet: Fleet, name: str, wanted: int) -> dict[str, Any]:
    endpoint: Endpoint | None = fleet.aliases(name).get(CHAMPION)
    if endpoint is None:
        return {"model": name, "version": None, "wanted": wanted, "ready": False, "detail": _("still being loaded")}
    told = {"model": name, "version": endpoint.version.number, "wanted": wanted}
    try:
        await asyncio.wait_for(endpoint.probe(), _PROBE_TIMEOUT_S)
    except TimeoutError:
        return {**told, "ready": False, "detail": _("no answer in {n:g} s").format(n=_PROBE_TIMEOUT_S)}
    except BoucleError as error:
        return {**told, "ready": False, "detail": str(error)[:500]}
    return {**told, "ready": True}
