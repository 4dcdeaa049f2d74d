"""Periodic reports: their schedules follow the policies, their files stay on a shelf, their mails arrive."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from boucle.adapters.memory.jobs import MemoryJobStore, MemoryScheduleStore
from boucle.adapters.sql import SqlJobStore, SqlWatchStore
from boucle.bootstrap.reporting import report_job
from boucle.core.errors import NotFound, Unavailable
from boucle.core.report import Report, Span
from boucle.core.watching import WatchPolicy
from boucle.jobs.context import JobContext
from boucle.jobs.job import ClaimRequest, JobQuery
from boucle.loop.collect import Collector
from boucle.loop.periodic import MOST_KEPT, PREFIX, Shelf, keep_in_step, letter
from boucle.registry.model import BuildFound
from boucle.settings import Settings
from loop.collecting import NOON, Platform

MINUTE = 60_000_000
DAILY = WatchPolicy(report_cron="30 6 * * *", report_zone="Europe/Paris")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """A platform whose model answers."""
    made = Platform(tmp_path)
    made.registry.found("shop", 1, BuildFound("python", "tested"))
    made.registry.mark_ready("shop", 1)
    return made


def in_step(platform: Platform, policy: WatchPolicy, store: MemoryScheduleStore) -> int:
    return keep_in_step(platform.registry, lambda _model: policy, store)


def test_a_schedule_follows_its_policy_and_is_left_alone_when_nothing_changed(platform: Platform) -> None:
    store = MemoryScheduleStore(MemoryJobStore(lambda: NOON))

    assert in_step(platform, WatchPolicy(), store) == 0
    assert in_step(platform, DAILY, store) == 1
    assert in_step(platform, DAILY, store) == 0
    (daily,) = store.list()
    assert (daily.name, daily.kind, daily.args) == (f"{PREFIX}shop", "report", {"model": "shop"})
    assert daily.next_at == NOON + int(17.5 * 60) * MINUTE  # noon in UTC is 13:00 in Paris; 06:30 there is 05:30 UTC

    assert in_step(platform, WatchPolicy(report_cron="0 * * * *"), store) == 1
    assert store.list()[0].next_at == NOON + 60 * MINUTE
    assert in_step(platform, WatchPolicy(), store) == 1
    assert store.list() == ()


def test_a_model_without_a_champion_and_a_cron_that_cannot_be_read_have_no_schedule(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "building").mkdir()
    store = MemoryScheduleStore(MemoryJobStore(lambda: NOON))

    assert in_step(Platform(tmp_path / "building"), DAILY, store) == 0
    assert in_step(platform, WatchPolicy(report_cron="at dawn"), store) == 0


def test_the_newest_hundred_reports_are_kept_and_listed_newest_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "reports")
    for minute in range(MOST_KEPT + 2):
        shelf.keep(Report("shop", 1, Span(0, 1), NOON + minute * MINUTE), b"<html>")

    past = shelf.list("shop")

    assert len(past) == MOST_KEPT
    assert (past[0].file, past[0].made_at) == ("2026-01-01T13-41.html", NOON + 101 * MINUTE)
    assert past[-1].file == "2026-01-01T12-02.html"
    assert shelf.path("shop", past[0].file).read_bytes() == b"<html>"
    assert shelf.list("other") == ()


@pytest.mark.parametrize("file", ["2026-01-01T11-59.html", "../db.sqlite", "..", "2026-01-01T12-00.html\n"])
def test_only_files_of_the_shelf_are_given_out(tmp_path: Path, file: str) -> None:
    shelf = Shelf(tmp_path / "reports")
    shelf.keep(Report("shop", 1, Span(0, 1), NOON), b"<html>")

    with pytest.raises(NotFound, match="report_cron"):
        shelf.path("shop", file)


def test_a_mail_tells_window_summary_and_where_the_report_is() -> None:
    report = Report("shop", 3, Span(NOON, NOON + 60 * MINUTE), NOON, n_rows=7, summary=("Price moved.", "One alert."))

    told = letter(report, "http://boucle.example/models/shop")

    assert told.subject == "Report on shop: Price moved."
    assert told.text.splitlines()[0] == "Version 3, 2026-01-01 12:00 to 2026-01-01 13:00 UTC, 7 rows"
    assert "- One alert." in told.text
    assert told.text.endswith("http://boucle.example/models/shop/reports/2026-01-01T12-00.html")


def test_the_subject_of_a_mail_is_one_line() -> None:
    report = Report("shop", 3, Span(NOON, NOON + 1), NOON, summary=("Price moved.\r\nBcc: eve@evil.example",))
    assert letter(report, "p").subject == "Report on shop: Price moved. Bcc: eve@evil.example"


class Mailbox:
    """A mail server that refuses the first mails."""

    def __init__(self, n_refused: int) -> None:
        self.n_refused = n_refused
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if self.n_refused:
            self.n_refused -= 1
            return "451 Later"
        self.mails.append(envelope.content)
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox(n_refused=1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"smtp://127.0.0.1:{port}"
    controller.stop()


def test_a_report_is_made_once_and_mailed_again_until_a_server_takes_it(
    platform: Platform, mailbox: tuple[Mailbox, str]
) -> None:
    box, url = mailbox
    platform.answer([{"price": 1.0, "city": "Lyon"}], [1])
    Collector(platform.world()).collect()
    SqlWatchStore(platform.engine).save_policy("shop", DAILY)
    jobs = SqlJobStore(platform.engine)
    jobs.enqueue("report", {"model": "shop"})
    settings = Settings(home=platform.root, language="en", smtp_url=url, alert_mail_to=("ada@example.org",))
    claim = jobs.claim(ClaimRequest("r", 60, ("report",)))
    assert claim is not None

    with pytest.raises(Unavailable, match="451"):
        report_job(JobContext(claim.job, jobs), settings, platform.engine)
    (job,) = jobs.list(JobQuery("report"))
    done = report_job(JobContext(job, jobs), settings, platform.engine)

    (past,) = Shelf(platform.root / "reports").list("shop")
    assert done == {"file": past.file, "mailed": True}
    assert past.size_bytes > 1_000
    assert len(box.mails) == 1
    assert b"Report on shop: 1 rows came" in box.mails[0]
    assert past.file.encode() in box.mails[0]
