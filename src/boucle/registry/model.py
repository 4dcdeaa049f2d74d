"""The nouns of the registry beside Version: RegisteredModel, BuildFound, AuditEntry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from boucle.core.errors import Conflict
from boucle.core.i18n import _
from boucle.core.signature import Signature
from boucle.core.version import CHALLENGER, CHAMPION, Artifact, Runtime

ALIASES = (CHAMPION, CHALLENGER)
MOST_PAST = 50  # champions remembered for rollback


@dataclass(frozen=True)
class RegisteredModel:
    """A name with its aliases. ``past`` are the champions of before, the last one last; times are UTC microseconds."""

    name: str
    created_at: int
    author: str = ""
    description: str = ""
    aliases: dict[str, int] = field(default_factory=dict)
    past: tuple[int, ...] = ()

    @property
    def champion(self) -> int | None:
        """The version that answers, or None before the first is ready."""
        return self.aliases.get(CHAMPION)

    @property
    def previous(self) -> int | None:
        """The version that a rollback brings back, or None."""
        return self.past[-1] if self.past else None

    def aliases_of(self, number: int) -> tuple[str, ...]:
        """Return the aliases that point at a version, sorted."""
        return tuple(sorted(alias for alias, pointed in self.aliases.items() if pointed == number))

    def moved(self, alias: str, number: int) -> RegisteredModel:
        """Return the model with an alias at a version; a champion that gives way is remembered for a rollback.

        Raises Conflict when the champion itself is to become challenger.

        >>> RegisteredModel("churn", 0, aliases={"champion": 1, "challenger": 2}).moved("champion", 2)
        RegisteredModel(name='churn', created_at=0, author='', description='', aliases={'champion': 2}, past=(1,))
        """
        if alias != CHAMPION and number == self.champion:
            raise Conflict(
                _(
                    "{name} version {number} is the champion: it cannot be {alias} as well. Promote another first."
                ).format(name=self.name, number=number, alias=alias)
            )
        if alias != CHAMPION or number == self.champion:
            return replace(self, aliases={**self.aliases, alias: number})
        past = self.past if self.champion is None else (*self.past, self.champion)
        return replace(self, aliases=self._crowned(number), past=past[-MOST_PAST:])

    def stepped_back(self) -> RegisteredModel:
        """Return the model with the champion of before. Raises Conflict when there was none."""
        if self.previous is None:
            raise Conflict(
                _("{name} has no champion before version {number}: there is nothing to roll back to.").format(
                    name=self.name, number=self.champion or "–"
                )
            )
        return replace(self, aliases=self._crowned(self.previous), past=self.past[:-1])

    def _crowned(self, number: int) -> dict[str, int]:
        others = {alias: pointed for alias, pointed in self.aliases.items() if pointed != number}
        return {**others, CHAMPION: number}


@dataclass(frozen=True)
class BuildFound:
    """What a build found out: where the version runs and why, on which interpreter, with which locked requirements.

    ``graph`` is the ONNX file that was made of the model.
    """

    runtime: Runtime
    reason: str
    interpreter: str | None = None
    lock: Artifact | None = None
    signature: Signature | None = None
    graph: Artifact | None = None


@dataclass(frozen=True)
class AuditEntry:
    """Who did what to which version, when (UTC microseconds); ``detail`` is a sentence."""

    at: int
    actor: str
    action: str
    version: int | None = None
    detail: str = ""
