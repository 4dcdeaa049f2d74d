"""deploy: from a model in a notebook to a version that answers, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from boucle.client.capture.code import Code
from boucle.client.capture.offer import capture
from boucle.client.capture.request import Promotion, Request
from boucle.client.card import gate_broken
from boucle.client.client import Client
from boucle.client.deployment import Deployment
from boucle.client.view import View, showing
from boucle.core.errors import Refused
from boucle.core.i18n import _
from boucle.core.signature import Task
from boucle.core.version import CHAMPION, Version
from boucle.core.window import Window


def deploy(
    model: Any,
    name: str,
    *,
    example: Any,
    target: Any = None,
    task: Optional[Task] = None,
    description: str = "",
    metrics: Optional[Mapping[str, float]] = None,
    params: Optional[Mapping[str, Any]] = None,
    tags: Optional[Mapping[str, str]] = None,
    requirements: Optional[Sequence[str]] = None,
    code: Optional[Sequence[Code]] = None,
    answers: Any = None,
    window: Union[Window, Mapping[str, Any], None] = None,
    tensors: Optional[Mapping[str, Any]] = None,
    interval_level: Optional[float] = None,
    gate: Optional[Mapping[str, str]] = None,
    promotion: Promotion = "by-hand",
    client: Optional[Client] = None,
) -> Deployment:
    """Deploy a fitted model and return once it answers.

    ``model``: anything with ``predict`` (preprocessing included), a function of rows, or an ONNX file (path, bytes or
    ModelProto). ``example``: raw rows as callers will send them, up to the whole training table, from pandas,
    polars, pyarrow, a numpy matrix, a list of dicts or a dict of lists. ``target``: a column of ``example`` (taken
    out of the rows) or one value for each row. ``task``: ``classification`` or ``regression``, found out when not
    given. ``requirements``: exact pins instead of those found. ``code``: modules, files or folders to carry
    beside those found. ``answers``: for ONNX files, the predictions expected on the example, or a pair of them
    and probabilities. ``client``: another platform than the one found.

    For ONNX files that answer once for many rows, as forecasters do: ``window`` says how rows become windows
    (``{"rows": 120, "order_by": "timestamp"}``, see ``boucle.core.window.Window``), ``tensors`` which columns feed
    which input (``{"timestamp": ("timestamp", "ms"), "ohlc": ["open", "high", "low", "close"]}``; the unit is what
    dates count since 1970), and ``answers`` are then those to the last windows of the example: predictions or a
    pair of them and intervals (n, 2). ``interval_level`` is the share of outcomes that the intervals are made to hold.

    ``gate``: what ``metrics`` must keep, such as ``{"loss": "<= 0.5"}``. The first version that passes its build and
    keeps its gate becomes champion; others wait as challengers for a person, or, with ``promotion="by-gate"``,
    become champion by themselves when they keep it. The same deploy repeated is the same version.

    Raises Refused with the cause and the cure when the model cannot be served, before anything is sent where that
    can be told here; what serves stays as it is.
    """
    client = client or Client()
    request = Request(
        model,
        name,
        example,
        target=target,
        task=task,
        answers=answers,
        window=window,
        tensors=tensors,
        interval_level=interval_level,
        gate=gate,
        promotion=promotion,
        requirements=requirements,
        code=tuple(code or ()),
        metrics=metrics,
        params=params,
        tags=tags,
        description=description,
        author=client.settings.author,
    )
    with showing(_("Deploying {name}").format(name=name)) as view:
        return submit(client, request, view)


def submit(client: Client, request: Request, view: View) -> Deployment:
    """Capture, send, follow the build, wait for the gateway. Raises Refused with the checks that failed."""
    offer = capture(request, view.stage)
    client.start_if_silent(view.stage)
    view.stage(_("Sending to {url}").format(url=client.url))
    client.upload(offer.blobs, view.uploading)
    version = client.register(request.name, offer.manifest)
    stage = _("Building version {version}") if version.state == "building" else _("Version {version} is there already")
    view.stage(stage.format(version=version.number))
    version = client.follow(version, view.check)
    if version.state == "failed":
        raise Refused(version.name, version.number, version.checks)
    view.stage(_("Waiting until the gateway holds it"))
    client.await_served(version)
    deployment = Deployment(client, client.version(version.name, version.number))
    view.done(_closing(version, deployment.aliases))
    return deployment


def _closing(version: Version, aliases: Sequence[str]) -> str:
    """Return the last line: the version answers, or what keeps it from answering everybody."""
    told = {"name": version.name, "version": version.number, "broken": gate_broken(version)}
    if version.passed_gate and not aliases:
        return _(
            "{name} version {version} is ready, but no alias points at it; promote it yourself with: "
            "boucle promote {name} {version}"
        ).format(**told)
    if version.passed_gate or CHAMPION in aliases:
        return _("{name} version {version} answers").format(**told)
    return _(
        "{name} version {version} is ready, not promoted: {broken}; promote it yourself with: "
        "boucle promote {name} {version}"
    ).format(**told)
