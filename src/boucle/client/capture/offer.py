"""A deploy as it leaves the notebook: the manifest, and the bytes it names by digest."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Callable, Optional

import numpy as np

from boucle.client.capture.answers import Answered, ask
from boucle.client.capture.code import find_code
from boucle.client.capture.facts import author_of, metrics_of, params_of, tags_of
from boucle.client.capture.onnx_file import describe, onnx_bytes, unused_columns
from boucle.client.capture.request import Request, gate_of, require_usable, window_of
from boucle.client.capture.requirements import find_requirements
from boucle.client.capture.rows import Rows, candidates, read_values
from boucle.client.capture.serialise import Serialised, serialise
from boucle.client.capture.series import newest_rows
from boucle.core import schema
from boucle.core.check import Check
from boucle.core.errors import NotFound, Refused
from boucle.core.i18n import _
from boucle.core.signature import Signature
from boucle.core.table import Table
from boucle.core.version import Artifact, CodeFile, Manifest
from boucle.core.window import Window, require_window
from boucle_worker.frames import Column

MAX_REFERENCE = 100_000
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Offer:
    """``blobs`` are the bytes of each artifact of the manifest, by digest."""

    manifest: Manifest
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Packed:
    """The model and all that its environment needs."""

    data: bytes
    format: Any
    trusted: bool
    requirements: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def capture(request: Request, tell: Tell) -> Offer:
    """Return what a deploy sends. ``tell`` hears each stage as it begins; nothing leaves this process.

    Raises Refused when the model cannot answer its own rows, InvalidRequest for what cannot be carried.
    """
    require_usable(request)
    tell(_("Reading the example"))
    containers = candidates(request.example)
    target_name, target = _target(request.target, containers[0])
    if target_name is not None and isinstance(request.target, str):
        containers = tuple(rows.without(target_name) for rows in containers)
    data = onnx_bytes(request.model)
    if data is not None:
        return _onnx_offer(request, data, _used(request, containers[0], tell), target_name, target)
    _require_plain(request)
    return _python_offer(request, containers, target_name, target, tell)


def _python_offer(
    request: Request, containers: tuple[Rows, ...], target_name: Optional[str], target: Optional[Column], tell: Tell
) -> Offer:
    unknown = _unknown_columns(request.model, containers[0])
    if unknown:
        tell(_("Leaving out what the model was not fitted on: {names}").format(names=", ".join(unknown)))
        containers = tuple(reduce(Rows.without, unknown, rows) for rows in containers)
    tell(_("Asking the model about its own rows"))
    answered = ask(request.model, request.name, containers, request.task)
    tell(_("Gathering code and requirements"))
    packed = _pack(request, answered)
    sample = answered.rows.table.take(answered.positions)
    facts = _facts(request, answered.rows, target_name, target)
    return _offer(packed, facts, answered.signature, sample, answered.answers)


def _unknown_columns(model: Any, rows: Rows) -> list[str]:
    """Return the columns that the model was not fitted on (a target left in the example): nobody shall send them.

    None when the model does not know its columns, or lacks one of them: then it is asked with all there are.
    """
    fitted = getattr(model, "feature_names_in_", None)
    known = set() if fitted is None else set(np.asarray(fitted).tolist())
    if not known or not known.issubset(rows.table.names):
        return []
    return [name for name in rows.table.names if name not in known]


def _require_plain(request: Request) -> None:
    """Raise Refused for what only the graph of an ONNX file can do."""
    asked = {"window": request.window, "tensors": request.tensors, "interval_level": request.interval_level}
    told = [word for word, value in asked.items() if value is not None]
    if not told:
        return
    observed = _("{words} was told, but {type} is no ONNX file: a model in Python answers row by row, one value each")
    cure = _(
        "Export the model with its preparation as one ONNX graph (torch.onnx.export) and deploy that file, or leave "
        "out {words}."
    )
    words = ", ".join(told)
    found = observed.format(words=words, type=type(request.model).__qualname__)
    check = Check("window", "fail", found, _("an ONNX file"), cure.format(words=words))
    raise Refused(request.name, 0, [check])


def _used(request: Request, rows: Rows, tell: Tell) -> Rows:
    """Return the rows less what the tensors told do not take: nobody shall send it."""
    unused = unused_columns(request, rows)
    if unused:
        tell(_("Leaving out what the file does not take: {names}").format(names=", ".join(unused)))
    rows = reduce(Rows.without, unused, rows)
    window = window_of(request)
    if window is not None:
        require_window(window, {item.name: item.kind for item in rows.inputs})
    return rows


def _onnx_offer(
    request: Request, data: bytes, rows: Rows, target_name: Optional[str], target: Optional[Column]
) -> Offer:
    described = describe(data, rows, request)
    facts = _facts(request, rows, target_name, target)
    packed = _Packed(data, "onnx", trusted=True)
    return _offer(packed, facts, described.signature, described.sample, described.answers)


def _pack(request: Request, answered: Answered) -> _Packed:
    stored = serialise(request.model, _is_same(answered))
    found = find_code(stored.modules, request.code)
    if request.requirements is not None:
        requirements = tuple(request.requirements)
    else:
        requirements = find_requirements({*found.imported, *_always(stored, answered.signature)})
    return _Packed(stored.data, stored.format, stored.trusted, requirements, found.files)


def _always(stored: Serialised, signature: Signature) -> set[str]:
    """Return the modules that every worker of such a model needs: numpy, the container's library, the reader's."""
    names = {"numpy"} | ({signature.feed} if signature.feed in ("pandas", "polars", "pyarrow") else set())
    if any("pyarrow" in item.dtype for item in signature.inputs):
        names.add("pyarrow")
    return names | {stored.format}


def _is_same(answered: Answered) -> Callable[[Any], bool]:
    def is_same(model: Any) -> bool:
        again = ask(model, "", (answered.rows,), answered.signature.task)
        return again.answers.digest() == answered.answers.digest()

    return is_same


def _target(target: Any, rows: Rows) -> tuple[Optional[str], Optional[Column]]:
    """Return the name and the values of the target: a column of the example, or values beside it."""
    if target is None:
        return None, None
    if isinstance(target, str):
        if target not in rows.table.columns:
            cure = _("Name a column of the example, or give the values.")
            raise NotFound(_("column"), target, rows.table.names, cure)
        return target, rows.table.columns[target]
    own = getattr(target, "name", None)
    name = own if isinstance(own, str) and own and own not in rows.table.columns else "target"
    while name in rows.table.columns:
        name += "_"
    return name, read_values(name, target, rows.table.n_rows)


@dataclass(frozen=True, eq=False)
class _Facts:
    """The manifest's plain fields, and the reference rows."""

    reference: Table
    fields: dict[str, Any]


