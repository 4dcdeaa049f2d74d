"""What is told about a model besides its rows: parameters, metrics, tags, author."""

from __future__ import annotations

import getpass
import math
from collections.abc import Mapping
from typing import Any, Optional

from boucle.core.errors import InvalidRequest, shown
from boucle.core.i18n import _

MAX_PARAMS, MAX_TEXT, MAX_ITEMS = 200, 200, 20


def params_of(model: Any, given: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the parameters given, else those of ``get_params()``, as JSON: at most 200, texts cut at 200 characters.

    Estimators inside are left out (their own parameters are told under their names).
    """
    if given is None:
        get_params = getattr(model, "get_params", None)
        try:
            given = get_params() if callable(get_params) and not isinstance(model, type) else {}
        except Exception:  # noqa: BLE001  # parameters are a courtesy: no model is refused for lack of them
            given = {}
    plain = {str(key): _plain(value) for key, value in sorted(given.items()) if not hasattr(value, "get_params")}
    return dict(list(plain.items())[:MAX_PARAMS])


def metrics_of(given: Optional[Mapping[str, Any]]) -> dict[str, float]:
    """Return the metrics as numbers. Raises InvalidRequest naming the one that is none."""
    metrics = {}
    for name, value in (given or {}).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise InvalidRequest(
                "unusual-metric",
                _("Metric {name!r} is {value}, expected a finite number.").format(name=str(name), value=shown(value)),
            )
        metrics[str(name)] = number
    return metrics


def tags_of(given: Optional[Mapping[str, Any]]) -> dict[str, str]:
    """Return the tags as texts."""
    return {str(key): str(value)[:MAX_TEXT] for key, value in (given or {}).items()}


def author_of(told: str) -> str:
    """Return the author told in the settings, else the name of the login."""
    if told:
        return told
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _plain(value: Any) -> Any:
    """Return a value as JSON that is the same for the same parameter: no memory address, no NaN."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value[:MAX_ITEMS]]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in list(value.items())[:MAX_ITEMS]}
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return name or type(value).__qualname__
