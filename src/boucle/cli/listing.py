"""The models as a list: what ``boucle models`` shows."""

from __future__ import annotations

import datetime as dt
from typing import Any

from boucle.client.card import worse_than_naive
from boucle.client.client import Client
from boucle.core.i18n import _

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def listed(client: Client) -> list[dict[str, Any]]:
    """Return the models, each with ``champion_created_at`` (UTC microseconds) and ``worse_than_naive``."""
    rows = []
    for model in client.models():
        champion = None if model["champion"] is None else client.version(model["name"], model["champion"])
        created_at = None if champion is None else champion.created_at
        is_worse = champion is not None and champion.manifest.is_worse_than_naive
        rows.append({**model, "champion_created_at": created_at, "worse_than_naive": is_worse})
    return rows


def listing_lines(rows: list[dict[str, Any]], now: dt.datetime) -> list[list[str]]:
    """Return the header and a line for each model."""
    lines = [[_("name"), _("champion"), _("aliases"), _("runtime"), _("deployed"), ""]]
    for row in rows:
        others = [f"{alias} {number}" for alias, number in sorted(row["aliases"].items()) if alias != "champion"]
        created_at = row["champion_created_at"]
        champion = "–" if row["champion"] is None else str(row["champion"])
        age = "" if created_at is None else age_text(now - dt.datetime.fromtimestamp(created_at / 1e6, dt.timezone.utc))
        label = worse_than_naive() if row["worse_than_naive"] else ""
        lines.append([row["name"], champion, ", ".join(others), row["runtime"] or "", age, label])
    return lines


def age_text(age: dt.timedelta) -> str:
    """Return an age in its largest whole unit.

    >>> age_text(dt.timedelta(hours=3, minutes=59)), age_text(dt.timedelta(days=2))
    ('3 h ago', '2 d ago')
    """
    seconds = int(age.total_seconds())
    texts = {"d": _("{n} d ago"), "h": _("{n} h ago"), "min": _("{n} min ago")}
    for size, unit in _UNITS:
        if seconds >= size:
            return texts[unit].format(n=seconds // size)
    return _("just now")
