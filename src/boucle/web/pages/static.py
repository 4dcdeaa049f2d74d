"""Stylesheet, scripts and icon: read once, addressed by their digest, kept by browsers for ever."""

from __future__ import annotations

import hashlib
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from boucle.core.errors import NotFound
from boucle.web.security import PublicRoute

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_FOLDER = files("boucle.web") / "static"
CONTENT = {file.name: file.read_bytes() for file in sorted(_FOLDER.iterdir(), key=lambda file: file.name)}
DIGEST = hashlib.sha256(b"".join(CONTENT.values())).hexdigest()[:16]
router = APIRouter(route_class=PublicRoute, include_in_schema=False)


def address(name: str) -> str:
    """Return the address of a static file. Raises KeyError for one that does not exist."""
    CONTENT[name]
    return f"/static/{DIGEST}/{name}"


@router.get("/static/{digest}/{name}")
def static_file(digest: str, name: str) -> Response:
    """One file; the address changes with any of them."""
    if digest != DIGEST or name not in CONTENT:
        raise NotFound("static file", name)
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(CONTENT[name], headers={"Cache-Control": "public, max-age=31536000, immutable"}, media_type=kind)


@router.get("/favicon.ico")
def favicon() -> Response:
    """The icon under the address that browsers guess."""
    return Response(CONTENT["icon.svg"], headers={"Cache-Control": "public, max-age=86400"}, media_type=_TYPES["svg"])
