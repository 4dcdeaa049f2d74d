"""How a model is watched, as words of a command line: members changed one by one, or a whole file."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from boucle.cli.inference import no_json
from boucle.cli.models import pairs
from boucle.client.moments import span_s, time_text
from boucle.client.paths import missing_file
from boucle.core.document import from_json, to_json
from boucle.core.errors import InvalidDocument, InvalidRequest
from boucle.core.i18n import _
from boucle.core.watching import WatchPolicy

MEMBERS = tuple(item.name for item in fields(WatchPolicy))
_HINTS = get_type_hints(WatchPolicy)


def members_of(texts: list[str]) -> dict[str, Any]:
    """Return the members that ``MEMBER=VALUE`` words change.

    Numbers, spans for seconds (``24h``), lists with commas, ``word=severity`` pairs with commas, JSON for anything,
    ``none`` for nothing. Raises InvalidRequest naming the word that is wrong.

    >>> members_of(["window_s=24h", "slices=city=Lyon,plan=gold", "silent_after_s=none"])
    {'window_s': 86400, 'slices': ('city=Lyon', 'plan=gold'), 'silent_after_s': None}
    """
    return {name: _value(name, text.strip()) for name, text in pairs("--set", texts).items()}


def read_policy(path: Path) -> WatchPolicy:
    """Return the policy in a JSON file. Raises NotFound, InvalidRequest or InvalidDocument."""
    if not path.is_file():
        raise missing_file(path)
    try:
        return from_json(WatchPolicy, json.loads(path.read_text(encoding="utf-8-sig")))
    except (ValueError, RecursionError) as error:
        raise no_json(str(path), error) from error


def policy_lines(policy: WatchPolicy) -> list[str]:
    """Return a line for each member, the way ``--set`` takes it; silences are told with their ends."""
    document = to_json(policy)
    lines = []
    for name in MEMBERS:
        if name == "silences":
            lines += [_silence_line(silence) for silence in policy.silences]
        else:
            lines.append(f"{name}={_text(document.get(name))}")
    return lines


def _silence_line(silence: Any) -> str:
    text = _("silent until {time} UTC: {check} {reason}")
    told = text.format(time=time_text(silence.until), check=silence.check or _("all checks"), reason=silence.reason)
    return told.rstrip()


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(name: str, text: str) -> Any:
    if name not in _HINTS:
        told = _("A policy has no {name}. It has: {names}")
        raise InvalidRequest("unusual-option", told.format(name=name, names=", ".join(MEMBERS)))
    try:
        return getattr(from_json(WatchPolicy, _document(name, text)), name)
    except (InvalidDocument, ValueError, RecursionError) as error:
        told = _("--set {name}={text} is not understood. Expected {expected}.")
        expected = error.expected if isinstance(error, InvalidDocument) else _example(name)
        raise InvalidRequest("unusual-option", told.format(name=name, text=text[:80], expected=expected)) from error


def _document(name: str, text: str) -> dict[str, Any]:
    """Return the policy document that has this one member. Raises ValueError for a number or JSON that is none."""
    default = getattr(WatchPolicy(), name)
    if text == "none" and default is None:
        return {}
    if text[:1] in ("[", "{"):
        return {name: json.loads(text)}
    if isinstance(default, tuple):
        return {name: [part.strip() for part in text.split(",") if part.strip()]}
    if isinstance(default, dict):
        return {name: pairs("--set", [part.strip() for part in text.split(",") if part.strip()])}
    if isinstance(default, str):
        return {name: text}
    seconds = span_s(text) if name.endswith("_s") else None
    if seconds is not None:
        return {name: round(seconds)}
    return {name: float(text) if isinstance(default, float) else int(text)}


def _example(name: str) -> str:
    default = getattr(WatchPolicy(), name)
    return "3600, 30min, 24h" if name.endswith("_s") else _("a value such as {value}").format(value=_text(default))
