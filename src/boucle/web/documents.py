"""The JSON documents of models, shared by the API and by the JSON twins of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boucle.core.document import to_json
from boucle.core.errors import NotFound
from boucle.core.i18n import _
from boucle.core.traffic import ModelTraffic
from boucle.core.version import Version
from boucle.registry.model import RegisteredModel
from boucle.registry.registry import Registry


def model_row(model: RegisteredModel, versions: Sequence[Version], traffic: ModelTraffic | None) -> dict[str, Any]:
    """Return one model as the listing tells it: ``versions`` is their number, ``states`` counts them by state."""
    champion = champion_of(model, versions)
    states = [version.state for version in versions]
    return {
        "name": model.name,
        "description": model.description,
        "champion": model.champion,
        "aliases": model.aliases,
        "runtime": None if champion is None else champion.runtime,
        "author": model.author,
        "created_at": model.created_at,
        "versions": len(versions),
        "states": {state: states.count(state) for state in dict.fromkeys(states)},
        "traffic": None if traffic is None else to_json(traffic),
    }


def model_rows(registry: Registry, traffic: Mapping[str, ModelTraffic]) -> dict[str, Any]:
    """Return the document of all models, by name."""
    models = registry.models()
    return {"models": [model_row(model, registry.versions(model.name), traffic.get(model.name)) for model in models]}


def model_document(model: RegisteredModel, versions: Sequence[Version]) -> dict[str, Any]:
    """Return one model with the documents of its versions; ``previous`` is where a rollback would go."""
    return {
        "name": model.name,
        "aliases": model.aliases,
        "previous": model.previous,
        "description": model.description,
        "author": model.author,
        "created_at": model.created_at,
        "versions": [to_json(version) for version in versions],
    }


def champion_of(model: RegisteredModel, versions: Sequence[Version]) -> Version | None:
    """Return the champion among versions, or None."""
    return next((version for version in versions if version.number == model.champion), None)


def find(versions: Sequence[Version], name: str, number: int) -> Version:
    """Return the version of a number. Raises NotFound, listing those there are."""
    for version in versions:
        if version.number == number:
            return version
    there = [f"{version.number} ({version.state})" for version in versions]
    raise NotFound("version", f"{name} {number}", there, _("See them with: boucle history {name}").format(name=name))
