"""What is due is told at least once; a broken channel waits longer each time and holds nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import Unavailable
from boucle.loop.notify import SECOND, Told, deliver
from boucle.monitoring.alerting import notifications
from boucle.monitoring.ports import Event, Judged

ALERT = Alert("a1", "churn", 1, Check("drift", "fail"), "warning", 0, 0)
SILENT = Alert("a2", "churn", 1, Check("feed", "fail"), "critical", 0, 0, silenced_until=10**18)


@dataclass
class Recorded:
    """A channel that keeps what it was told, and breaks when asked to."""

    name: str
    error: Exception | None = None
    told: list[tuple[str, str, str]] = field(default_factory=list)
    reminded: list[list[str]] = field(default_factory=list)

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        if self.error is not None:
            raise self.error
        self.told.append((event, alert.id, link))


class Repeating(Recorded):
    """One that must hear of open alerts again and again."""

    def remind(self, alerts: Sequence[tuple[Alert, str]]) -> None:
        self.reminded.append([alert.id for alert, _link in alerts])


@pytest.fixture
def store() -> MemoryWatchStore:
    kept = MemoryWatchStore(WatchedMemory())
    told = notifications([("opened", ALERT)], ["good", "bad"], 0)
    kept.judged(Judged("churn", {}, alerts=(ALERT, SILENT), notifications=told))
    return kept


def test_each_notification_is_delivered_once(store: MemoryWatchStore) -> None:
    channels = [Recorded("good"), Recorded("bad")]

    assert deliver(store, channels, 0, lambda alert: f"/models/{alert.model}") == Told(delivered=2)
    assert deliver(store, channels, 1) == Told()
    assert channels[0].told == [("opened", "a1", "/models/churn")]


@pytest.mark.parametrize("error", [Unavailable("503"), ZeroDivisionError("s3cret")])
def test_a_broken_channel_waits_and_the_others_are_told(
    store: MemoryWatchStore, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = Recorded("good"), Recorded("bad", error)

    assert deliver(store, [bad, good], 0) == Told(delivered=1, delayed=1)
    assert deliver(store, [bad, good], 59 * SECOND) == Told()
    bad.error = None
    assert deliver(store, [bad, good], 60 * SECOND) == Told(delivered=1)
    assert len(good.told) == len(bad.told) == 1
    assert "s3cret" not in caplog.text + str([record.__dict__ for record in caplog.records])


def test_after_a_day_a_notification_is_given_up_with_an_error(
    store: MemoryWatchStore, caplog: pytest.LogCaptureFixture
) -> None:
    channels = [Recorded("good"), Recorded("bad", Unavailable("The webhook answered 500."))]
    now, given_up_at = 0, None

    while given_up_at is None and now < 3 * 86_400:
        if deliver(store, channels, now * SECOND).given_up:
            given_up_at = now
        now += 60

    assert given_up_at is not None
    assert 20 * 3600 <= given_up_at <= 86_400
    assert store.due(10**18) == ()
    assert [record.levelname for record in caplog.records][-1] == "ERROR"


def test_a_channel_that_is_gone_delays_too(store: MemoryWatchStore) -> None:
    assert deliver(store, [Recorded("good")], 0) == Told(delivered=1, delayed=1)
    assert store.due(10**18)[0].error == "this channel is not set up any more"


def test_a_channel_that_needs_it_is_reminded_of_what_is_open_and_not_silenced(store: MemoryWatchStore) -> None:
    channel = Repeating("good")

    deliver(store, [channel, Recorded("bad")], 0)
    deliver(store, [channel], SECOND)

    assert channel.reminded == [["a1"], ["a1"]]


@pytest.mark.parametrize("error", [Unavailable("503"), ZeroDivisionError("s3cret")])
def test_a_reminder_that_breaks_holds_nobody_and_tells_no_secret(
    store: MemoryWatchStore, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking(Recorded):
        def remind(self, alerts: Sequence[tuple[Alert, str]]) -> None:
            raise error

    other = Repeating("good")

    assert deliver(store, [Breaking("bad"), other], 0) == Told(delivered=2)
    assert other.reminded == [["a1"]]
    (line,) = caplog.records
    assert line.reason == ("503" if isinstance(error, Unavailable) else "ZeroDivisionError")  # type: ignore[attr-defined]  # a field of ours


def test_all_that_is_open_is_reminded_not_only_the_newest_thousand(store: MemoryWatchStore) -> None:
    many = tuple(replace(ALERT, id=f"m{n}", check=Check(f"drift:c{n}", "fail"), opened_at=n + 1) for n in range(1_100))
    store.judged(Judged("churn", {}, alerts=many))
    channel = Repeating("good")

    deliver(store, [channel, Recorded("bad")], 0)

    assert len(channel.reminded[0]) == 1_101


def test_what_waits_is_told_before_what_came_after_it(store: MemoryWatchStore) -> None:
    bad = Recorded("bad", Unavailable("503"))
    deliver(store, [Recorded("good"), bad], 0)
    closed = replace(ALERT, closed_at=5 * SECOND)
    store.judged(Judged("churn", {}, alerts=(closed,), notifications=notifications([("closed", closed)], ["bad"], 5)))

    bad.error = None
    assert deliver(store, [Recorded("good"), bad], 5 * SECOND) == Told(delivered=2)
    assert [event for event, _id, _link in bad.told] == ["opened", "closed"]
