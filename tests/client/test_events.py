"""A build followed over connections that end, break and go silent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from boucle.client.events import SILENCE_S, Follower
from boucle.client.wire import Wire
from boucle.core.check import Check
from boucle.core.document import to_json
from boucle.core.errors import NotFound, Unavailable
from boucle.core.schema import Schema
from boucle.core.signature import Signature
from boucle.core.version import Artifact, Manifest, Version
from client.platform import Quiet, problem, serving

CHECKS = tuple(Check(name, "pass") for name in ("artifacts", "environment", "load"))
MANIFEST = Manifest(
    Artifact("0" * 64, 1),
    "skops",
    trusted=True,
    schema=Schema(()),
    signature=Signature("pandas", (), "regression", "float"),
    python="3.11.7",
)
READY = Version("churn", 1, "ready", "0" * 64, MANIFEST, 0, "ada", CHECKS)


class Events(Quiet):
    """Answers each GET with the next script: a list of lines, or ``cut``, ``busy`` or ``gone``."""

    scripts: list[Any]
    after: list[int]

    def do_GET(self) -> None:  # noqa: N802  # http.server's name
        self.after.append(int(self.path.partition("after=")[2]))
        script = self.scripts.pop(0)
        if script == "busy":
            self.answer(503, problem("unavailable", "starting"))
        elif script == "gone":
            self.answer(404, problem("not-found", "There is no version 1."))
        else:
            self._lines(script)

    def _lines(self, script: list[Any]) -> None:
        body = b"".join(
            b"\n" if line is None else json.dumps(line).encode() + b"\n" for line in script if line != "cut"
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + ("cut" in script)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True


def line(index: int) -> dict[str, Any]:
    return {"index": index, "check": to_json(CHECKS[index])}


def followed(*scripts: Any) -> tuple[Version, list[str], list[int]]:
    """Follow a build told by scripts; return the version, the names of the checks heard, and where each began."""
    handler = type("Scripted", (Events,), {"scripts": list(scripts), "after": []})
    heard: list[str] = []
    with serving(handler) as url:
        wire = Wire(url)
        follower = Follower(wire, lambda check: heard.append(check.name), sleep=lambda _seconds: None)
        version = follower.follow("churn", 1)
        wire.http.close()
        after: list[int] = handler.after  # type: ignore[attr-defined]  # made above
    return version, heard, after


END = {"version": to_json(READY)}
NAMES = ["artifacts", "environment", "load"]


def test_each_check_is_heard_once_and_the_version_returned() -> None:
    version, heard, after = followed([line(0), line(1), None, line(2), END])
    assert (version, heard, after) == (READY, NAMES, [0])


def test_an_answer_that_ends_early_is_asked_for_again_from_there() -> None:
    _version, heard, after = followed([line(0), line(1)], [None], [line(2), END])
    assert (heard, after) == (NAMES, [0, 2, 2])


@pytest.mark.parametrize("fault", [[line(0), "cut"], "busy"], ids=["cut", "busy"])
def test_a_broken_connection_is_made_anew(fault: Any) -> None:
    _version, heard, _after = followed(fault, [*([] if fault != "busy" else [line(0)]), line(1), line(2), END])
    assert heard == NAMES


def test_a_version_that_is_not_there_is_told() -> None:
    with pytest.raises(NotFound, match="There is no version 1"):
        followed("gone")


def test_after_a_minute_of_silence_the_caller_is_told_that_the_build_goes_on() -> None:
    now = iter(range(0, 10_000, int(SILENCE_S / 3)))
    with serving(Quiet) as url:
        wire = Wire(url)
    follower = Follower(wire, lambda _check: None, sleep=lambda _seconds: None, clock=lambda: float(next(now)))
    with pytest.raises(Unavailable, match=r"The build goes on. Ask for it: boucle history churn"):
        follower.follow("churn", 1)
    assert isinstance(wire.http, httpx.Client)
