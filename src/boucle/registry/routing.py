"""From the registry to the route table: which versions a gateway holds ready."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from boucle.core.routes import Route, RoutedVersion, RouteTable
from boucle.core.version import Version
from boucle.registry.model import RegisteredModel
from boucle.registry.ports import RegistryReader, VersionQuery


def route_table(reader: RegistryReader) -> RouteTable:
    """Return the routes of one moment: aliased versions, the rollback target, and those about to become ready."""
    building: dict[str, list[Version]] = defaultdict(list)
    for version in reader.versions(VersionQuery(state="building")):
        building[version.name].append(version)
    routes = tuple(_route(reader, model, building[model.name]) for model in reader.models())
    return RouteTable(reader.sequence(), tuple(route for route in routes if route.versions))


def _route(reader: RegistryReader, model: RegisteredModel, building: Iterable[Version]) -> Route:
    numbers = {*model.aliases.values(), *([model.previous] if model.previous is not None else [])}
    held = reader.versions(VersionQuery(model.name, tuple(sorted(numbers)))) if numbers else ()
    versions = [routed(version) for version in (*held, *building) if version.runtime is not None]
    return Route(model.name, dict(model.aliases), tuple(versions), model.description)


def routed(version: Version) -> RoutedVersion:
    """Return what it takes to load a version whose build found its runtime."""
    manifest = version.manifest
    return RoutedVersion(
        number=version.number,
        runtime=version.runtime or "python",
        format=manifest.format,
        model=manifest.model,
        schema=manifest.schema,
        signature=version.signature or manifest.signature,
        code=manifest.code,
        lock=version.lock,
        interpreter=version.interpreter,
        graph=version.graph,
    )
