"""Registry: the life of models and versions. Every change and its audit entry are one transaction.

A version goes building → ready or failed. The first ready one becomes champion, later ones challenger; a gate
changes that: a version that does not keep its own is challenger even as the first, one that keeps a gate that
promotes is champion at once. A build that ends late takes nothing from a newer version. What the gateway must know
grows the sequence of the route table in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from boucle.core.check import Check
from boucle.core.errors import Conflict
from boucle.core.i18n import _
from boucle.core.routes import RouteTable
from boucle.core.version import CHALLENGER, CHAMPION, Manifest, Version, valid_name
from boucle.registry import routing
from boucle.registry.finding import find_model, find_version, no_alias, require_alias, require_building, require_ready
from boucle.registry.model import AuditEntry, BuildFound, RegisteredModel
from boucle.registry.ports import RegistryStore, RegistryWriter, VersionQuery

PLATFORM = "boucle"  # the actor of what the platform does by itself


class Registry:
    """``clock`` returns UTC microseconds."""

    def __init__(self, store: RegistryStore, clock: Callable[[], int]) -> None:
        self._store, self._clock = store, clock
        self._table = RouteTable(-1)

    def register(self, name: str, manifest: Manifest, author: str) -> tuple[Version, bool]:
        """Return the version of a manifest and whether it is new.

        The same manifest is the same version; one that had failed goes back to building without its checks.
        Raises InvalidRequest for a name that cannot be used.
        """
        digest = manifest.digest()
        with self._store.writing() as tx:
            _describe(tx, RegisteredModel(valid_name(name), self._clock(), author), manifest.description)
            known = tx.versions(VersionQuery(name, digest=digest))
            if known:
                return self._again(tx, known[0], author), False
            number = 1 + max((version.number for version in tx.versions(VersionQuery(name))), default=0)
            version = Version(name, number, "building", digest, manifest, self._clock(), author)
            tx.save_version(version)
            tx.record(name, self._entry(author, "register", number))
        return version, True

    def set_job(self, name: str, number: int, job_id: str) -> None:
        """Remember which job builds a version."""
        with self._store.writing() as tx:
            tx.save_version(replace(find_version(tx, name, number), job=job_id))

    def add_check(self, name: str, number: int, check: Check) -> None:
        """Append the outcome of a build step; one of the same name is replaced: a repeated step says it once."""
        with self._store.writing() as tx:
            version = find_version(tx, name, number)
            checks = {known.name: known for known in version.checks} | {check.name: check}
            tx.save_version(replace(version, checks=tuple(checks.values())))

    def checks(self, name: str, number: int, after: int = 0) -> tuple[Check, ...]:
        """Return the checks of a version without the first ``after`` ones."""
        return self.version(name, number).checks[after:]

    def found(self, name: str, number: int, found: BuildFound) -> Version:
        """Keep what the build found; from now on the route table holds the version, so that gateways load it early."""
        with self._store.writing() as tx:
            version = find_version(tx, name, number)
            require_building(version)
            told = replace(
                version,
                runtime=found.runtime,
                reason=found.reason,
                interpreter=found.interpreter,
                lock=found.lock,
                signature=found.signature,
                graph=found.graph,
            )
            if told != version:
                tx.save_version(told)
                tx.grow_sequence()
        return told

    def mark_ready(self, name: str, number: int) -> Version:
        """End a build well: the version becomes champion or challenger, as its gate says. Repeating is harmless.

        Raises Conflict when the version failed, or when ``found`` was not told before.
        """
        with self._store.writing() as tx:
            version = find_version(tx, name, number)
            if version.state == "ready":
                return version
            require_building(version)
            if version.runtime is None:
                raise Conflict(
                    _("{name} version {number} cannot be ready: its build did not tell how it runs.").format(
                        name=name, number=number
                    )
                )
            ready = replace(version, state="ready")
            tx.save_version(ready)
            self._place(tx, find_model(tx, name), ready)
        return ready

    def mark_failed(self, name: str, number: int, reason: str) -> Version:
        """End a build badly. A version that is ready or failed already stays as it is."""
        with self._store.writing() as tx:
            version = find_version(tx, name, number)
            if version.state != "building":
                return version
            failed = replace(version, state="failed", reason=reason)
            tx.save_version(failed)
            if version.runtime is not None:
                tx.grow_sequence()
            tx.record(name, self._entry(PLATFORM, "failed", number, reason))
        return failed

    def promote(self, name: str, number: int, actor: str, alias: str = CHAMPION) -> RegisteredModel:
        """Point an alias at a ready version; the champion of before becomes the rollback target.

        Raises NotFound for a model, version or alias there is not, Conflict for a version that is not ready.
        """
        with self._store.writing() as tx:
            model, version = find_model(tx, name), find_version(tx, name, number)
            require_alias(model, alias, number)
            require_ready(version)
            moved = model.moved(alias, number)
            if moved != model:
                detail = _change(model, alias, number)
                if alias == CHAMPION and not version.passed_gate:
                    detail = _("{change}, despite its gate").format(change=detail)
                _reroute(tx, moved, self._entry(actor, "promote", number, detail))
        return moved

    def rollback(self, name: str, actor: str) -> RegisteredModel:
        """Step one champion back. Raises NotFound for the model, Conflict when there was no champion before."""
        with self._store.writing() as tx:
            model = find_model(tx, name)
            back = model.stepped_back()
            detail = _("champion: version {before} → {number}").format(before=model.champion, number=back.champion)
            _reroute(tx, back, self._entry(actor, "rollback", back.aliases[CHAMPION], detail))
        return back

    def note(self, name: str, actor: str, action: str, detail: str = "") -> None:
        """Write into the history of a model what was done to it elsewhere. Raises NotFound for the model."""
        with self._store.writing() as tx:
            find_model(tx, name)
            tx.record(name, AuditEntry(self._clock(), actor, action, detail=detail))

    def models(self) -> tuple[RegisteredModel, ...]:
        """Return all models by name."""
        with self._store.reading() as view:
            return view.models()

    def model(self, name: str) -> RegisteredModel:
        """Return a model. Raises NotFound, listing those there are."""
        with self._store.reading() as view:
            return find_model(view, name)

    def versions(self, name: str) -> tuple[Version, ...]:
        """Return the versions of a model by number. Raises NotFound for the model."""
        with self._store.reading() as view:
            find_model(view, name)
            return view.versions(VersionQuery(name))

    def version(self, name: str, number: int) -> Version:
        """Return a version. Raises NotFound, listing those there are."""
        with self._store.reading() as view:
            return find_version(view, name, number)

    def aliased(self, name: str, alias: str) -> Version:
        """Return the version an alias points at. Raises NotFound, listing the aliases and how to set one."""
        with self._store.reading() as view:
            model = find_model(view, name)
            if alias not in model.aliases:
                newest = max((version.number for version in view.versions(VersionQuery(name))), default=1)
                raise no_alias(model, alias, newest)
            return find_version(view, name, model.aliases[alias])

    def history(self, name: str) -> tuple[AuditEntry, ...]:
        """Return what was done to a model, oldest first. Raises NotFound."""
        with self._store.reading() as view:
            find_model(view, name)
            return view.history(name)

    def sequence(self) -> int:
        """Return the sequence of the route table: cheap enough to ask ten times a second."""
        with self._store.reading() as view:
            return view.sequence()

    def route_table(self) -> RouteTable:
        """Return the routes of this moment; made once per sequence."""
        with self._store.reading() as view:
            table = self._table
            if view.sequence() != table.sequence:
                table = self._table = routing.route_table(view)
            return table

    def _place(self, tx: RegistryWriter, model: RegisteredModel, version: Version) -> None:
        """Give a version that just became ready its alias."""
        champion, gate = model.champion, version.manifest.gate
        kept_gate = gate if gate is not None and gate.promotes and version.passed_gate else None
        if kept_gate is not None and champion is not None and version.number > champion:
            kept = ", ".join(map(str, kept_gate.bounds))
            detail = _("{change}, its gate is kept: {bounds}").format(
                change=_change(model, CHAMPION, version.number), bounds=kept
            )
            tx.record(model.name, self._entry(PLATFORM, "ready", version.number))
            _reroute(
                tx, model.moved(CHAMPION, version.number), self._entry(PLATFORM, "promote", version.number, detail)
            )
            return
        alias, detail = _waiting(model, version, None if kept_gate is None else champion)
        moved = model if alias is None else model.moved(alias, version.number)
        _reroute(tx, moved, self._entry(PLATFORM, "ready", version.number, detail))

    def _again(self, tx: RegistryWriter, known: Version, author: str) -> Version:
        if known.state != "failed":
            return known
        version = replace(
            Version(known.name, known.number, "building", known.digest, known.manifest, known.created_at, known.author),
            isolation=known.isolation,
        )
        tx.save_version(version)
        tx.record(known.name, self._entry(author, "retry", known.number))
        return version

    def _entry(self, actor: str, action: str, number: int, detail: str = "") -> AuditEntry:
        return AuditEntry(self._clock(), actor, action, number, detail)


def _waiting(model: RegisteredModel, version: Version, newer_champion: int | None) -> tuple[str | None, str]:
    """Return the alias of a version that no gate promotes, and why; None when a newer challenger keeps its own.

    ``newer_champion`` is the one that its gate would have replaced.
    """
    if model.champion is None and version.passed_gate:
        return CHAMPION, _("is now {alias}").format(alias=CHAMPION)
    challenger = model.aliases.get(CHALLENGER)
    if challenger is not None and challenger > version.number:
        return None, _("gets no alias: version {number} is newer").format(number=challenger)
    if not version.passed_gate:
        return CHALLENGER, _("is now {alias}: its gate is not kept").format(alias=CHALLENGER)
    if newer_champion is not None:
        detail = _("is now {alias}: version {number} is newer")
        return CHALLENGER, detail.format(alias=CHALLENGER, number=newer_champion)
    return CHALLENGER, _("is now {alias}").format(alias=CHALLENGER)


def _change(model: RegisteredModel, alias: str, number: int) -> str:
    before = model.aliases.get(alias, "–")
    return _("{alias}: version {before} → {number}").format(alias=alias, before=before, number=number)


def _reroute(tx: RegistryWriter, model: RegisteredModel, entry: AuditEntry) -> None:
    tx.save_model(model)
    tx.grow_sequence()
    tx.record(model.name, entry)


def _describe(tx: RegistryWriter, new: RegisteredModel, description: str) -> None:
    """Make the model when it is new; a description that says something replaces the one before."""
    known = tx.models(new.name)
    model = known[0] if known else new
    described = replace(model, description=description or model.description)
    if not known or described != model:
        tx.save_model(described)
    if known and described != model:
        tx.grow_sequence()
