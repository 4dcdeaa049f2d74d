"""Models and versions: registered, listed, promoted, rolled back."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from boucle.core.document import from_json, to_json
from boucle.core.errors import InvalidDocument
from boucle.core.i18n import N_
from boucle.core.schema import to_json_schema
from boucle.core.version import CHAMPION, Manifest, Version
from boucle.jobs.job import JobOptions
from boucle.web.body import Document
from boucle.web.documents import model_document, model_rows
from boucle.web.parameters import Name, Number
from boucle.web.plane import ControlPlane, Plane
from boucle.web.problems import MissingArtifacts
from boucle.web.security import TokenRoute

router = APIRouter(prefix="/api/v1", route_class=TokenRoute, tags=["models"])
_CODE_PATH = re.compile(r"(?:[^\W\d]\w*/)*[^\W\d]\w*\.py\Z")
_PROMOTION = {
    "type": "object",
    "required": ["version"],
    "properties": {
        "version": {"type": "integer", "minimum": 1},
        "alias": {"type": "string", "default": CHAMPION},
        "actor": {"type": "string", "maxLength": 80, "description": N_("Who does it, for the history")},
    },
}


def _takes(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("/models", summary=N_("List the models"))
def list_models(plane: Plane) -> JSONResponse:
    """Each model with its champion, aliases, runtime, number of versions and the gateway's counts."""
    return JSONResponse(model_rows(plane.registry, plane.traffic.read()))


@router.get("/models/{name}", summary=N_("Show a model and its versions"))
def show_model(name: Name, plane: Plane) -> JSONResponse:
    """Aliases, the rollback target, and the document of every version."""
    return _model(plane, name)


@router.get("/models/{name}/schema", summary=N_("Show what a row must look like"))
def show_schema(name: Name, plane: Plane) -> JSONResponse:
    """The JSON Schema (2020-12) of a row of the champion."""
    champion = plane.registry.aliased(name, CHAMPION)
    return JSONResponse(to_json_schema(champion.manifest.schema, name), media_type="application/schema+json")


@router.get("/models/{name}/history", summary=N_("Show who changed what, and when"))
def show_history(name: Name, plane: Plane) -> JSONResponse:
    """The audit entries, oldest first; times are UTC microseconds since 1970."""
    return JSONResponse({"history": to_json(plane.registry.history(name))})


@router.get("/models/{name}/versions/{number}", summary=N_("Show a version"), responses={200: {"model": Version}})
def show_version(name: Name, number: Number, plane: Plane) -> JSONResponse:
    """The manifest, the checks of its build, and what the build found."""
    return JSONResponse(to_json(plane.registry.version(name, number)))


@router.post(
    "/models/{name}/versions",
    summary=N_("Register a version and start its build"),
    status_code=201,
    responses={
        200: {"description": N_("The same version was there already"), "model": Version},
        201: {"description": N_("A new version"), "model": Version},
        409: {"description": N_("`missing` lists the artifacts to upload first")},
    },
    openapi_extra=_takes(TypeAdapter(Manifest).json_schema()),
)
def register_version(name: Name, plane: Plane, document: Document) -> JSONResponse:
    """Send the manifest once its artifacts are uploaded. The same manifest again is the same version."""
    manifest = from_json(Manifest, document)
    _check_artifacts(plane, manifest)
    version, is_new = plane.registry.register(name, manifest, manifest.author or "anonymous")
    headers = {"Location": f"/api/v1/models/{name}/versions/{version.number}"}
    return JSONResponse(to_json(_building(plane, version)), 201 if is_new else 200, headers)


@router.post("/models/{name}/promote", summary=N_("Point an alias at a version"), openapi_extra=_takes(_PROMOTION))
def promote(name: Name, plane: Plane, document: Document) -> JSONResponse:
    """The version becomes champion, or takes the alias named. The champion of before is kept for a rollback."""
    number = document.get("version") if isinstance(document, dict) else document
    if type(number) is not int or not 0 < number < 2**31:
        raise InvalidDocument("promotion.version", "the number of a version", number)
    alias = _text(document, "alias", CHAMPION)
    plane.registry.promote(name, number, _text(document, "actor", "api"), alias)
    return _model(plane, name)


@router.post(
    "/models/{name}/rollback",
    summary=N_("Go back to the champion of before"),
    openapi_extra=_takes({"type": "object", "properties": {"actor": _PROMOTION["properties"]["actor"]}}),  # type: ignore[index]  # a literal above
)
def roll_back(name: Name, plane: Plane, document: Document) -> JSONResponse:
    """One champion back, at once: the gateway keeps that version loaded."""
    plane.registry.rollback(name, _text(document, "actor", "api"))
    return _model(plane, name)


def _model(plane: ControlPlane, name: str) -> JSONResponse:
    return JSONResponse(model_document(plane.registry.model(name), plane.registry.versions(name)))


def _building(plane: ControlPlane, version: Version) -> Version:
    """Make sure that a version in building has a job: a registration cut off before is completed by its repetition."""
    if version.state != "building":
        return version
    args = {"name": version.name, "number": version.number}
    options = JobOptions(timeout_s=plane.build_timeout_s)
    history = plane.registry.history(version.name)
    tries = sum(entry.version == version.number and entry.action in ("register", "retry") for entry in history)
    dedupe = f"build:{version.name}:{version.number}:{tries}"  # the job of a try that failed may not have ended yet
    job = plane.jobs.enqueue("build", args, dedupe, options)
    plane.registry.set_job(version.name, version.number, job.id)
    return plane.registry.version(version.name, version.number)


def _check_artifacts(plane: ControlPlane, manifest: Manifest) -> None:
    for file in manifest.code:
        if not _CODE_PATH.match(file.path):
            raise InvalidDocument("Manifest.code.path", "a relative path of a Python file such as a/b.py", file.path)
    sizes = {artifact.digest: plane.artifacts.size(artifact.digest) for artifact in manifest.artifacts()}
    missing = [digest for digest, size in sizes.items() if size is None]
    if missing:
        raise MissingArtifacts(missing)
    for artifact in manifest.artifacts():
        if artifact.size_bytes != sizes[artifact.digest]:
            raise InvalidDocument("Manifest.size_bytes", str(sizes[artifact.digest]), artifact.size_bytes)


def _text(document: Any, name: str, default: str) -> str:
    value = document.get(name, default) if isinstance(document, dict) else None
    if not isinstance(value, str) or not 0 < len(value) <= 80:
        raise InvalidDocument(f"document.{name}", "a text of 1 to 80 characters", value)
    return value
