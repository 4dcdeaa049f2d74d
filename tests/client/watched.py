"""A watched model for the tests of the client and the commands: the real control plane over memory, with a report and
rows made by hand, and a gateway that reads ground truth the way the real one does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvicorn

from boucle.adapters.memory.truths import MemoryTruthStore
from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import BoucleError, InvalidRows, NotFound, RowProblem
from boucle.core.report import ColumnReport, Histogram, Metric, Quality, Report, Span, Traffic
from boucle.core.table import Column, Table
from boucle.core.traffic import ModelTraffic
from boucle.gateway.feedback import read_truth
from boucle.gateway.problems import problem
from boucle.loop.exploring import LogQuery, TooManyRows
from boucle.loop.reports import ReportQuery
from boucle.monitoring.ports import Judged
from boucle.serving.limits import Limits
from boucle.web.app import create_app
from client.platform import Quiet, serving
from web.made_up import World

HOUR = 3_600_000_000
NOON = 1_777_896_000_000_000  # 2026-05-04 12:00 UTC
ID = "01900000-0000-7000-8000-000000000000"
MOVED = Check("drift:price", "fail", observed="price moved <up>", evidence={"p_value": 1e-12})
ALERT = Alert("a1", "churn", 1, MOVED, "critical", NOON - HOUR, NOON, owner="ada")
PRICE = ColumnReport(
    "price", "fail", 1e-12, 1.3, 0.4, 0.61, 0.5, 0.02, 0.01,
    Histogram(("0 … 1", "1 … 2"), (0.75, 0.25), (0.25, 0.75), (0.0, 1.0, 2.0)), (MOVED,), NOON - 2 * HOUR,
)  # fmt: skip
CITY = ColumnReport("city", "pass", 0.4, None, 0.01, 0.02, None)
REPORT = Report(
    "churn", 1, Span(NOON - 24 * HOUR, NOON), NOON, 20_000, 12_345,
    summary=("One alert is open.", "1 of 2 columns moved: price."),
    checks=(Check("drift", "fail", observed="1 of 2 columns moved: price"), MOVED),
    columns=(PRICE, CITY),
    quality=Quality((Metric("accuracy", 0.81, 0.83, 0.9, 0.79, 0.83),), 0.4, 4_938, 86_400.0, 3),
    traffic=Traffic(12_345, 900, 3, 1, 4.2, 19.5, 0, ((NOON - 2 * HOUR, 10, 0), (NOON - HOUR, 20, 1))),
    alerts=(ALERT,),
)  # fmt: skip
SAME = Check("drift", "pass", observed="none of 2 columns moved", evidence={"n_parts": 2})
CALM = replace(REPORT, summary=("Nothing moved: the window is like its reference.",), checks=(SAME,), columns=(CITY,))
ROWS = Table(
    {
        "prediction_id": Column("text", np.array([f"{ID}:0", f"{ID}:1"], dtype=object)),
        "at": Column("datetime", np.array(["2026-05-04T10:00", "NaT"], dtype="datetime64[us]")),
        "version": Column("int", np.array([1, 1])),
        "price": Column("float", np.array([2.5, np.nan])),
        "rooms": Column("int", np.array([3, 0]), np.array([False, True])),
        "is_new": Column("bool", np.array([True, False]), np.array([False, True])),
        "city": Column("text", np.array(["Lyon", None], dtype=object)),
        "truth": Column("text", np.array([None, "stays"], dtype=object)),
    }
)


@dataclass
class Watched:
    """What the platform was asked, and what it answers."""

    memory: WatchedMemory = field(default_factory=WatchedMemory)
    reports: list[ReportQuery] = field(default_factory=list)
    logs: list[LogQuery] = field(default_factory=list)
    truths: list[dict[str, Any]] = field(default_factory=list)
    n_bodies: int = 0
    report: Report = REPORT
    rows: Table = ROWS
    url: str = ""
    gateway_url: str = ""

    @property
    def store(self) -> MemoryWatchStore:
        """Policies and alerts."""
        return MemoryWatchStore(self.memory)

    def made(self, query: ReportQuery) -> Report:
        """Answer with the report, in the window that was asked."""
        if query.model != "churn":
            raise NotFound("model", query.model, ["churn"])
        self.reports.append(query)
        if query.slice and query.slice not in self.store.policy(query.model).slices:
            raise NotFound("slice", query.slice, self.store.policy(query.model).slices)
        return replace(self.report, against="reference" if query.against is None else "window", slice=query.slice)

    def found(self, query: LogQuery) -> Table:
        """Answer with the rows; too many before 2020."""
        self.logs.append(query)
        if query.window.start < 1_577_836_800_000_000:
            raise TooManyRows(1_000_001, 1_000_000)
        return self.rows


class FewRequests:
    """What the gateway counted."""

    def read(self) -> dict[str, ModelTraffic]:
        """Return the counts of one model."""
        return {"churn": ModelTraffic(903, 4, 30, 120, (10, 20), 4.2, 19.5)}


class Gateway(Quiet):
    """Takes ground truth as the real one does."""

    watched: Watched

    def do_POST(self) -> None:  # noqa: N802  # the name that http.server calls
        assert urlsplit(self.path).path == "/models/churn/feedback"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.watched.n_bodies += 1
        try:
            told = read_truth(body, self.headers["Content-Type"], Limits())
            if not told.accepted:
                found = [RowProblem("invalid-truth", "", detail, row=i) for i, _id, detail in told.rejected[:20]]
                raise InvalidRows(found, len(told.rejected))
        except BoucleError as error:
            wrong = problem(error, "r1")
            self.answer(wrong.status, json.loads(wrong.body))
            return
        self.watched.truths += told.accepted
        rejected = [{"id": given, "detail": detail} for _place, given, detail in told.rejected[:20]]
        self.answer(202, {"accepted": len(told.accepted), "rejected": rejected, "n_rejected": len(told.rejected)})


@contextmanager
def watching() -> Iterator[Watched]:
    """Run the platform with one model, ``churn``, that has an open alert."""
    watched = Watched()
    watched.store.judged(Judged("churn", {}, alerts=(ALERT,)))
    with serving(type("Watching", (Gateway,), {"watched": watched})) as gateway_url:
        watched.gateway_url = gateway_url
        with _control(watched):
            yield watched


@contextmanager
def _control(watched: Watched) -> Iterator[None]:
    world = World(now_us=NOON, gateway_url=watched.gateway_url)
    world.ready("churn", world.manifest())
    plane = world.plane(
        watching=watched.store,
        truths=MemoryTruthStore(watched.memory),
        reports=watched.made,
        rows=watched.found,
        traffic=FewRequests(),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    watched.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(plane), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
