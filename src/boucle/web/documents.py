"""The JSON documents of models, shared by the API and by the JSON twins of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boucle.core.document import to_json
from boucle.core.errors import NotFound
from boucle.core.gate import Bound
from boucle.core.i18n import _
from boucle.core.traffic import ModelTraffic
from boucle.core.version import Version
from boucle.registry.model import RegisteredModel
from boucle.registry.registry import Registry


@dataclass(frozen=True)
class GateResult:
    """Whether a version passed its gate; ``broken`` says each bound that it does not keep, and what it has instead."""

    passed: bool
    broken: tuple[str, ...] = ()
    bounds: tuple[str, ...] = ()


def gate_result(version: Version) -> GateResult | None:
    """Return how a version did at its gate; None when it has none, or its build has not come to it."""
    gate = version.manifest.gate
    if gate is None or version.state != "ready":
        return None
    metrics = version.manifest.metrics
    broken = tuple(_("{bound}, found {value}").format(bound=b, value=_found(metrics, b)) for b in gate.broken(metrics))
    return GateResult(version.passed_gate, broken, tuple(map(str, gate.bounds)))


def version_document(version: Version) -> dict[str, Any]:
    """Return a version as the pages' twins tell it: its document, and what is labelled on the page."""
    result = gate_result(version)
    labels = {
        "worse_than_naive": version.manifest.is_worse_than_naive,
        "passed_gate": None if result is None else result.passed,
    }
    return {**to_json(version), **labels}


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
        "worse_than_naive": _is_worse(champion, versions),
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
    champion = champion_of(model, versions)
    return {
        "name": model.name,
        "worse_than_naive": _is_worse(champion, versions),
        "aliases": model.aliases,
        "previous": model.previous,
        "description": model.description,
        "author": model.author,
        "created_at": model.created_at,
        "versions": [to_json(version) for version in versions],
    }


def _is_worse(champion: Version | None, versions: Sequence[Version]) -> bool:
    """True for a champion, or for the newest version before there is one, that is worse than naive."""
    shown = champion or max(versions, key=lambda version: version.number, default=None)
    return shown is not None and shown.manifest.is_worse_than_naive


def _found(metrics: Mapping[str, float], bound: Bound) -> str:
    value = metrics.get(bound.metric)
    return _("nothing") if value is None else f"{value:.6g}"


def labelled_document(model: RegisteredModel, versions: Sequence[Version]) -> dict[str, Any]:
    """Return the same with the labels of each version, as its page shows them."""
    return {**model_document(model, versions), "versions": [version_document(version) for version in versions]}


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
