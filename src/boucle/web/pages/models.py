"""The page *Models*: each registered model one row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from boucle.core.traffic import ModelTraffic
from boucle.core.version import Version
from boucle.registry.model import RegisteredModel
from boucle.web.documents import champion_of, gate_result, model_rows
from boucle.web.pages.monitoring import OpenAlerts, open_alerts
from boucle.web.pages.spark import Bar, bars
from boucle.web.pages.templates import page
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Row:
    """One model of the list: ``newest`` is shown when it is not the champion, since it is what somebody waits for."""

    model: RegisteredModel
    champion: Version | None
    newest: Version | None
    n_versions: int
    traffic: ModelTraffic | None
    bars: tuple[Bar, ...]
    alerts: OpenAlerts = OpenAlerts()

    @property
    def is_newest_told(self) -> bool:
        """True when the newest version is building, failed, or was held back by its gate."""
        return self.newest is not None and (self.newest.state != "ready" or self.is_held_back)

    @property
    def is_held_back(self) -> bool:
        """True when the newest version is ready and its gate alone kept it from being champion."""
        result = None if self.newest is None or self.newest == self.champion else gate_result(self.newest)
        return result is not None and not result.passed


@router.api_route("/", methods=["GET", "HEAD"])
def models_page(request: Request, plane: Plane) -> Response:
    """All models, by name."""
    rows = _rows(plane)
    is_live = any(row.newest is not None and row.newest.state == "building" for row in rows)
    return page(request, "models.html", {"rows": rows, "twin": "/models.json", "is_live": is_live})


@router.api_route("/models", methods=["GET", "HEAD"])
def models_address() -> Response:
    """The list under the address one would type."""
    return Response(status_code=308, headers={"Location": "/"})


@router.api_route("/models.json", methods=["GET", "HEAD"])
def models_twin(plane: Plane) -> JSONResponse:
    """The same as JSON."""
    return JSONResponse(model_rows(plane.registry, plane.traffic.read()))


def _rows(plane: ControlPlane) -> list[Row]:
    traffic, alerts = plane.traffic.read(), open_alerts(plane)
    rows = [_row(model, plane.registry.versions(model.name), traffic) for model in plane.registry.models()]
    return [replace(row, alerts=alerts.get(row.model.name, OpenAlerts())) for row in rows]


def _row(model: RegisteredModel, versions: tuple[Version, ...], traffic: dict[str, ModelTraffic]) -> Row:
    counted = traffic.get(model.name)
    return Row(
        model,
        champion_of(model, versions),
        max(versions, key=lambda version: version.number, default=None),
        len(versions),
        counted,
        () if counted is None else bars(counted.per_minute),
    )