def _facts(request: Request, rows: Rows, target_name: Optional[str], target: Optional[Column]) -> _Facts:
    table = rows.table
    whole = table if target is None or target_name is None else Table({**table.columns, target_name: target})
    window = window_of(request)
    fields = {
        "schema": replace(schema.infer(table), window=window),
        "python": platform.python_version(),
        "target": target_name,
        "data_digest": whole.digest(),
        "model_class": _class_name(request.model),
        "metrics": metrics_of(request.metrics),
        "params": params_of(request.model, request.params),
        "tags": tags_of(request.tags),
        "description": request.description,
        "author": author_of(request.author),
        "gate": gate_of(request),
    }
    return _Facts(_reference(whole, window), fields)


def _reference(whole: Table, window: Optional[Window]) -> Table:
    """Return at most 100,000 rows: drawn by chance, of a series the newest."""
    if whole.n_rows <= MAX_REFERENCE:
        return whole
    if window is not None:
        return newest_rows(whole, window, MAX_REFERENCE)
    return whole.take(np.sort(np.random.default_rng(0).choice(whole.n_rows, MAX_REFERENCE, replace=False)))


def _class_name(model: Any) -> str:
    if isinstance(model, (str, bytes, bytearray)) or hasattr(model, "parts"):
        return ""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _offer(packed: _Packed, facts: _Facts, signature: Signature, sample: Table, answers: Optional[Table]) -> Offer:
    blobs: dict[str, bytes] = {}

    def stored(data: bytes) -> Artifact:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return Artifact(digest, len(data))

    def code_file(path: str, data: bytes) -> CodeFile:
        artifact = stored(data)
        return CodeFile(path, artifact.digest, artifact.size_bytes)

    manifest = Manifest(
        model=stored(packed.data),
        format=packed.format,
        trusted=packed.trusted,
        signature=signature,
        requirements=packed.requirements,
        code=tuple(code_file(path, data) for path, data in sorted(packed.files.items())),
        sample=stored(sample.to_bytes()),
        answers=None if answers is None else stored(answers.to_bytes()),
        reference=stored(facts.reference.to_bytes()),
        **facts.fields,
    )
    return Offer(manifest, blobs)
