"""Templates: escaped, translated, and given the same few words on every page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from boucle.core.i18n import LANGUAGES, _, current_language, ngettext
from boucle.web.documents import gate_result
from boucle.web.pages import words
from boucle.web.pages.names import action_words, check_title, state_words, status_words
from boucle.web.pages.static import address
from boucle.web.plane import plane_of

_MOMENT = re.compile(r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<time>[0-9:]{8})\.(?P<rest>[0-9]*?)0*Z\Z")
_TICKED = re.compile(r"`{1,2}([^`]+)`{1,2}")
LANGUAGE_NAMES = {"en": "English", "fr": "Français"}


@cache
def environment() -> Environment:
    """Return the one environment: autoescape for HTML, plain for the code of snippets."""
    made = Environment(
        loader=PackageLoader("boucle.web", "templates"),
        autoescape=select_autoescape(("html",), default=False),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_callables(_, ngettext, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    made.filters.update(
        ago=words.ago,
        moment=words.moment,
        iso=words.iso,
        number=words.number,
        fixed=words.fixed,
        percent=words.percent,
        milliseconds=words.milliseconds,
        size=words.size,
        minute=words.minute,
        bound=bound,
        example=example,
        ticked=ticked,
        check_title=check_title,
        status_words=status_words,
        state_words=state_words,
        action_words=action_words,
        cell=cell,
        pretty=pretty,
        gate_result=gate_result,
    )
    return made


def render(request: Request, template: str, values: Mapping[str, Any]) -> str:
    """Return a page as HTML, in the language of the request."""
    plane = plane_of(request)
    common = {
        "asset": address,
        "language": current_language(),
        "languages": [(code, LANGUAGE_NAMES[code], _language_link(request, code)) for code in LANGUAGES],
        "now": plane.now_us(),
        "platform_version": plane.version,
        "is_open_to_network": plane.is_open_to_network,
        "twin": None,
        "is_live": False,
    }
    return environment().get_template(template).render({**common, **values})


def page(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return a rendered page as an answer."""
    return HTMLResponse(render(request, template, values), status)


def cell(value: Any) -> str:
    """Return a JSON value as it is shown in a table: text without quotes, numbers by language, lists cut at 8."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value[:8])) + (" …" if len(value) > 8 else "")
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return words.number(value, 6)


def bound(value: Any) -> str:
    """Return a value of a schema: as a cell, a moment without the zeros at its end.

    >>> bound("2009-03-02T09:30:00.000000Z"), bound("2009-03-02T00:00:00.000000Z")
    ('2009-03-02 09:30', '2009-03-02')
    """
    text = cell(value)
    match = _MOMENT.match(text) if isinstance(value, str) else None
    if match is None:
        return text
    return match["day"] if match["time"] == "00:00:00" and not match["rest"] else _without_zeros(match)


def example(value: Any) -> str:
    """Return a real value as a program writes it, text without quotes."""
    return bound(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def ticked(text: str) -> Markup:
    """Return a text with what stands between backticks as code.

    >>> str(ticked("see ``after`` & `x`"))
    'see <code>after</code> &amp; <code>x</code>'
    """
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped first


def pretty(value: Any) -> str:
    """Return a JSON text for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _without_zeros(match: re.Match[str]) -> str:
    time = match["time"] + ("." + match["rest"] if match["rest"] else "")
    return f"{match['day']} {time.removesuffix(':00')}"


def _language_link(request: Request, language: str) -> str:
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    path = request.url.path if request.method in ("GET", "HEAD") else request.url.path.removesuffix("/try")
    return f"{path}?{urlencode([*kept, ('lang', language)])}"
