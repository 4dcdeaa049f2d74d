"""The arguments of ``deploy``, as given, and what they mean: window, tensors, gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Optional, get_args

from boucle.client.capture.code import Code
from boucle.core.document import from_json
from boucle.core.errors import InvalidRequest, NotFound, shown
from boucle.core.gate import Gate, read_gate
from boucle.core.i18n import _
from boucle.core.signature import Input, Task, Tensor, TimeUnit
from boucle.core.version import valid_name
from boucle.core.window import Window

Promotion = Literal["by-hand", "by-gate"]
TASKS = get_args(Task)
UNITS = get_args(TimeUnit)


@dataclass(frozen=True, eq=False)
class Request:
    """The arguments of ``deploy``, as given; those of type Any are read by the functions below."""

    model: Any
    name: str
    example: Any
    target: Any = None
    task: Optional[Task] = None
    answers: Any = None
    window: Any = None
    tensors: Any = None
    interval_level: Any = None
    gate: Any = None
    promotion: Promotion = "by-hand"
    requirements: Optional[Sequence[str]] = None
    code: Sequence[Code] = ()
    metrics: Optional[Mapping[str, Any]] = None
    params: Optional[Mapping[str, Any]] = None
    tags: Optional[Mapping[str, Any]] = None
    description: str = ""
    author: str = ""


def require_usable(request: Request) -> None:
    """Raise InvalidRequest for a word or a number that no deploy could use, before the rows are read."""
    valid_name(request.name)
    if request.task is not None and request.task not in TASKS:
        raise InvalidRequest(
            "unusual-task",
            _("task is {found}, expected one of: {tasks}").format(found=shown(request.task), tasks=", ".join(TASKS)),
        )
    level = request.interval_level
    if level is not None and not (isinstance(level, (int, float)) and 0 < level < 1):
        raise InvalidRequest(
            "unusual-interval",
            _("interval_level is {found}, expected a share between 0 and 1, such as 0.9.").format(found=shown(level)),
        )
    if level is not None and request.task == "classification":
        raise InvalidRequest(
            "unusual-interval", _("interval_level belongs to a regression: a classification answers probabilities.")
        )
    gate_of(request)
    window_of(request)


def window_of(request: Request) -> Optional[Window]:
    """Return the window told, a Window or a dict of its fields. Raises InvalidDocument naming the field."""
    told = request.window
    if told is None or isinstance(told, Window):
        return told
    return from_json(Window, dict(told) if isinstance(told, Mapping) else told)


def gate_of(request: Request) -> Optional[Gate]:
    """Return the gate told, None without one. Raises InvalidRequest for a bound that cannot be read."""
    if request.promotion not in get_args(Promotion):
        raise InvalidRequest(
            "unusual-gate",
            _("promotion is {found}, expected one of: {words}").format(
                found=shown(request.promotion), words=", ".join(get_args(Promotion))
            ),
        )
    if request.gate is not None and not isinstance(request.gate, Mapping):
        raise InvalidRequest(
            "unusual-gate",
            _("gate is {found}, expected a dict: {{'loss': '<= 0.5'}}").format(found=shown(request.gate)),
        )
    if request.gate:
        return read_gate(request.gate, promotes=request.promotion == "by-gate")
    if request.promotion == "by-gate":
        raise InvalidRequest(
            "unusual-gate", _("promotion='by-gate' needs a gate with at least one bound: gate={'loss': '<= 0.5'}")
        )
    return None


def tensors_of(request: Request, inputs: Sequence[Input]) -> Optional[tuple[Tensor, ...]]:
    """Return the tensors told with their columns; dtype and shape stay empty, the build reads them off the file.

    Raises NotFound for a column that the example has not.
    """
    if request.tensors is None:
        return None
    if not isinstance(request.tensors, Mapping) or not request.tensors:
        raise InvalidRequest(
            "unusual-tensors",
            _("tensors is {found}, expected a dict: {{'ohlc': ['open', 'high', 'low', 'close']}}").format(
                found=shown(request.tensors)
            ),
        )
    names = [item.name for item in inputs]
    return tuple(_tensor(name, told, names) for name, told in request.tensors.items())


def _tensor(name: str, told: Any, names: Sequence[str]) -> Tensor:
    words = [told] if isinstance(told, str) else list(told) if isinstance(told, (list, tuple)) else []
    unit: Any = None
    if len(words) == 2 and words[1] in UNITS and words[1] not in names:
        unit = words.pop()
    if not words or not all(isinstance(word, str) for word in words):
        raise InvalidRequest(
            "unusual-tensors",
            _("Tensor {name} takes {found}, expected a column, a list of columns, or (column, unit) for dates.").format(
                name=shown(name), found=shown(told)
            ),
        )
    strangers = [word for word in words if word not in names]
    if strangers:
        cure = _("A column of dates is told with one of the units: {units}.").format(units=", ".join(UNITS))
        raise NotFound(_("column"), strangers[0], names, cure)
    return Tensor(str(name), "", (), tuple(words), unit)
