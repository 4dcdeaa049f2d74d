"""Version: an immutable, numbered model. The manifest is what the notebook sent; the rest is what the build found."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Optional

from boucle.core.check import Check
from boucle.core.document import digest_of
from boucle.core.errors import InvalidRequest
from boucle.core.gate import Gate, is_worse_than_naive
from boucle.core.i18n import _
from boucle.core.schema import Schema
from boucle.core.signature import Signature

ModelFormat = Literal["skops", "cloudpickle", "onnx"]
Runtime = Literal["onnx", "python"]
State = Literal["building", "ready", "failed"]
CHAMPION, CHALLENGER = "champion", "challenger"  # the aliases that the platform itself moves
NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")


def valid_name(name: str) -> str:
    """Return the name of a model or alias. Raises InvalidRequest unless it matches ``[a-z][a-z0-9-]{0,62}``."""
    if NAME.match(name):
        return name
    raise InvalidRequest(
        "invalid-name",
        _("Name {name!r} is not usable: 1 to 63 of a-z, 0-9 and '-', a letter first.").format(name=name[:80]),
    )


@dataclass(frozen=True)
class Artifact:
    """Bytes in the store, known by their sha256 in hexadecimal."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class CodeFile:
    """A local module that the model needs: ``path`` relative to the import root, such as ``shop/features.py``."""

    path: str
    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Manifest:
    """All that a notebook sends about a model. Its digest is the identity of the version.

    ``python`` is the full version of the notebook's interpreter; ``requirements`` are exact pins
    (``scikit-learn==1.9.1``); ``sample`` holds up to 1,000 rows as a stored Table and ``answers`` the model's own
    answers on them (columns ``prediction`` and, when told, ``probabilities``); ``reference`` holds up to 100,000
    rows with the target. ``trusted`` is True when the file can be loaded without running code of its author's.
    Of a window model (``schema.window``) the sample is a series of rows and there is one answer for each of its
    sliding windows. ``gate`` is what the metrics must keep for a promotion without a person's word.
    """

    model: Artifact
    format: ModelFormat
    trusted: bool
    schema: Schema
    signature: Signature
    python: str
    requirements: tuple[str, ...] = ()
    code: tuple[CodeFile, ...] = ()
    sample: Optional[Artifact] = None
    answers: Optional[Artifact] = None
    reference: Optional[Artifact] = None
    target: Optional[str] = None
    data_digest: Optional[str] = None
    model_class: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    author: str = ""
    gate: Optional[Gate] = None

    @property
    def is_worse_than_naive(self) -> bool:
        """True for a forecaster whose error is above that of the naive forecast: it is labelled so everywhere."""
        return is_worse_than_naive(self.metrics)

    def digest(self) -> str:
        """Return the identity: everything but who sent it and the words that describe it."""
        return digest_of(replace(self, author="", description="", tags={}))

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return every artifact the manifest names."""
        single = [a for a in (self.model, self.sample, self.answers, self.reference) if a is not None]
        return (*single, *(Artifact(f.digest, f.size_bytes) for f in self.code))


@dataclass(frozen=True)
class Version:
    """A version as the registry knows it. Times are UTC microseconds since 1970.

    ``runtime`` and ``reason`` say where it runs and why; ``lock`` is the artifact of its hash-locked requirements;
    ``interpreter`` the minor version it runs on (``3.11``); ``signature`` is the manifest's, completed by the build
    (tensors of an ONNX file, classes); ``graph`` is the ONNX file that the build made of the model and proved. They
    are None until the build told them.
    """

    name: str
    number: int
    state: State
    digest: str
    manifest: Manifest
    created_at: int
    author: str
    checks: tuple[Check, ...] = ()
    runtime: Optional[Runtime] = None
    reason: str = ""
    interpreter: Optional[str] = None
    lock: Optional[Artifact] = None
    signature: Optional[Signature] = None
    graph: Optional[Artifact] = None
    job: Optional[str] = None
    isolation: str = "none"

    @property
    def passed_gate(self) -> bool:
        """True when the version has no gate, or its build saw that every bound of it is kept."""
        return self.manifest.gate is None or any(
            check.name == "gate" and check.status == "pass" for check in self.checks
        )
