"""The registry in a relational database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from boucle.adapters.sql import tables as t
from boucle.adapters.sql.database import reading, writing
from boucle.core.check import Check
from boucle.core.document import from_json, to_json
from boucle.core.ids import uuid7
from boucle.core.signature import Signature
from boucle.core.version import Artifact, Manifest, Version
from boucle.registry.model import AuditEntry, RegisteredModel
from boucle.registry.ports import VersionQuery

_LOCK = 7_701
_ROUTES = "routes"


class SqlRegistryStore:
    """Writers come one after the other, so that promotions of one model are a line."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Open a view of one moment."""
        with reading(self._engine) as connection:
            yield _Transaction(connection)

    @contextmanager
    def writing(self) -> Iterator[_Transaction]:
        """Open a transaction; an exception inside undoes it."""
        with writing(self._engine, _LOCK) as connection:
            yield _Transaction(connection)


class _Transaction:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def models(self, name: str | None = None) -> tuple[RegisteredModel, ...]:
        wanted = sa.select(t.model).order_by(t.model.c.name)
        if name is not None:
            wanted = wanted.where(t.model.c.name == name)
        return tuple(_model(row) for row in self._connection.execute(wanted).mappings())

    def versions(self, query: VersionQuery) -> tuple[Version, ...]:
        columns = t.version.c
        wanted = sa.select(t.version).order_by(columns.model, columns.number)
        for column, value in (
            (columns.model, query.name),
            (columns.digest, query.digest),
            (columns.state, query.state),
        ):
            if value is not None:
                wanted = wanted.where(column == value)
        if query.numbers is not None:
            wanted = wanted.where(columns.number.in_(query.numbers))
        return tuple(_version(row) for row in self._connection.execute(wanted).mappings())

    def history(self, name: str) -> tuple[AuditEntry, ...]:
        columns = t.audit.c
        wanted = sa.select(columns.at, columns.actor, columns.action, columns.version, columns.detail)
        rows = self._connection.execute(wanted.where(columns.model == name).order_by(columns.position))
        return tuple(AuditEntry(*row) for row in rows)

    def sequence(self) -> int:
        wanted = sa.select(t.counter.c.value).where(t.counter.c.name == _ROUTES)
        return int(self._connection.execute(wanted).scalar_one())

    def save_model(self, model: RegisteredModel) -> None:
        key = t.model.c.name == model.name
        changing = {
            "author": model.author,
            "description": model.description,
            "aliases": _text(model.aliases),
            "past": _text(model.past),
        }
        if self._connection.execute(t.model.update().where(key).values(changing)).rowcount == 0:
            self._connection.execute(t.model.insert().values(name=model.name, created_at=model.created_at, **changing))

    def save_version(self, version: Version) -> None:
        key = (t.version.c.model == version.name) & (t.version.c.number == version.number)
        changing = _changing(version)
        if self._connection.execute(t.version.update().where(key).values(changing)).rowcount == 0:
            self._connection.execute(t.version.insert().values(**_fixed(version), **changing))

    def record(self, name: str, entry: AuditEntry) -> None:
        last = sa.select(sa.func.coalesce(sa.func.max(t.audit.c.position), 0)).where(t.audit.c.model == name)
        position = self._connection.execute(last).scalar_one() + 1
        values = {"id": uuid7(), "model": name, "position": position, **vars(entry)}
        self._connection.execute(t.audit.insert().values(values))

    def grow_sequence(self) -> None:
        key = t.counter.c.name == _ROUTES
        self._connection.execute(t.counter.update().where(key).values(value=t.counter.c.value + 1))


def _text(value: Any) -> str:
    return json.dumps(to_json(value), separators=(",", ":"), ensure_ascii=False)


def _optional(value: Any) -> str | None:
    return None if value is None else _text(value)


def _fixed(version: Version) -> dict[str, Any]:
    return {
        "model": version.name,
        "number": version.number,
        "digest": version.digest,
        "manifest": _text(version.manifest),
        "created_at": version.created_at,
        "author": version.author,
    }


def _changing(version: Version) -> dict[str, Any]:
    return {
        "state": version.state,
        "checks": _text(version.checks),
        "runtime": version.runtime,
        "reason": version.reason,
        "interpreter": version.interpreter,
        "lock": _optional(version.lock),
        "signature": _optional(version.signature),
        "graph": _optional(version.graph),
        "job": version.job,
        "isolation": version.isolation,
    }


def _model(row: Any) -> RegisteredModel:
    values = dict(row)
    return RegisteredModel(
        **{**values, "aliases": json.loads(values["aliases"]), "past": tuple(json.loads(values["past"]))}
    )


def _version(row: Any) -> Version:
    values = dict(row)
    values["name"] = values.pop("model")
    values["manifest"] = _manifest(values["manifest"])
    values["checks"] = tuple(from_json(Check, check) for check in json.loads(values["checks"]))
    for name in ("lock", "graph"):
        values[name] = from_json(Artifact, json.loads(values[name])) if values[name] else None
    values["signature"] = _signature(values["signature"]) if values["signature"] else None
    return Version(**values)


@lru_cache(maxsize=512)
def _manifest(text: str) -> Manifest:
    """Manifests never change and are read at each step of a build: parse each once."""
    return from_json(Manifest, json.loads(text))


@lru_cache(maxsize=512)
def _signature(text: str) -> Signature:
    return from_json(Signature, json.loads(text))
