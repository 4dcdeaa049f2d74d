"""Ground truth in a relational database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from boucle.adapters.sql.database import inserting, reading
from boucle.adapters.sql.tables import truth as table
from boucle.core.report import Span
from boucle.labels.ports import TruthCounts
from boucle.labels.told_ids import told_id
from boucle.labels.truth import Truth

_c = table.c
_CHUNK = 20_000  # rows written at once
_ASKED = 5_000  # ids looked up at once; a statement takes some 30,000 values
_IDS_TOLD = 20


class SqlTruthStore:
    """A view of the ground truth that the collector keeps."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def joined(self, model: str, window: Span) -> tuple[Truth, ...]:
        """Return the joined truths of the predictions whose minute begins in a window, by id."""
        in_window = (_c.minute >= window.start) & (_c.minute < window.stop)
        wanted = sa.select(table).where(_c.model == model, in_window, _c.state == "joined")
        with reading(self._engine) as connection:
            found = [_truth(row) for row in connection.execute(wanted)]
        return tuple(sorted(found, key=lambda truth: truth.id))  # here: databases differ in how they order texts

    def n_unknown(self, model: str, window: Span) -> int:
        """Return how many truths told in a window name no prediction of the log."""
        told = (_c.state == "unknown") & (_c.at >= window.start) & (_c.at < window.stop)
        with reading(self._engine) as connection:
            counted = sa.select(sa.func.count()).select_from(table).where(told, _c.model == model)
            return int(connection.execute(counted).scalar_one())

    def counts(self, model: str) -> TruthCounts:
        """Return how many truths of a model are in each state."""
        by_state = sa.select(_c.state, sa.func.count()).where(_c.model == model).group_by(_c.state)
        unknown = sa.select(_c.id).where(_c.model == model, _c.state == "unknown").order_by(_c.at).limit(_IDS_TOLD)
        with reading(self._engine) as connection:
            found = {str(row[0]): int(row[1]) for row in connection.execute(by_state)}
            ids = tuple(connection.execute(unknown).scalars())
        return TruthCounts(found.get("joined", 0), found.get("waiting", 0), found.get("unknown", 0), ids)


class Truths:
    """Ground truth as the collector writes it, in its transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def keep(self, truths: Iterable[Truth]) -> None:
        """Keep each id once; another value replaces it and waits again, and so does one told again that was unknown."""
        insert = inserting(self._connection, table)
        told = {name: insert.excluded[name] for name in ("value", "at", "logged_at", "state")}
        is_news = (_c.value != insert.excluded.value) | (_c.state == "unknown")
        keep = insert.on_conflict_do_update(index_elements=[_c.model, _c.id], set_=told, where=is_news)
        last = {(truth.model, told_id(truth.id)): truth for truth in truths}
        self._many(keep, [_row(truth, id_) for (_model, id_), truth in last.items()])

    def awaken(self, rows: Iterable[tuple[str, str]]) -> int:
        """Let unknown truths of these rows (model and id) wait again; return how many there were."""
        if not self._connection.execute(sa.select(sa.exists().where(_c.state == "unknown"))).scalar_one():
            return 0  # as a rule: asked of every pass, it must cost nothing
        ids: dict[str, list[str]] = defaultdict(list)
        for model, id_ in rows:
            ids[model].append(id_)
        is_unknown = sa.func.coalesce(_c.state, "") == "unknown"  # so that SQLite goes by the ids, not by the states
        n_awake = 0
        for model, those in ids.items():
            for start in range(0, len(those), _ASKED):
                asked = (_c.model == model) & _c.id.in_(those[start : start + _ASKED])
                n_awake += self._connection.execute(
                    table.update().where(asked, is_unknown).values(state="waiting")
                ).rowcount
        return n_awake

    def waiting(self, limit: int) -> tuple[Truth, ...]:
        """Return truths not joined yet, those told first first."""
        wanted = sa.select(table).where(_c.state == "waiting").order_by(_c.at, _c.model, _c.id).limit(limit)
        return tuple(_truth(row) for row in self._connection.execute(wanted))

    def settle(self, truths: Iterable[Truth]) -> None:
        """Replace the state, ``counted`` and ``minute`` of these."""
        key = (_c.model == sa.bindparam("of_model")) & (_c.id == sa.bindparam("of_id"))
        names = ("state", "counted", "minute")
        settle = table.update().where(key).values({name: sa.bindparam(f"new_{name}") for name in names})
        rows = [
            {
                "of_model": truth.model,
                "of_id": truth.id,
                "new_state": truth.state,
                "new_counted": _counted(truth),
                "new_minute": truth.minute,
            }
            for truth in truths
        ]
        self._many(settle, rows)

    def forget(self, model: str, before: int) -> None:
        """Forget truths of predictions before a time, and those told before it that belong to none."""
        is_old = sa.func.coalesce(_c.minute, _c.at) < before  # a correction that waits has the minute it is counted in
        self._connection.execute(table.delete().where(_c.model == model, is_old))

    def _many(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        for start in range(0, len(rows), _CHUNK):
            self._connection.execute(statement, rows[start : start + _CHUNK])


def _row(truth: Truth, id_: str) -> dict[str, Any]:
    return {
        "model": truth.model,
        "id": id_,
        "value": json.dumps(truth.value, sort_keys=True, separators=(",", ":")),
        "at": truth.at,
        "logged_at": truth.logged_at,
        "state": truth.state,
        "counted": _counted(truth),
        "minute": truth.minute,
    }


def _counted(truth: Truth) -> str | None:
    return None if truth.counted is None else json.dumps(truth.counted, separators=(",", ":"))


def _truth(row: Any) -> Truth:
    counted = None if row.counted is None else json.loads(row.counted)
    return Truth(row.model, row.id, json.loads(row.value), row.at, row.logged_at, row.state, counted, row.minute)
