"""The language of an answer: asked for in the address, remembered in a cookie, or the browser's own."""

from __future__ import annotations

from starlette.requests import Request

from boucle.core.i18n import LANGUAGES, supported

COOKIE = "boucle_language"
_YEAR_S = 365 * 24 * 3600


def language_of(request: Request) -> str:
    """Return ``en`` or ``fr``: the ``lang`` of the address, else the cookie, else Accept-Language."""
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if choice in LANGUAGES:
            return choice
    return supported(request.headers.get("accept-language", ""))


def cookie_to_set(request: Request) -> str | None:
    """Return the Set-Cookie value that remembers a choice made in the address, or None."""
    choice = request.query_params.get("lang")
    if choice not in LANGUAGES or request.cookies.get(COOKIE) == choice:
        return None
    secure = "; Secure" if request.url.scheme == "https" else ""
    return f"{COOKIE}={choice}; Path=/; Max-Age={_YEAR_S}; SameSite=Lax; HttpOnly{secure}"
