"""The page *Model*: its address, its versions and their checks, its schema, a form to try it, code to call it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from boucle.core.document import to_json
from boucle.core.errors import NotFound
from boucle.core.i18n import _
from boucle.core.traffic import ModelTraffic
from boucle.core.version import CHAMPION, Version
from boucle.registry.model import AuditEntry, RegisteredModel
from boucle.web.body import Form
from boucle.web.documents import champion_of, find, gate_result, labelled_document, version_document
from boucle.web.pages import samples, trying
from boucle.web.pages.charts import Forecast
from boucle.web.pages.forecast import Section, ask_later, forecast_document, section_of, with_pictures
from boucle.web.pages.monitoring import monitoring_of
from boucle.web.pages.skill import headline, skill_of
from boucle.web.pages.snippets import Example, Snippet, snippets, window_snippets
from boucle.web.pages.spark import bars
from boucle.web.pages.templates import page, pretty
from boucle.web.parameters import Name, Number
from boucle.web.plane import ControlPlane, Plane, gateway_for, plane_of
from boucle.web.security import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MAX_SCHEMA_ROWS, MAX_HISTORY, MAX_TYPED = 300, 50, 200_000
Chosen = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
_PASSED_ON = frozenset({400, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Tried:
    """The form as it is shown: ``outcome`` is None before anything was tried.

    ``has_window`` is True when the newest window of the version's own rows can be asked.
    """

    fields: list[trying.Field]
    whole_row: str
    outcome: trying.Outcome | None = None
    has_window: bool = False


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
    def held_back(self) -> Version | None:
        """The version shown, or the newest, when its gate alone kept it from being champion."""
        for version in (self.version, self.newest):
            result = gate_result(version)
            if result is not None and not result.passed and version.number != self.model.champion:
                return version
        return None

    @property
    def is_window(self) -> bool:
        """True when the shown version answers once for many rows."""
        return samples.is_window_model(self.version)

    @property
    def is_building(self) -> bool:
        """True while any version is being built."""
        return any(version.state == "building" for version in self.versions)


@router.api_route("/models/{name}.json", methods=["GET", "HEAD"])
def model_twin(name: Name, plane: Plane) -> JSONResponse:
    """The page as JSON."""
    shown = _shown(plane, name, None)
    versions = sorted(shown.versions, key=lambda version: version.number)
    return JSONResponse({**labelled_document(shown.model, versions), **_told(plane, shown)})


@router.api_route("/models/{name}/versions/{number}.json", methods=["GET", "HEAD"])
def version_twin(name: Name, number: Number, plane: Plane) -> JSONResponse:
    """A version as JSON."""
    shown = _shown(plane, name, number)
    return JSONResponse({**version_document(shown.version), **_told(plane, shown)})


@router.api_route("/models/{name}", methods=["GET", "HEAD"])
def model_page(name: Name, request: Request, plane: Plane) -> Response:
    """The model with its champion at the centre, or its newest version before there is one."""
    return _answer(request, _shown(plane, name, None))


@router.api_route("/models/{name}/versions/{number}", methods=["GET", "HEAD"])
def version_page(name: Name, number: Number, request: Request, plane: Plane) -> Response:
    """The model with one version at the centre."""
    return _answer(request, _shown(plane, name, number))


@router.api_route("/models/{name}/window.csv", methods=["GET", "HEAD"])
def window_csv(name: Name, plane: Plane, version: Chosen = None) -> Response:
    """The newest window of a version's own rows, as a request takes it; of the champion when no version is told."""
    shown = _shown(plane, name, version).version
    try:
        rows = samples.newest_rows(plane, shown)
    except samples.Unreadable as error:
        raise NotFound("path", f"/models/{name}/window.csv", cure=_("Deploy the model again.")) from error
    if not rows:
        cure = _("Only models that answer once for many rows have one.")
        raise NotFound("path", f"/models/{name}/window.csv", cure=cure)
    told = {"Content-Disposition": f'attachment; filename="{name}-window.csv"'}
    return Response(samples.as_csv(rows), headers=told, media_type="text/csv; charset=utf-8")


