"""Schedules: cron in a stated zone. Whatever was missed while nothing ran is caught up by one job, not by many."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from boucle.core.errors import InvalidRequest, NotFound, shown
from boucle.core.i18n import _
from boucle.jobs.job import Schedule
from boucle.jobs.ports import ScheduleStore

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def next_time(cron: str, zone: str, after: int) -> int:
    """Return the first time of a cron expression after ``after``, both in UTC microseconds.

    A time that a change of clocks leaves out runs when it ends; one that it repeats runs once.
    Raises InvalidRequest for an expression or a zone that cannot be read.

    >>> next_time("30 6 * * *", "Europe/Paris", 0) / 1_000_000 / 3600
    5.5
    """
    start = (EPOCH + timedelta(microseconds=after)).astimezone(_zone(zone))
    try:
        following: datetime = next(CronSim(cron, start))
    except (CronSimError, StopIteration) as error:
        raise InvalidRequest(
            "invalid-cron",
            _("{cron} is no schedule ({cause}): give five fields, such as 30 6 * * *.").format(
                cron=shown(cron), cause=error
            ),
        ) from error
    return (following.astimezone(UTC) - EPOCH) // _MICROSECOND


def _zone(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (OSError, ValueError, LookupError) as error:
        raise InvalidRequest(
            "invalid-zone",
            _("{zone} is no time zone: name one such as UTC or Europe/Paris.").format(zone=shown(zone)),
        ) from error


class Schedules:
    """The scheduler: any number of runners may tick over one store."""

    def __init__(self, store: ScheduleStore) -> None:
        self._store = store

    def add(self, schedule: Schedule) -> Schedule:
        """Insert or replace a schedule; one whose times are as before keeps its place, so that it still catches up.

        Raises InvalidRequest for a cron expression or a zone that cannot be read.
        """
        following = next_time(schedule.cron, schedule.zone, self._store.clock())
        known = {other.name: other for other in self._store.list()}.get(schedule.name)
        if known is not None and (known.cron, known.zone) == (schedule.cron, schedule.zone):
            following = known.next_at
        added = replace(schedule, next_at=following, last_at=known.last_at if known else None)
        self._store.save(added)
        return added

    def get(self, name: str) -> Schedule:
        """Return a schedule. Raises NotFound, listing those there are."""
        schedules = {schedule.name: schedule for schedule in self._store.list()}
        if name not in schedules:
            raise NotFound(_("schedule"), name, list(schedules), _("Add one with: boucle schedule add"))
        return schedules[name]

    def remove(self, name: str) -> None:
        """Forget a schedule; its jobs stay."""
        self._store.remove(name)

    def tick(self) -> int:
        """Make the job of each schedule that is due, one however often it was missed; return how many were made."""
        now = self._store.clock()
        due = [schedule for schedule in self._store.list() if schedule.next_at <= now]
        made = [self._store.fire(s, next_time(s.cron, s.zone, now), now) for s in due]
        return sum(job is not None for job in made)
