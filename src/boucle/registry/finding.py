"""Find what a name means, or say what there is instead and what to do next."""

from __future__ import annotations

from boucle.core.errors import Conflict, NotFound
from boucle.core.i18n import _
from boucle.core.version import Version
from boucle.registry.model import ALIASES, RegisteredModel
from boucle.registry.ports import RegistryReader, VersionQuery


def find_model(reader: RegistryReader, name: str) -> RegisteredModel:
    """Return a model. Raises NotFound, listing those there are."""
    found = reader.models(name)
    if found:
        return found[0]
    names = [model.name for model in reader.models()]
    raise NotFound("model", name, names, _("Make one with boucle.deploy(model, name, example=rows)."))


def find_version(reader: RegistryReader, name: str, number: int) -> Version:
    """Return a version. Raises NotFound for the model or the version, listing those there are."""
    found = reader.versions(VersionQuery(name, (number,)))
    if found:
        return found[0]
    find_model(reader, name)
    there = [f"{version.number} ({version.state})" for version in reader.versions(VersionQuery(name))]
    raise NotFound("version", f"{name} {number}", there, _("See them with: boucle history {name}").format(name=name))


def no_alias(model: RegisteredModel, alias: str, number: int) -> NotFound:
    """Return the error for an alias that is not set: it names the command that sets it at version ``number``."""
    cure = _("Set one with: boucle promote {name} {number}").format(name=model.name, number=number)
    return NotFound("alias", f"{model.name}@{alias}", sorted(model.aliases), cure)


def require_alias(model: RegisteredModel, alias: str, number: int) -> None:
    """Raise NotFound unless the alias may be set: those of the platform, and those the model has."""
    if alias in ALIASES or alias in model.aliases:
        return
    cure = _("Set one with: boucle promote {name} {number}").format(name=model.name, number=number)
    raise NotFound("alias", alias, sorted({*ALIASES, *model.aliases}), cure)


def require_ready(version: Version) -> None:
    """Raise Conflict unless the version is ready."""
    if version.state == "ready":
        return
    raise Conflict(
        _("{name} version {number} is {state}: only a ready version can be promoted. Its checks say why.").format(
            name=version.name, number=version.number, state=version.state
        )
    )


def require_building(version: Version) -> None:
    """Raise Conflict unless the version is still being built."""
    if version.state == "building":
        return
    raise Conflict(
        _("{name} version {number} is {state}: its build is over. Deploy the model again to build it anew.").format(
            name=version.name, number=version.number, state=version.state
        )
    )
