"""The worker's job of kind ``report``: the report of a model, kept as a file and mailed where mail is set up."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from sqlalchemy import Engine

from boucle.adapters.channels import MailChannel
from boucle.adapters.sql import SqlProfileStore, SqlTruthStore, SqlWatchStore
from boucle.bootstrap import wiring
from boucle.bootstrap.channels import channels, page_of
from boucle.bootstrap.data_plane import home_of
from boucle.core.document import from_json, to_json
from boucle.core.i18n import use_language
from boucle.jobs.context import JobContext
from boucle.loop.periodic import KIND, QUEUE, Letter, Shelf, letter
from boucle.loop.reports import ReportQuery, ReportWorld, report
from boucle.settings import Settings
from boucle.web.pages.report_file import report_file

__all__ = ["KIND", "QUEUE", "report_job"]

MOST_MAILED_BYTES = 8 * 1024 * 1024  # a larger file stays on the shelf: many mail servers would refuse it


def report_job(context: JobContext, settings: Settings, engine: Engine) -> dict[str, Any]:
    """Make the report of a model's newest window, once over all attempts; then mail it, until a server takes it."""
    use_language(settings.language)
    model, shelf = str(context.args["model"]), Shelf(home_of(settings).reports)

    def write() -> Any:
        made = report(_world(engine), ReportQuery(model))
        shelf.keep(made, report_file(made, version("boucle")).encode())
        return to_json(letter(made, page_of(settings, model)))

    told = from_json(Letter, context.step("write", write))
    mail = next((way for way in channels(settings) if isinstance(way, MailChannel)), None)
    if mail is not None:
        context.step("mail", lambda: _mailed(mail, told, shelf.path(model, told.file).read_bytes()))
    return {"file": told.file, "mailed": mail is not None}


def _mailed(mail: MailChannel, told: Letter, data: bytes) -> None:
    mail.send(told.subject, told.text, (told.file, data) if len(data) <= MOST_MAILED_BYTES else None)


def _world(engine: Engine) -> ReportWorld:
    profiles = SqlProfileStore(engine)
    return ReportWorld(
        wiring.registry(engine), profiles, SqlTruthStore(engine), SqlWatchStore(engine), wiring.now_us, profiles.series
    )
