"""The OpenAPI document: FastAPI's own, with the schemas of our documents in one place and the problem everywhere."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from boucle.core.i18n import N_

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:boucle:problem:not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """Return the document of an application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = _PROBLEM
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                _completed(operation, schemas, is_open=not path.startswith("/api/v1"))
        app.openapi_schema = document
    return app.openapi_schema


def _completed(operation: dict[str, Any], schemas: dict[str, Any], is_open: bool) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    answers["4XX"] = {
        "description": N_("A problem: what happened, with which value, what to do next"),
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for answer in answers.values():
        if answer["description"] == "Successful Response":
            answer["description"] = N_("What was asked for")
    if not is_open:
        operation["security"] = [{"token": []}]
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if media is not None and "$defs" in media["schema"]:
        definitions = media["schema"].pop("$defs")
        schemas.update(_moved(definitions))
        media["schema"] = _moved(media["schema"])


def _moved(value: Any) -> Any:
    """Return a schema whose references point to the components of the document."""
    if isinstance(value, dict):
        return {key: _moved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item) for item in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return value.replace("#/$defs/", "#/components/schemas/")
    return value
