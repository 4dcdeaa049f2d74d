"""A model host with real worker processes, run by the interpreter of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import cloudpickle

import misbehaving
from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.adapters.model_process import ModelProcess
from boucle.core.routes import RoutedVersion
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Input, Signature
from boucle.serving.host import ModelHost
from boucle.serving.worker_slot import HostOptions, HostWorld

SCHEMA = Schema((ColumnSchema("x", "float", minimum=-10.0, maximum=10.0, example=1.0),))
SIGNATURE = Signature("records", (Input("x", "float", "float"),), "regression", "float")


class TheseLibraries:
    """The environment that the tests run in, whatever the lock."""

    def __init__(self) -> None:
        self.locks: list[str] = []

    def ensure(self, lock: str, interpreter: str) -> Path:
        self.locks.append(lock)
        return Path(sys.executable)


def obedient(artifacts: MemoryArtifacts, number: int = 1) -> RoutedVersion:
    """Store the model that behaves as its rows say, and return its routed version."""
    cloudpickle.register_pickle_by_value(misbehaving)
    model = artifacts.write(cloudpickle.dumps(misbehaving.Obedient()))
    lock = artifacts.write(b"# nothing\n")
    return RoutedVersion(number, "python", "cloudpickle", model, SCHEMA, SIGNATURE, lock=lock, interpreter="3.11")


def host(artifacts: MemoryArtifacts, logs: Path, grace_s: float = 60.0) -> ModelHost:
    """Return a host, not serving yet."""
    return ModelHost(HostWorld(TheseLibraries(), artifacts, ModelProcess), HostOptions(logs), grace_s)
