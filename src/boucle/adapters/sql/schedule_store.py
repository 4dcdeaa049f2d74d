"""Schedules in a relational database, beside the jobs they make."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from boucle.adapters.sql.database import read_clock, reading, writing
from boucle.adapters.sql.job_store import LOCK, insert_job, live_job
from boucle.adapters.sql.tables import schedule as table
from boucle.core.document import to_json
from boucle.jobs.job import Job, JobOptions, Schedule, new_job, schedule_key

_c = table.c


class SqlScheduleStore:
    """Whatever the number of runners, each due time is fired by one of them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def clock(self) -> int:
        """Return the clock of the database in UTC microseconds."""
        with reading(self._engine) as connection:
            return read_clock(connection)

    def save(self, schedule: Schedule) -> None:
        """Insert or replace a schedule."""
        options = json.dumps(to_json(schedule.options))
        values = {**vars(schedule), "args": json.dumps(schedule.args), "options": options}
        with writing(self._engine, LOCK) as connection:
            if connection.execute(table.update().where(_c.name == schedule.name).values(values)).rowcount == 0:
                connection.execute(table.insert().values(values))

    def remove(self, name: str) -> None:
        """Forget a schedule; its jobs stay."""
        with writing(self._engine, LOCK) as connection:
            connection.execute(table.delete().where(_c.name == name))

    def list(self) -> tuple[Schedule, ...]:
        """Return the schedules by name."""
        with reading(self._engine) as connection:
            return tuple(_schedule(row) for row in connection.execute(sa.select(table).order_by(_c.name)).mappings())

    def fire(self, schedule: Schedule, next_at: int, at: int) -> Job | None:
        """Move the schedule on and make its job; None when that was done already or its last job still lives."""
        key = schedule_key(schedule.name)
        due = (_c.name == schedule.name) & (_c.next_at == schedule.next_at)
        with writing(self._engine, LOCK) as connection:
            moved = connection.execute(table.update().where(due).values(next_at=next_at, last_at=at)).rowcount
            if not moved or live_job(connection, key) is not None:
                return None
            made = new_job(schedule.kind, schedule.args, schedule.options, at, due=schedule.next_at)
            return insert_job(connection, made, key, schedule.options)


def _schedule(row: Any) -> Schedule:
    values = dict(row)
    values["args"] = json.loads(values["args"])
    values["options"] = JobOptions(**json.loads(values["options"]))
    return Schedule(**values)
