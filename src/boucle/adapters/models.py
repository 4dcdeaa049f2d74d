"""The models of routed versions: ONNX from the artifact store, all else behind the model host."""

from __future__ import annotations

from pathlib import Path

from boucle.adapters.host_client import HostedVersion
from boucle.adapters.onnx_runtime import OnnxGraph
from boucle.core.routes import RoutedVersion
from boucle.serving.ports import LocalArtifacts


class StoredModels:
    """Makes models, not loaded yet. The artifact's digest is verified whenever it is read."""

    def __init__(self, artifacts: LocalArtifacts, host_socket: Path) -> None:
        self._artifacts = artifacts
        self._host_socket = host_socket

    def graph(self, version: RoutedVersion) -> OnnxGraph:
        """Return the ONNX graph of a version. Raises NotFound or CorruptArtifact."""
        file = version.graph or version.model
        return OnnxGraph(self._artifacts.read(file.digest), version.signature)

    def hosted(self, name: str, version: RoutedVersion) -> HostedVersion:
        """Return the version behind the model host."""
        return HostedVersion(self._host_socket, name, version)