@router.post("/models/{name}/try")
def try_model(name: Name, request: Request, plane: Plane, form: Form) -> Response:
    """Ask the gateway and show the page with what it said. ``version`` of the form is the one shown.

    Of a window model ``ask`` is ``newest`` (its own newest rows), ``later`` (candles known since) or ``typed``.
    """
    shown = _shown(plane, name, _version_of(form))
    token = plane.token if plane.is_open_to_network else ""
    schema = shown.version.manifest.schema
    if not shown.is_window:
        outcome = trying.ask(shown.address, token, [trying.row_of(schema, form)])
        fields = trying.with_errors(trying.fields(schema, form), outcome.errors)
        return _answer(request, shown, Tried(fields, form.get(trying.WHOLE_ROW, ""), outcome))
    if form.get("ask") == "later":
        asked = ask_later(plane, shown.version, shown.versions, lambda rows: trying.ask(shown.address, token, rows))
        return _answer(request, shown, asked=asked)
    return _answer(request, shown, _tried_window(plane, shown, form, token))


def _tried_window(plane: ControlPlane, shown: Shown, form: dict[str, str], token: str) -> Tried:
    tried = _untried(plane, shown.version)
    if form.get("ask") != "newest":
        outcome = trying.ask(shown.address, token, trying.window_of(form))
        return replace(tried, whole_row=form.get(trying.WHOLE_ROW, ""), outcome=outcome)
    try:
        outcome = trying.ask(shown.address, token, samples.newest_rows(plane, shown.version))
    except samples.Unreadable as error:
        outcome = trying.failure(404, _("The version's own rows cannot be read: {reason}").format(reason=error))
    return replace(tried, outcome=outcome)


def _untried(plane: ControlPlane, version: Version) -> Tried:
    """Return the form before anything was asked: an example row, or the newest window of the version's own rows."""
    schema = version.manifest.schema
    if not samples.is_window_model(version):
        return Tried(trying.fields(schema), pretty(schema.example_row()))
    try:
        rows = samples.newest_rows(plane, version)
    except samples.Unreadable:
        rows = []
    text = "[" + ",\n ".join(json.dumps(row, ensure_ascii=False) for row in rows) + "]"
    return Tried([], text if len(text) <= MAX_TYPED else "", has_window=bool(rows))


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


def _answer(request: Request, shown: Shown, tried: Tried | None = None, asked: tuple[Forecast, ...] = ()) -> Response:
    plane = plane_of(request)
    shown = replace(shown, gateway=gateway_for(plane, request))
    schema = shown.version.manifest.schema
    outcome = None if tried is None else tried.outcome
    values = {
        "shown": shown,
        "tried": tried or _untried(plane, shown.version),
        "forecast": _forecast(plane, shown, asked),
        "monitoring": monitoring_of(plane, shown.version),
        "skill": skill_of(shown.version),
        "headlines": {version.number: headline(version) for version in shown.versions},
        "counts": {version.number: Counter(check.status for check in version.checks) for version in shown.versions},
        "snippets": _snippets(request, shown),
        "window_address": f"/models/{shown.model.name}/window.csv"
        + (f"?version={shown.version.number}" if shown.is_chosen else ""),
        "schema_rows": schema.columns[:MAX_SCHEMA_ROWS],
        "traffic_bars": bars(shown.traffic.per_minute) if shown.traffic else (),
        "is_live": shown.is_building,
        "twin": f"/models/{shown.model.name}"
        + (f"/versions/{shown.version.number}" if shown.is_chosen else "")
        + ".json",
    }
    return page(request, "model.html", values, 200 if outcome is None else _status(outcome))


def _forecast(plane: ControlPlane, shown: Shown, asked: tuple[Forecast, ...]) -> Section | None:
    section = section_of(plane, shown.version, shown.versions, asked)
    return None if section is None else with_pictures(section)


def _told(plane: ControlPlane, shown: Shown) -> dict[str, Any]:
    """Return what the twin tells beside its versions: the report of a watched model, the forecast of a forecaster."""
    section = section_of(plane, shown.version, shown.versions)
    told = {} if section is None else {"forecast": forecast_document(section)}
    seen = monitoring_of(plane, shown.version)
    return told if seen is None or seen.report is None else {**told, "report": to_json(seen.report)}


def _snippets(request: Request, shown: Shown) -> list[Snippet]:
    row = shown.version.manifest.schema.example_row()
    example = Example(
        shown.model.name, shown.address, row, shown.alias or CHAMPION, plane_of(request).is_open_to_network
    )
    return window_snippets(example, shown.version.manifest.schema) if shown.is_window else snippets(example)


def _status(outcome: trying.Outcome) -> int:
    """Return the status of the page: that of the answer; what only the gateway's caller can mend is a 502 here."""
    if outcome.status < 400:
        return 200
    return outcome.status if outcome.status in _PASSED_ON else 502
