"""What is watched of a model, over HTTP: its log, ground truth, reports, alerts and policy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Callable, Optional, Union

import httpx

from boucle.client.feedback import Entry, Feedback, Sending
from boucle.client.moments import moment_us, span_s, window_text
from boucle.client.pace import Pace
from boucle.client.problems import error_of
from boucle.client.wire import Wire
from boucle.core.alert import Alert
from boucle.core.document import from_json, to_json
from boucle.core.errors import InvalidRequest, TooSlow
from boucle.core.i18n import _
from boucle.core.report import Report
from boucle.core.table import Table
from boucle.core.version import valid_name
from boucle.core.watching import WatchPolicy

PATIENCE = httpx.Timeout(300.0, connect=5.0)  # a window of a million rows is read before its first byte leaves
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """A window as people say it (see ``moment_us``), None for what the platform then chooses; and what of it."""

    since: Any = None
    until: Any = None
    version: Optional[int] = None
    against: Any = None
    slice: str = ""
    limit: Optional[int] = None

    def query(self, now_us: int) -> dict[str, Any]:
        """Return the parameters of the request. Raises InvalidRequest for a time that is none."""
        since, until = moment_us(self.since, now_us), moment_us(self.until, now_us, "until")
        if since is not None and until is not None and since >= until:
            raise InvalidRequest(
                "unusual-time",
                _("The window ends before it begins: since {since} is not before until {until}.").format(
                    since=self.since, until=self.until
                ),
            )
        told = {
            "since": since,
            "until": until,
            "version": self.version,
            "against": window_text(self.against, now_us),
            "slice": self.slice or None,
            "limit": self.limit,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class Watching:
    """The watched side of the platform. ``gateway`` is asked for only when something goes there."""

    control: Wire
    gateway: Callable[[], Wire]
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000

    def log(self, name: str, asked: Asked) -> Table:
        """Return the rows of a window, with answers and ground truth. Raises TooLarge beyond a million rows."""
        with Pace() as pace:
            return Table.from_bytes(b"".join(shown(self.download(name, "log", asked, format="table"), pace)))

    def download(self, name: str, document: str, asked: Asked, **more: str) -> Download:
        """Return ``log`` or ``report.html`` of a model, to be iterated over."""
        path = f"/api/v1/models/{valid_name(name)}/{document}"
        return Download(self.control, path, {**asked.query(self.now_us()), **more})

    def feedback(self, name: str, entries: Sequence[Entry]) -> Feedback:
        """Send ground truth. Raises InvalidRows when none of it is accepted."""
        path, headers = f"/models/{valid_name(name)}/feedback", {"Content-Type": "application/json"}

        def post(body: bytes) -> dict[str, Any]:
            answer: dict[str, Any] = self.gateway().checked("POST", path, content=body, headers=headers).json()
            return answer

        with Pace() as pace:
            return Sending(post, pace).send(entries)

    def report(self, name: str, asked: Asked) -> Report:
        """Return the report of a window."""
        query = asked.query(self.now_us())
        path = f"/api/v1/models/{valid_name(name)}/report"
        return from_json(Report, self.control.checked("GET", path, params=query, timeout=PATIENCE).json())

    def truths(self, name: str) -> dict[str, Any]:
        """Return how many outcomes found their answer: joined, waiting, unknown, and the first unknown ids."""
        found: dict[str, Any] = self.control.get(f"/api/v1/models/{valid_name(name)}/truths")
        return found

    def alerts(self, name: Optional[str], is_open: Optional[bool], limit: int = 100) -> list[Alert]:
        """Return the alerts of a model, of all without a name, the newest first."""
        query: dict[str, Any] = {"limit": limit, **({} if is_open is None else {"open": is_open})}
        path = "/api/v1/alerts" if name is None else f"/api/v1/models/{valid_name(name)}/alerts"
        return [from_json(Alert, one) for one in self.control.get(path, **query)["alerts"]]

    def policy(self, name: str) -> WatchPolicy:
        """Return how a model is watched."""
        return from_json(WatchPolicy, self.control.get(f"/api/v1/models/{valid_name(name)}/watch"))

    def save(self, name: str, policy: WatchPolicy) -> WatchPolicy:
        """Say how a model is watched. Raises InvalidRequest naming the member that is wrong."""
        path = f"/api/v1/models/{valid_name(name)}/watch"
        try:
            return from_json(WatchPolicy, self.control.checked("PUT", path, json=to_json(policy)).json())
        except UnicodeEncodeError as error:
            text = _("A text of the policy holds half a character ({found}), which is no text. Write it anew in UTF-8.")
            found = ascii(error.object[error.start : error.end])
            raise InvalidRequest("unusual-option", text.format(found=found)) from error

    def silence(self, name: str, length: Union[str, float], check: str, reason: str) -> WatchPolicy:
        """Tell nobody of alerts for a while: a span such as ``"2h"``, or seconds."""
        seconds = span_s(length) if isinstance(length, str) else length
        if not seconds or seconds < 1:
            text = _("{text} is no length of time. Write for example: 30min, 2h, 7d")
            raise InvalidRequest("unusual-time", text.format(text=str(length)[:80]))
        document = {"for_s": round(seconds), "check": check, "reason": reason}
        return from_json(WatchPolicy, self.control.post(f"/api/v1/models/{valid_name(name)}/silences", document))


def changed(policy: WatchPolicy, members: dict[str, Any]) -> WatchPolicy:
    """Return a policy with some members changed; lists become tuples. Raises InvalidRequest for an unknown member.

    >>> changed(WatchPolicy(), {"slices": ["city=Lyon"]}).slices
    ('city=Lyon',)
    """
    names = [item.name for item in fields(WatchPolicy)]
    for name in members:
        if name not in names:
            text = _("A policy has no {name}. It has: {names}")
            raise InvalidRequest("unusual-option", text.format(name=name, names=", ".join(names)))
    plain: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in members.items()
    }
    return replace(policy, **plain)


@dataclass
class Download:
    """The body of an answer, in pieces as they come; iterate once. ``n_rows`` and ``n_bytes`` are known from then on.

    Raises the BoucleError that the answer tells, Unavailable when the connection breaks, TooSlow after five minutes
    of silence.
    """

    wire: Wire
    path: str
    query: dict[str, Any]
    n_rows: Optional[int] = None
    n_bytes: Optional[int] = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self.wire.http.stream("GET", self.path, params=self.query, timeout=PATIENCE) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                self.n_rows = _number(response.headers.get("X-Boucle-Rows"))
                self.n_bytes = _number(response.headers.get("Content-Length"))
                yield from response.iter_bytes()
        except httpx.ReadTimeout as error:
            raise TooSlow(self.wire.url, PATIENCE.read or 0.0) from error
        except httpx.TransportError as error:
            raise self.wire.unreachable(error) from error


def shown(download: Download, pace: Pace) -> Iterator[bytes]:
    """Yield the pieces of a download as they come, telling how much is here."""
    here = 0
    for piece in download:
        here += len(piece)
        total = download.n_bytes
        text = _("{n:.1f} MB are here") if total is None else _("{n:.1f} of {total:.1f} MB are here")
        pace.tell(text.format(n=here / MEGABYTE, total=(total or 0) / MEGABYTE))
        yield piece


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text is not None and text.isdigit() else None
