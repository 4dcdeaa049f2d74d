"""Policies, verdicts, alerts and what is still to be told, in a relational database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from boucle.adapters.sql import tables as t
from boucle.adapters.sql.database import inserting, reading, replacing, writing
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.document import from_json, to_json
from boucle.core.report import Span
from boucle.core.watching import WatchPolicy
from boucle.monitoring.keeping import two_open
from boucle.monitoring.ports import AlertQuery, Judged, Notification, Verdict

_LOCK = 7_704


class SqlWatchStore:
    """What was judged is written at once, one look after the other."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def policy(self, model: str) -> WatchPolicy:
        """Return the policy of a model; the defaults when it has none."""
        text = self._text(t.watch_policy.c.policy, model)
        return WatchPolicy() if text is None else from_json(WatchPolicy, json.loads(text))

    def save_policy(self, model: str, policy: WatchPolicy) -> None:
        """Replace the policy of a model."""
        with writing(self._engine, _LOCK) as connection:
            connection.execute(replacing(connection, t.watch_policy), {"model": model, "policy": _document(policy)})

    def state(self, model: str) -> dict[str, Any]:
        """Return what the last look at a model left; {} at first."""
        text = self._text(t.watch_state.c.state, model)
        found: dict[str, Any] = {} if text is None else json.loads(text)
        return found

    def judged(self, judged: Judged) -> None:
        """Write down a look. All of it or nothing."""
        state = {"model": judged.model, "state": _document(judged.state)}
        notes = [_notification_row(notification) for notification in judged.notifications]
        with writing(self._engine, _LOCK) as connection:
            connection.execute(replacing(connection, t.watch_state), state)
            if judged.verdicts:
                verdicts = [_verdict_row(verdict) for verdict in judged.verdicts]
                connection.execute(replacing(connection, t.verdict), verdicts)
            for alert in sorted(judged.alerts, key=lambda alert: alert.is_open):  # one closes before another opens
                _write_alert(connection, alert)
            if notes:
                connection.execute(inserting(connection, t.notification).on_conflict_do_nothing(), notes)

    def verdicts(self, model: str, window: Span) -> tuple[Verdict, ...]:
        """Return the verdicts whose window ends in a window, oldest first."""
        columns = t.verdict.c
        ends = (columns.stop >= window.start) & (columns.stop < window.stop)
        wanted = sa.select(t.verdict).where(columns.model == model, ends)
        with reading(self._engine) as connection:
            found = [_verdict(row) for row in connection.execute(wanted)]
        return tuple(sorted(found, key=lambda v: (v.window.stop, v.version, v.slice, v.window.start)))

    def alerts(self, query: AlertQuery) -> tuple[Alert, ...]:
        """Return alerts, newest first."""
        columns = t.alert.c
        wanted = sa.select(columns.alert).order_by(columns.opened_at.desc(), columns.id.desc()).limit(query.limit)
        if query.model is not None:
            wanted = wanted.where(columns.model == query.model)
        if query.is_open is not None:
            wanted = wanted.where(columns.closed_at.is_(None) if query.is_open else columns.closed_at.is_not(None))
        if query.since is not None:
            wanted = wanted.where(columns.last_at >= query.since)
        with reading(self._engine) as connection:
            return tuple(from_json(Alert, json.loads(text)) for text in connection.execute(wanted).scalars())

    def due(self, now: int, limit: int = 100) -> tuple[Notification, ...]:
        """Return the notifications to deliver now, oldest first."""
        columns = t.notification.c
        wanted = sa.select(t.notification).where(columns.due_at <= now).order_by(columns.due_at, columns.id)
        with reading(self._engine) as connection:
            return tuple(_notification(row) for row in connection.execute(wanted.limit(limit)).mappings())

    def delivered(self, ids: Iterable[str]) -> None:
        """Forget notifications that were delivered (or given up)."""
        gone = [{"gone": id_} for id_ in ids]
        if gone:
            with writing(self._engine) as connection:
                connection.execute(t.notification.delete().where(t.notification.c.id == sa.bindparam("gone")), gone)

    def delay(self, notification: Notification) -> None:
        """Keep a notification with its new ``attempts``, ``due_at`` and ``error``."""
        changed = {name: getattr(notification, name) for name in ("attempts", "due_at", "error")}
        with writing(self._engine) as connection:
            kept = t.notification.c.id == notification.id
            connection.execute(t.notification.update().where(kept).values(changed))

    def _text(self, column: sa.Column[str], model: str) -> str | None:
        with reading(self._engine) as connection:
            text: str | None = connection.execute(sa.select(column).where(column.table.c.model == model)).scalar()
        return text


def _write_alert(connection: sa.Connection, alert: Alert) -> None:
    row = {
        "id": alert.id,
        "model": alert.model,
        "name": alert.check.name,
        "slice": alert.slice,
        "opened_at": alert.opened_at,
        "last_at": alert.last_at,
        "closed_at": alert.closed_at,
        "alert": _document(alert),
    }
    try:
        connection.execute(replacing(connection, t.alert), row)
    except sa.exc.IntegrityError as error:
        raise two_open(alert) from error


def _document(value: Any) -> str:
    return json.dumps(to_json(value), separators=(",", ":"))


def _verdict_row(verdict: Verdict) -> dict[str, Any]:
    named = {"model": verdict.model, "version": verdict.version, "slice": verdict.slice}
    return {**named, "start": verdict.window.start, "stop": verdict.window.stop, "checks": _document(verdict.checks)}


def _verdict(row: Any) -> Verdict:
    checks = tuple(from_json(Check, check) for check in json.loads(row.checks))
    return Verdict(row.model, row.version, Span(row.start, row.stop), checks, row.slice)


def _notification_row(notification: Notification) -> dict[str, Any]:
    return {**vars(notification), "alert": _document(notification.alert)}


def _notification(row: Any) -> Notification:
    return Notification(**{**row, "alert": from_json(Alert, json.loads(row["alert"]))})
