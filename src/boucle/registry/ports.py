"""What the registry needs from a database: transactions that see one moment, writers one after the other."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from boucle.core.version import State, Version
from boucle.registry.model import AuditEntry, RegisteredModel


@dataclass(frozen=True)
class VersionQuery:
    """Which versions are wanted; None leaves a property free."""

    name: str | None = None
    numbers: tuple[int, ...] | None = None
    digest: str | None = None
    state: State | None = None


class RegistryReader(Protocol):
    """A view of one moment."""

    def models(self, name: str | None = None) -> tuple[RegisteredModel, ...]:
        """Return all models by name, or the one of that name (none or one)."""

    def versions(self, query: VersionQuery) -> tuple[Version, ...]:
        """Return the versions asked for, by model and number."""

    def history(self, name: str) -> tuple[AuditEntry, ...]:
        """Return the audit entries of a model, oldest first."""

    def sequence(self) -> int:
        """Return the number of routing changes so far."""


class RegistryWriter(RegistryReader, Protocol):
    """A transaction: all of it is kept, or nothing. No other writer is between its reads and its writes."""

    def save_model(self, model: RegisteredModel) -> None:
        """Insert or replace a model."""

    def save_version(self, version: Version) -> None:
        """Insert a version or replace all but its manifest, which never changes."""

    def record(self, name: str, entry: AuditEntry) -> None:
        """Append an audit entry."""

    def grow_sequence(self) -> None:
        """Count one routing change."""


class RegistryStore(Protocol):
    """Where the registry is kept. Both managers raise Unavailable when the database does not answer in time."""

    def reading(self) -> AbstractContextManager[RegistryReader]:
        """Open a view of one moment."""

    def writing(self) -> AbstractContextManager[RegistryWriter]:
        """Open a transaction; an exception inside undoes it."""
