"""Periodic reports: a schedule for each policy that wants them, and the files that they leave."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from boucle.core.errors import InvalidRequest, NotFound
from boucle.core.files import publish
from boucle.core.i18n import _
from boucle.core.report import Report
from boucle.core.version import CHAMPION, valid_name
from boucle.core.watching import WatchPolicy
from boucle.jobs.job import JobOptions, Schedule
from boucle.jobs.ports import ScheduleStore
from boucle.jobs.schedules import Schedules
from boucle.monitoring.messages import one_line
from boucle.registry.registry import Registry

KIND, QUEUE = "report", "report"
PREFIX = "_report-"  # no schedule of a user begins so
OPTIONS = JobOptions(QUEUE, 60, timeout_s=7_200.0, max_attempts=8, backoff_s=30.0)  # a mail server may be away
MOST_KEPT = 100
_FILE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}\.html\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
log = logging.getLogger(__name__)


def keep_in_step(registry: Registry, policy: Callable[[str], WatchPolicy], store: ScheduleStore) -> int:
    """Make the schedules of reports what the policies say; return how many were added, changed or removed.

    A model without a champion has no report yet. Can be repeated, and by several at once.
    """
    wanted = _wanted(registry, policy)
    known = {schedule.name: schedule for schedule in store.list() if schedule.name.startswith(PREFIX)}
    n_changed = 0
    for name, schedule in wanted.items():
        before = known.get(name)
        if before is not None and _said(before) == _said(schedule):
            continue
        try:
            Schedules(store).add(schedule)
        except InvalidRequest as error:
            log.warning("model %s has no periodic report: %s", schedule.args["model"], error)
            continue
        n_changed += 1
    for name in known.keys() - wanted.keys():
        store.remove(name)
        n_changed += 1
    return n_changed


def _wanted(registry: Registry, policy: Callable[[str], WatchPolicy]) -> dict[str, Schedule]:
    found = {}
    for model in registry.models():
        told = policy(model.name)
        if told.report_cron and CHAMPION in model.aliases:
            name = f"{PREFIX}{model.name}"
            found[name] = Schedule(name, KIND, told.report_cron, told.report_zone, {"model": model.name}, OPTIONS)
    return found


def _said(schedule: Schedule) -> tuple[str, str, Mapping[str, object], JobOptions]:
    return schedule.cron, schedule.zone, schedule.args, schedule.options


@dataclass(frozen=True)
class PastReport:
    """A file of the shelf. ``made_at`` is UTC microseconds, to the minute."""

    file: str
    made_at: int
    size_bytes: int


@dataclass(frozen=True)
class Shelf:
    """The periodic reports in ``root``: a folder for each model, a file for each report, named by its minute in UTC."""

    root: Path

    def keep(self, report: Report, data: bytes) -> PastReport:
        """Publish a report and forget all but the newest 100 of its model. One of the same minute is replaced."""
        folder = self._folder(report.model)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = file_of(report.made_at)
        publish(folder / file, data)
        for old in self.list(report.model)[MOST_KEPT:]:
            (folder / old.file).unlink(missing_ok=True)
        return PastReport(file, _minute_of(file), len(data))

    def list(self, model: str) -> tuple[PastReport, ...]:
        """Return the reports of a model, newest first."""
        folder = self._folder(model)
        if not folder.is_dir():
            return ()
        names = sorted((path.name for path in folder.iterdir() if _FILE.match(path.name)), reverse=True)
        return tuple(PastReport(name, _minute_of(name), (folder / name).stat().st_size) for name in names)

    def path(self, model: str, file: str) -> Path:
        """Return the file of a report. Raises NotFound, listing those there are."""
        found = self._folder(model) / file
        if not _FILE.match(file) or not found.is_file():
            cure = _("They are made when the model's watch policy has a report_cron.")
            raise NotFound(_("report"), file, [past.file for past in self.list(model)[:20]], cure)
        return found

    def _folder(self, model: str) -> Path:
        return self.root / valid_name(model)


def file_of(made_at: int) -> str:
    """Return the name of the file of a report that was made at a time.

    >>> file_of(1_700_000_000_000_000)
    '2023-11-14T22-13.html'
    """
    return (_EPOCH + timedelta(microseconds=made_at)).strftime("%Y-%m-%dT%H-%M.html")


def _minute_of(file: str) -> int:
    made = datetime.strptime(file, "%Y-%m-%dT%H-%M.html").replace(tzinfo=UTC)
    return (made - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Letter:
    """A report as a mail tells it; ``file`` is the name of the report that goes with it."""

    subject: str
    text: str
    file: str


def letter(report: Report, page: str) -> Letter:
    """Return what a mail says of a report: its window, its summary, where to look: at the model's page, at the file."""
    subject = _("Report on {model}: {first}").format(
        model=report.model, first=report.summary[0] if report.summary else _("nothing to tell")
    )
    window = _("Version {version}, {start} to {stop} UTC, {n} rows").format(
        version=report.version, start=_time(report.window.start), stop=_time(report.window.stop), n=report.n_rows
    )
    file = file_of(report.made_at)
    lines = [window, "", *(f"- {sentence}" for sentence in report.summary), "", page, f"{page}/reports/{file}"]
    return Letter(one_line(subject)[:200], "\n".join(lines), file)


def _time(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%M")
