"""RouteTable: one sequenced document with all that the gateway needs, published by the registry, kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.version import Artifact, CodeFile, ModelFormat, Runtime


@dataclass(frozen=True)
class RoutedVersion:
    """What it takes to load one version and answer with it.

    ``graph`` is the ONNX file made of a model that came in another format; the gateway runs it.
    """

    number: int
    runtime: Runtime
    format: ModelFormat
    model: Artifact
    schema: Schema
    signature: Signature
    code: tuple[CodeFile, ...] = ()
    lock: Optional[Artifact] = None
    interpreter: Optional[str] = None
    graph: Optional[Artifact] = None


@dataclass(frozen=True)
class Route:
    """One registered model: where each alias points, and the versions to hold ready.

    A version without an alias is loaded and warmed but answers nobody: it is about to become ready, or it is the
    champion of before, kept for a rollback at once.
    """

    name: str
    aliases: dict[str, int] = field(default_factory=dict)
    versions: tuple[RoutedVersion, ...] = ()
    description: str = ""

    def version(self, number: int) -> Optional[RoutedVersion]:
        """Return the routed version of that number, or None."""
        return next((version for version in self.versions if version.number == number), None)


@dataclass(frozen=True)
class RouteTable:
    """All routes at one moment. ``sequence`` grows with each change, and falls only when the
    registry was restored: a table with another one replaces what a gateway holds."""

    sequence: int
    routes: tuple[Route, ...] = ()

    def route(self, name: str) -> Optional[Route]:
        """Return the route of a model, or None."""
        return next((route for route in self.routes if route.name == name), None)
