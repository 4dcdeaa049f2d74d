"""The registry in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from boucle.core.version import Version
from boucle.registry.model import AuditEntry, RegisteredModel
from boucle.registry.ports import VersionQuery


@dataclass
class _State:
    models: dict[str, RegisteredModel] = field(default_factory=dict)
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)
    audit: dict[str, tuple[AuditEntry, ...]] = field(default_factory=dict)
    routing_changes: int = 0

    def copied(self) -> _State:
        return _State(dict(self.models), dict(self.versions), dict(self.audit), self.routing_changes)


class MemoryRegistryStore:
    """A writer works on a copy, which takes the place of what was when it ends well."""

    def __init__(self) -> None:
        self._state = _State()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Open a view of one moment."""
        yield _Transaction(self._state)

    @contextmanager
    def writing(self) -> Iterator[_Transaction]:
        """Open a transaction; an exception inside undoes it."""
        with self._lock:
            state = self._state.copied()
            yield _Transaction(state)
            self._state = state


class _Transaction:
    def __init__(self, state: _State) -> None:
        self._state = state

    def models(self, name: str | None = None) -> tuple[RegisteredModel, ...]:
        return tuple(model for key, model in sorted(self._state.models.items()) if name in {None, key})

    def versions(self, query: VersionQuery) -> tuple[Version, ...]:
        return tuple(version for _, version in sorted(self._state.versions.items()) if _is_wanted(version, query))

    def history(self, name: str) -> tuple[AuditEntry, ...]:
        return self._state.audit.get(name, ())

    def sequence(self) -> int:
        return self._state.routing_changes

    def save_model(self, model: RegisteredModel) -> None:
        self._state.models[model.name] = model

    def save_version(self, version: Version) -> None:
        key = (version.name, version.number)
        known = self._state.versions.get(key)
        self._state.versions[key] = version if known is None else replace(version, manifest=known.manifest)

    def record(self, name: str, entry: AuditEntry) -> None:
        self._state.audit[name] = (*self.history(name), entry)

    def grow_sequence(self) -> None:
        self._state.routing_changes += 1


def _is_wanted(version: Version, query: VersionQuery) -> bool:
    return (
        query.name in {None, version.name}
        and query.digest in {None, version.digest}
        and query.state in {None, version.state}
        and (query.numbers is None or version.number in query.numbers)
    )
