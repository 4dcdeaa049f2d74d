"""deploy: from a model in a notebook to a version that answers, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from boucle.client.capture.code import Code
from boucle.client.capture.offer import Request, capture
from boucle.client.client import Client
from boucle.client.deployment import Deployment
from boucle.client.view import View, showing
from boucle.core.errors import Refused
from boucle.core.i18n import _
from boucle.core.signature import Task


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

    The first version that passes its build becomes champion; later ones wait as challengers. The same deploy
    repeated is the same version.

    Raises Refused with the cause and the cure when the model cannot be served, before anything is sent where that
    can be told here; what serves stays as it is.
    """
    client = client or Client()
    request = Request(
        model,
        name,
        example,
        target,
        task,
        answers,
        requirements,
        tuple(code or ()),
        metrics,
        params,
        tags,
        description,
        client.settings.author,
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
    view.done(_("{name} version {version} answers").format(name=version.name, version=version.number))
    return Deployment(client, client.version(version.name, version.number))
