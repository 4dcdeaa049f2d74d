"""Alerts over HTTP: listed, silenced, closed; the policy of a model; and what an Alertmanager tells us."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from boucle.core.document import from_json, to_json
from boucle.core.errors import InvalidDocument, NotFound, Unavailable
from boucle.core.i18n import N_, _
from boucle.core.watching import Silence, WatchPolicy
from boucle.jobs.schedules import next_time
from boucle.monitoring.alerting import Look, notifications
from boucle.monitoring.outside import MOST_OPEN, Outside, outside_alerts, take
from boucle.monitoring.policies import changes, require_columns, require_valid
from boucle.monitoring.ports import AlertQuery, Judged, WatchStore
from boucle.web.body import Document
from boucle.web.parameters import BIGGEST, Name
from boucle.web.plane import ControlPlane, Plane
from boucle.web.security import TokenRoute

log = logging.getLogger("boucle.alerts")
router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["alerts"])
BESIDE = "/beside"  # no model is named so: what is written beside the looks leaves their state alone
MOST_LISTED, YEAR_S, SECOND = 1_000, 365 * 86_400, 1_000_000
ALL = 2**31 - 1  # an alert that is not seen would be opened a second time
ACTOR = "api"
IsOpen = Annotated[bool | None, Query(alias="open", description=N_("Only open ones, or only closed ones"))]
Since = Annotated[int | None, Query(ge=0, le=BIGGEST, description=N_("Only those bad at that time or later, UTC us"))]
Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description=N_("How many at most"))]
AlertId = Annotated[str, Path(max_length=100, pattern="^[0-9A-Za-z_:-]+$", description=N_("Identifier of the alert"))]
_SILENCE = {
    "type": "object",
    "properties": {
        "for_s": {"type": "integer", "minimum": 1, "maximum": YEAR_S, "description": N_("How long, in seconds")},
        "until": {"type": "integer", "description": N_("Until when, UTC microseconds, instead of for_s")},
        "check": {"type": "string", "description": N_("What the names of the checks start with; empty for all")},
        "reason": {"type": "string"},
    },
}
_WEBHOOK = {"type": "object", "required": ["alerts"], "properties": {"alerts": {"type": "array", "items": {}}}}


def _takes(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("/alerts", summary=N_("List the alerts of all models"))
def list_alerts(plane: Plane, is_open: IsOpen = None, since: Since = None, limit: Limit = 100) -> JSONResponse:
    """The newest first; times are UTC microseconds."""
    found = _store(plane).alerts(AlertQuery(None, is_open, since, limit))
    return JSONResponse({"alerts": to_json(found)})


@router.get("/models/{name}/alerts", summary=N_("List the alerts of a model"))
def list_model_alerts(
    name: Name, plane: Plane, is_open: IsOpen = None, since: Since = None, limit: Limit = 100
) -> JSONResponse:
    """The newest first, each with its evidence."""
    plane.registry.model(name)
    found = _store(plane).alerts(AlertQuery(name, is_open, since, limit))
    return JSONResponse({"alerts": to_json(found)})


@router.post("/alerts/{alert_id}/close", summary=N_("Close an alert by hand"))
def close_alert(alert_id: AlertId, plane: Plane) -> JSONResponse:
    """It opens again when its check stays bad. Nobody is told."""
    store = _store(plane)
    known = {alert.id: alert for alert in store.alerts(AlertQuery(is_open=True, limit=ALL))}
    if alert_id not in known:
        raise NotFound(N_("alert"), alert_id, tuple(known))
    closed = replace(known[alert_id], closed_at=plane.now_us())
    store.judged(Judged(BESIDE, {}, alerts=(closed,)))
    plane.registry.note(closed.model, ACTOR, "close-alert", closed.check.name)
    return JSONResponse(to_json(closed))


@router.get("/models/{name}/watch", summary=N_("Show how a model is watched"), responses={200: {"model": WatchPolicy}})
def show_policy(name: Name, plane: Plane) -> JSONResponse:
    """The policy with all its defaults."""
    plane.registry.model(name)
    return JSONResponse(to_json(_store(plane).policy(name)))


@router.put(
    "/models/{name}/watch",
    summary=N_("Say how a model is watched"),
    responses={200: {"model": WatchPolicy}},
    openapi_extra=_takes(TypeAdapter(WatchPolicy).json_schema()),
)
def put_policy(name: Name, plane: Plane, document: Document) -> JSONResponse:
    """The whole policy: a member left out has its default. It holds from the next look on."""
    model = plane.registry.model(name)
    store = _store(plane)
    policy = require_valid(from_json(WatchPolicy, document))
    if model.champion is not None:
        require_columns(policy, plane.registry.version(name, model.champion).manifest.schema.names)
    if policy.report_cron:
        next_time(policy.report_cron, policy.report_zone, plane.now_us())
    return JSONResponse(to_json(_saved(plane, store, name, policy)))


@router.post("/models/{name}/silences", summary=N_("Silence alerts of a model"), openapi_extra=_takes(_SILENCE))
def add_silence(name: Name, plane: Plane, document: Document) -> JSONResponse:
    """Alerts are kept but told to nobody, for an hour unless told otherwise; those still open then are told."""
    plane.registry.model(name)
    store, now = _store(plane), plane.now_us()
    policy = store.policy(name)
    kept = tuple(silence for silence in policy.silences if silence.until > now)
    silenced = require_valid(replace(policy, silences=(*kept, _silence(document, now))))
    return JSONResponse(to_json(_saved(plane, store, name, silenced)), 201)


@router.post("/alertmanager", summary=N_("Take alerts of an Alertmanager"), openapi_extra=_takes(_WEBHOOK))
def take_alertmanager(plane: Plane, document: Document) -> JSONResponse:
    """Its webhook, version 4. The label `boucle_model` or `model` names the model; the alert is one of ours then.

    Of a model at most 200 of them are open at once; more are dropped, and counted in the answer.
    """
    store = _store(plane)
    told = outside_alerts(document)
    champions = {model.name: model.champion or 0 for model in plane.registry.models()}
    taken = dropped = 0
    for model in dict.fromkeys(one.model for one in told if one.model in champions):
        of_model = [one for one in told if one.model == model]
        n_dropped = _take(plane, store, (model, champions[model]), of_model)
        taken, dropped = taken + len(of_model) - n_dropped, dropped + n_dropped
    unknown = sorted({one.model for one in told if one.model not in champions})
    if unknown:
        expected = _(
            "the name of a model in label boucle_model or model; models: {names}; {n} other alert(s) were taken"
        )
        names = ", ".join(sorted(champions)[:20]) or _("none")
        raise InvalidDocument("webhook.alerts.labels", expected.format(names=names, n=taken), ", ".join(unknown[:20]))
    return JSONResponse({"taken": taken, "dropped": dropped})


def _take(plane: ControlPlane, store: WatchStore, which: tuple[str, int], told: list[Outside]) -> int:
    """Take alerts of one model (its name and champion); return how many were dropped."""
    (model, version), now = which, plane.now_us()
    open_alerts = store.alerts(AlertQuery(model, is_open=True, limit=ALL))
    changed = take(open_alerts, told, store.policy(model), Look(model, version, now, now))
    if changed.alerts:
        messages = notifications(changed.events, [name for name in plane.channels if name != "alertmanager"], now)
        store.judged(Judged(BESIDE, {}, alerts=changed.alerts, notifications=messages))
    if changed.n_dropped:
        extra = {"model": model, "dropped": changed.n_dropped, "open_at_most": MOST_OPEN}
        log.warning("alerts from outside were dropped: too many of this model are open", extra=extra)
    return changed.n_dropped


def _saved(plane: ControlPlane, store: WatchStore, name: str, policy: WatchPolicy) -> WatchPolicy:
    changed = changes(store.policy(name), policy)
    if changed:
        store.save_policy(name, policy)
        plane.registry.note(name, ACTOR, "watch", changed)
    return policy


def _silence(document: Any, now: int) -> Silence:
    if not isinstance(document, dict):
        raise InvalidDocument("silence", "an object", document)
    asked = {"until": now + 3_600 * SECOND, **document}
    for_s = asked.pop("for_s", None)
    if for_s is not None:
        if type(for_s) is not int or not 0 < for_s <= YEAR_S or "until" in document:
            raise InvalidDocument("Silence.for_s", f"1 to {YEAR_S} seconds, or until instead", for_s)
        asked["until"] = now + for_s * SECOND
    silence = from_json(Silence, asked)
    if not now < silence.until <= now + YEAR_S * SECOND:
        raise InvalidDocument("Silence.until", "UTC microseconds within the year to come", silence.until)
    return silence


def _store(plane: ControlPlane) -> WatchStore:
    if plane.watching is None:
        raise Unavailable(_("This platform watches nothing: it has no store for alerts."))
    return plane.watching
