"""Evidently's report on a window, for those who know it: ``boucle report NAME --evidently out.html``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from boucle.cli.progress import Progress
from boucle.cli.projects import server_part
from boucle.client.client import Client
from boucle.client.watching import Asked
from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.core.table import Table
from boucle.core.version import Manifest

MOST_ROWS = 200_000  # the newest of a window; Evidently takes minutes beyond


def report_evidently(client: Client, name: str, asked: Asked, out: Path, *, as_json: bool) -> None:
    """Do what the option asks for, and say where the page is."""
    with Progress(to_stderr=as_json) as progress:
        told = write_evidently(client, name, asked, out, progress.tell)
    print(json.dumps(told) if as_json else _("Evidently's report is in {path}").format(path=out))


def write_evidently(client: Client, name: str, asked: Asked, out: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Write Evidently's page on a window against its reference, or against another window; return what was compared.

    The window is that of ``boucle report`` with the same options. Needs the server part on this machine; the platform
    may be another. Raises InvalidRequest for a slice, or a model that was deployed without reference rows.
    """
    if asked.slice:
        raise InvalidRequest("unusual-option", _("Evidently's report is on all rows: leave --slice out."))
    server_part()
    from boucle.adapters.evidently import aligned
    from boucle.bootstrap.evidently import evidently_reports

    found = client.watching.report(name, asked)
    manifest = client.version(name, found.version).manifest
    window = Asked(found.window.start, found.window.stop, found.version, limit=MOST_ROWS)
    against = replace(asked, since=None, until=None).query(client.watching.now_us()).get("against", "reference")
    if against == "reference":
        reference = _sent(client, name, manifest)
    else:
        since, _slash, until = str(against).partition("/")
        names = [column.name for column in manifest.schema.columns] + ([manifest.target] if manifest.target else [])
        before = Asked(int(since), int(until), found.version, limit=MOST_ROWS)
        reference = aligned(client.watching.log(name, before), names, manifest.target)
    current = aligned(client.watching.log(name, window), reference.names, manifest.target)
    evidently_reports(client.settings).write(reference, current, out, tell)
    return {"path": str(out), "rows": current.n_rows, "reference_rows": reference.n_rows}


def _sent(client: Client, name: str, manifest: Manifest) -> Table:
    """Return the rows that the notebook sent with the model."""
    artifact = manifest.reference or manifest.sample
    if artifact is None:
        text = _("{name} was deployed without rows to compare with. Name an earlier window: --against 48h/24h")
        raise InvalidRequest("no-reference", text.format(name=name))
    return Table.from_bytes(client.watching.control.checked("GET", f"/api/v1/artifacts/{artifact.digest}").content)
