"""The page *Model*: its address, its versions and their checks, its schema, a form to try it, code to call it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from boucle.core.document import to_json
from boucle.core.traffic import ModelTraffic
from boucle.core.version import CHAMPION, Version
from boucle.registry.model import AuditEntry, RegisteredModel
from boucle.web.body import Form
from boucle.web.documents import champion_of, find, model_document
from boucle.web.pages import trying
from boucle.web.pages.snippets import Example, Snippet, snippets
from boucle.web.pages.spark import bars
from boucle.web.pages.templates import page, pretty
from boucle.web.parameters import Name, Number
from boucle.web.plane import ControlPlane, Plane, gateway_for, plane_of
from boucle.web.security import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MAX_SCHEMA_ROWS, MAX_HISTORY = 300, 50
_PASSED_ON = frozenset({400, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Tried:
    """The form as it is shown: ``typed`` is None before anything was tried."""

    fields: list[trying.Field]
    whole_row: str
    outcome: trying.Outcome | None = None


@dataclass(frozen=True)
class Shown:
    """A model as its page shows it, with one of its versions at the centre.

    ``alias`` is the one under which the gateway answers with the shown version; None when it answers nobody.
    """

    model: RegisteredModel
    versions: tuple[Version, ...]
    version: Version
    champion: Version | None
    is_chosen: bool
    traffic: ModelTraffic | None
    history: tuple[AuditEntry, ...]
    gateway: str

    @property
    def alias(self) -> str | None:
        """The champion's alias when the shown version is the champion, else any other it has."""
        names = self.model.aliases_of(self.version.number)
        return CHAMPION if CHAMPION in names else next(iter(names), None)

    @property
    def address(self) -> str:
        """Where rows are sent to be answered by the shown version, or by the champion when it has no alias."""
        query = "" if self.alias in (CHAMPION, None) else f"?alias={self.alias}"
        return f"{self.gateway}/models/{self.model.name}/invocations{query}"

    @property
    def newest(self) -> Version:
        """The version that was registered last."""
        return self.versions[0]

    @property
    def failed_checks(self) -> list[Any]:
        """The checks for which the newest version failed."""
        return [check for check in self.newest.checks if check.is_failed] if self.newest.state == "failed" else []

    @property
    def is_building(self) -> bool:
        """True while any version is being built."""
        return any(version.state == "building" for version in self.versions)


@router.api_route("/models/{name}.json", methods=["GET", "HEAD"])
def model_twin(name: Name, plane: Plane) -> JSONResponse:
    """The page as JSON."""
    return JSONResponse(model_document(plane.registry.model(name), plane.registry.versions(name)))


@router.api_route("/models/{name}/versions/{number}.json", methods=["GET", "HEAD"])
def version_twin(name: Name, number: Number, plane: Plane) -> JSONResponse:
    """A version as JSON."""
    return JSONResponse(to_json(plane.registry.version(name, number)))


@router.api_route("/models/{name}", methods=["GET", "HEAD"])
def model_page(name: Name, request: Request, plane: Plane) -> Response:
    """The model with its champion at the centre, or its newest version before there is one."""
    return _answer(request, _shown(plane, name, None))


@router.api_route("/models/{name}/versions/{number}", methods=["GET", "HEAD"])
def version_page(name: Name, number: Number, request: Request, plane: Plane) -> Response:
    """The model with one version at the centre."""
    return _answer(request, _shown(plane, name, number))


@router.post("/models/{name}/try")
def try_model(name: Name, request: Request, plane: Plane, form: Form) -> Response:
    """Ask the gateway one row and show the page with what it said. ``version`` of the form is the one shown."""
    shown = _shown(plane, name, _version_of(form))
    schema = shown.version.manifest.schema
    outcome = trying.ask(shown.address, plane.token if plane.is_open_to_network else "", trying.row_of(schema, form))
    fields = trying.with_errors(trying.fields(schema, form), outcome.errors)
    return _answer(request, shown, Tried(fields, form.get(trying.WHOLE_ROW, ""), outcome))


def _version_of(form: dict[str, str]) -> int | None:
    told = form.get("version", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None


def _shown(plane: ControlPlane, name: str, number: int | None) -> Shown:
    model, versions = plane.registry.model(name), plane.registry.versions(name)
    champion = champion_of(model, versions)
    newest_first = tuple(sorted(versions, key=lambda version: -version.number))
    chosen = find(versions, name, number) if number is not None else champion or newest_first[0]
    return Shown(
        model,
        newest_first,
        chosen,
        champion,
        number is not None,
        plane.traffic.read().get(name),
        plane.registry.history(name)[::-1][:MAX_HISTORY],
        plane.gateway_url().rstrip("/"),
    )


def _answer(request: Request, shown: Shown, tried: Tried | None = None) -> Response:
    shown = replace(shown, gateway=gateway_for(plane_of(request), request))
    schema = shown.version.manifest.schema
    outcome = None if tried is None else tried.outcome
    values = {
        "shown": shown,
        "tried": tried or Tried(trying.fields(schema), pretty(schema.example_row())),
        "counts": {version.number: Counter(check.status for check in version.checks) for version in shown.versions},
        "snippets": _snippets(request, shown),
        "schema_rows": schema.columns[:MAX_SCHEMA_ROWS],
        "traffic_bars": bars(shown.traffic.per_minute) if shown.traffic else (),
        "is_live": shown.is_building,
        "twin": f"/models/{shown.model.name}"
        + (f"/versions/{shown.version.number}" if shown.is_chosen else "")
        + ".json",
    }
    return page(request, "model.html", values, 200 if outcome is None else _status(outcome))


def _snippets(request: Request, shown: Shown) -> list[Snippet]:
    row = shown.version.manifest.schema.example_row()
    example = Example(
        shown.model.name, shown.address, row, shown.alias or CHAMPION, plane_of(request).is_open_to_network
    )
    return snippets(example)


def _status(outcome: trying.Outcome) -> int:
    """Return the status of the page: that of the answer; what only the gateway's caller can mend is a 502 here."""
    if outcome.status < 400:
        return 200
    return outcome.status if outcome.status in _PASSED_ON else 502
