"""The page *API*: the OpenAPI document as people read it. Made on the server, so that it works offline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from boucle.core.i18n import N_, _
from boucle.web.pages.snippets import shell
from boucle.web.pages.templates import page
from boucle.web.security import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_GROUPS = {
    "models": N_("Models and versions"),
    "artifacts": N_("Artifacts"),
    "schedules": N_("Schedules"),
    "alerts": N_("Alerts and watching"),
    "monitoring": N_("Reports and rows"),
    "inference log": N_("Inference log"),
    "platform": N_("Platform and jobs"),
    "health": N_("Health"),
}
MAX_DEPTH = 3
_CURL_VERBS = {"head": "-I ", "put": "-T FILE ", "post": "-X POST "}
_CURL_BODIES = {"promote": shell({"version": 1}), "rollback": "{}"}


@dataclass(frozen=True)
class BodyField:
    """One member of a JSON body; ``depth`` says how far inside it is."""

    name: str
    type: str
    is_required: bool
    text: str
    depth: int


@dataclass(frozen=True)
class Operation:
    """One route as the page shows it."""

    method: str
    path: str
    anchor: str
    summary: str
    text: str
    parameters: list[dict[str, Any]]
    body_kind: str
    body: list[BodyField]
    answers: list[tuple[str, str, str]]
    curl: str


@router.api_route("/api/openapi.json", methods=["GET", "HEAD"])
def openapi_document(request: Request) -> JSONResponse:
    """The OpenAPI 3.1 document of ``/api/v1``."""
    return JSONResponse(request.app.openapi())


@router.api_route("/api/docs", methods=["GET", "HEAD"])
def reference_page(request: Request) -> Response:
    """Every route: what it takes, what it answers, and a line of curl."""
    document = request.app.openapi()
    groups = [(key, _(title), _operations(document, key, str(request.base_url))) for key, title in _GROUPS.items()]
    schemas = document["components"]["schemas"]
    documents = [(name, _fields(document, schemas[name], 0, 1)) for name in sorted(schemas)]
    values = {"groups": groups, "documents": documents, "document_names": set(schemas), "twin": "/api/openapi.json"}
    return page(request, "reference.html", values)


def _operations(document: dict[str, Any], tag: str, base: str) -> list[Operation]:
    return [
        _operation(document, path, method, base.rstrip("/"))
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if tag in told.get("tags", ())
    ]


def _operation(document: dict[str, Any], path: str, method: str, base: str) -> Operation:
    told = document["paths"][path][method]
    content: dict[str, dict[str, Any]] = told.get("requestBody", {}).get("content", {})
    kind = next(iter(content), "")
    return Operation(
        method.upper(),
        path,
        f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        _(told["summary"]),
        told.get("description", ""),
        [{**item, "type": _type(document, item["schema"])} for item in told.get("parameters", ())],
        kind,
        _fields(document, content[kind].get("schema", {}), 0, MAX_DEPTH) if kind else [],
        [
            (status, _(answer["description"]), _answer_type(answer))
            for status, answer in told["responses"].items()
            if status != "4XX"  # said once, at the top of the page
        ],
        _curl(path, method, kind, base),
    )


def _fields(document: dict[str, Any], schema: dict[str, Any], depth: int, deepest: int) -> list[BodyField]:
    schema = _resolved(document, schema)
    required = schema.get("required", ())
    found: list[BodyField] = []
    for name, item in schema.get("properties", {}).items():
        text = _(item.get("description", "")) if item.get("description") else ""
        found.append(BodyField(name, _type(document, item), name in required, text, depth))
        if depth + 1 < deepest:
            found += _fields(document, _inner(item), depth + 1, deepest)
    return found


def _inner(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what a list holds, or of what may be null."""
    if "items" in schema:
        return _inner(schema["items"])
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return _inner(choices[0]) if choices else schema


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    if not reference:
        return schema
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _type(document: dict[str, Any], schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(document, choice) for choice in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(json.dumps(choice) for choice in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"[{_type(document, schema.get('items', {}))}]"
    return str(schema.get("type", "any"))


def _answer_type(answer: dict[str, Any]) -> str:
    for kind, media in answer.get("content", {}).items():
        reference = str(media.get("schema", {}).get("$ref", ""))
        return reference.rpartition("/")[2] or kind
    return ""


def _curl(path: str, method: str, body_kind: str, base: str) -> str:
    filled = path.replace("{name}", "churn").replace("{number}", "1").replace("{job_id}", "JOB")
    filled = filled.replace("{digest}", "$DIGEST")
    parts = [f"curl {_CURL_VERBS.get(method, '')}{base}{filled}"]
    if path.startswith("/api/v1"):
        parts.append('-H "Authorization: Bearer $BOUCLE_TOKEN"')
    if body_kind == "application/json":
        parts.append("--json " + _CURL_BODIES.get(path.rpartition("/")[2], "@manifest.json"))
    return " \\\n  ".join(parts)
