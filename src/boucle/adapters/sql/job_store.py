"""Jobs in a relational database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from boucle.adapters.sql.database import read_clock, reading, writing
from boucle.adapters.sql.tables import job as table
from boucle.core.errors import Conflict, NotFound
from boucle.core.i18n import _
from boucle.jobs.job import (
    Claim,
    ClaimRequest,
    Held,
    Job,
    JobOptions,
    JobQuery,
    LeaseLost,
    Outcome,
    microseconds,
    new_job,
)

LOCK = 7_702
_c = table.c
_LIVE = ("ready", "running")
_CHUNK = 500  # of ids in one statement
_INNER = {"live_key", "lease_us", "lease_until", "timeout_us"}


class SqlJobStore:
    """Claims come one after the other; what is done under a fence is one guarded update."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def enqueue(
        self, kind: str, args: Mapping[str, Any], dedupe: str | None = None, options: JobOptions | None = None
    ) -> Job:
        """Add a job, or return the live one of the same ``dedupe`` key."""
        wanted = options or JobOptions()
        with writing(self._engine, LOCK) as connection:
            known = live_job(connection, dedupe)
            return known or insert_job(connection, new_job(kind, args, wanted, read_clock(connection)), dedupe, wanted)

    def claim(self, request: ClaimRequest) -> Claim | None:
        """Take the next job, or return None. An empty queue costs one read and no lock."""
        with reading(self._engine) as connection:
            if connection.execute(_claimable(request, read_clock(connection), [])).first() is None:
                return None
        with writing(self._engine, LOCK) as connection:
            now = read_clock(connection)
            row = (
                connection.execute(_claimable(request, now, _full_queues(connection, request, now))).mappings().first()
            )
            return None if row is None else _taken(connection, row, request, now)

    def beat(self, held: Held, lease_s: float) -> bool:
        """Renew the lease and return whether a cancellation was asked for. Raises LeaseLost."""
        with writing(self._engine) as connection:
            lease = {"lease_us": microseconds(lease_s), "lease_until": read_clock(connection) + microseconds(lease_s)}
            _update(connection, held, lease)
            return bool(connection.execute(sa.select(_c.is_cancelled).where(_c.id == held.job_id)).scalar_one())

    def remember(self, held: Held, step: str, value: Any) -> None:
        """Keep the result of a step. Raises LeaseLost."""
        with writing(self._engine) as connection:
            known = connection.execute(sa.select(_c.steps).where(_c.id == held.job_id)).scalar()
            steps = {**json.loads(known or "{}"), step: value}
            _update(connection, held, {"steps": json.dumps(steps)})

    def finish(self, held: Held, outcome: Outcome) -> None:
        """End the attempt. Raises LeaseLost."""
        with writing(self._engine) as connection:
            now = read_clock(connection)
            values: dict[str, Any] = {"state": outcome.state, "error": outcome.error, "lease_until": None}
            if outcome.state == "ready":
                values |= {"run_at": now + microseconds(outcome.delay_s), "owner": None}
                values |= {"attempts": _c.attempts - 1} if outcome.refund else {}
            else:
                values |= {"live_key": None, "ended_at": now, "result": json.dumps(outcome.result)}
            _update(connection, held, values)

    def cancel(self, job_id: str) -> Job:
        """Ask for a cancellation. Raises NotFound, or Conflict when the job has ended."""
        with writing(self._engine) as connection:
            live = (_c.id == job_id) & _c.state.in_(_LIVE)
            asked = connection.execute(table.update().where(live).values(is_cancelled=True)).rowcount
            job = _get(connection, job_id)
        if not asked:
            raise Conflict(
                _("Job {id} has ended ({state}): it cannot be cancelled.").format(id=job_id, state=job.state)
            )
        return job

    def get(self, job_id: str) -> Job:
        """Return a job. Raises NotFound."""
        with reading(self._engine) as connection:
            return _get(connection, job_id)

    def list(self, query: JobQuery) -> tuple[Job, ...]:
        """Return jobs, newest first."""
        wanted = sa.select(table).order_by(_c.created_at.desc(), _c.id.desc()).limit(query.limit)
        if query.kind is not None:
            wanted = wanted.where(_c.kind == query.kind)
        if query.states is not None:
            wanted = wanted.where(_c.state.in_(query.states))
        if query.dedupe is not None:
            wanted = wanted.where(_c.dedupe == query.dedupe)
        if query.without:
            wanted = wanted.where(_c.kind.not_in(query.without))
        with reading(self._engine) as connection:
            return tuple(_job(row) for row in connection.execute(wanted).mappings())

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs that have ended; the others stay."""
        told = tuple(ids)
        with writing(self._engine) as connection:
            for start in range(0, len(told), _CHUNK):
                among = _c.id.in_(told[start : start + _CHUNK])
                connection.execute(table.delete().where(among, _c.state.not_in(_LIVE)))


def live_job(connection: sa.Connection, dedupe: str | None) -> Job | None:
    """Return the live job of a key."""
    if dedupe is None:
        return None
    row = connection.execute(sa.select(table).where(_c.live_key == dedupe)).mappings().first()
    return None if row is None else _job(row)


def insert_job(connection: sa.Connection, job: Job, dedupe: str | None, options: JobOptions) -> Job:
    """Add a job; the caller holds the lock and has seen that its key is free."""
    timeout_us = None if options.timeout_s is None else microseconds(options.timeout_s)
    values = {name: value for name, value in vars(job).items() if name not in {"args", "steps", "result", "dedupe"}}
    values |= {"args": json.dumps(job.args), "steps": "{}", "timeout_us": timeout_us}
    values |= {"dedupe": dedupe, "live_key": dedupe}
    connection.execute(table.insert().values(values))
    return _get(connection, job.id)


def _claimable(request: ClaimRequest, now: int, full: list[str]) -> sa.Select[Any]:
    """The next job: due, or its lease over, and its queue not full; or waiting with a cancellation to be seen to."""
    is_due = (_c.state == "ready") & (_c.run_at <= now)
    is_over = (_c.state == "running") & ((_c.lease_until <= now) | (_c.lease_until > now + 2 * _c.lease_us))
    is_free = _c.queue.not_in(full) if full else sa.true()
    to_cancel = (_c.state == "ready") & _c.is_cancelled
    wanted = sa.select(table).where(_c.kind.in_(request.kinds), ((is_due | is_over) & is_free) | to_cancel)
    return wanted.order_by(_c.priority, _c.run_at, _c.id).limit(1)


def _full_queues(connection: sa.Connection, request: ClaimRequest, now: int) -> list[str]:
    if not request.limits:
        return []
    at_work = (_c.state == "running") & (_c.lease_until > now) & (_c.lease_until <= now + 2 * _c.lease_us)
    counted = sa.select(_c.queue, sa.func.count()).where(at_work).group_by(_c.queue)
    busy: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    return [queue for queue, limit in request.limits.items() if busy.get(queue, 0) >= limit]


def _taken(connection: sa.Connection, row: Any, request: ClaimRequest, now: int) -> Claim:
    lease_us = microseconds(request.lease_s)
    deadline = row["deadline"]
    if deadline is None and row["timeout_us"] is not None:
        deadline = now + row["timeout_us"]
    values = {
        "state": "running",
        "owner": request.owner,
        "fence": row["fence"] + 1,
        "attempts": row["attempts"] + 1,
        "lease_us": lease_us,
        "lease_until": now + lease_us,
        "deadline": deadline,
        "started_at": row["started_at"] or now,
    }
    connection.execute(table.update().where(_c.id == row["id"]).values(values))
    remaining_s = None if deadline is None else (deadline - now) / 1_000_000
    return Claim(_get(connection, row["id"]), remaining_s)


def _update(connection: sa.Connection, held: Held, values: dict[str, Any]) -> None:
    """Change a job as its holder. Raises LeaseLost."""
    ours = (_c.id == held.job_id) & (_c.fence == held.fence) & (_c.state == "running")
    if connection.execute(table.update().where(ours).values(values)).rowcount != 1:
        raise LeaseLost(held.job_id, held.fence)


def _get(connection: sa.Connection, job_id: str) -> Job:
    row = connection.execute(sa.select(table).where(_c.id == job_id)).mappings().first()
    if row is None:
        raise NotFound("job", job_id, cure=_("It may have been cleared away."))
    return _job(row)


def _job(row: Any) -> Job:
    values = {name: value for name, value in row.items() if name not in _INNER}
    for name in ("args", "steps", "result"):
        values[name] = None if values[name] is None else json.loads(values[name])
    return Job(**values)
