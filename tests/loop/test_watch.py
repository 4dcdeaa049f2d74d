"""Looking at a model hour after hour: what is told, when, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boucle.adapters.sql import SqlProfileStore, SqlTruthStore, SqlWatchStore
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.record import InferenceRecord
from boucle.core.report import Quality, Report, Span
from boucle.core.table import Column, Table
from boucle.core.watching import Expectation, WatchPolicy
from boucle.loop.collect import Collector
from boucle.loop.memory import Memory
from boucle.loop.reports import ReportQuery, ReportWorld, report
from boucle.loop.watch import WatchWorld, watch
from boucle.monitoring.ports import AlertQuery, Judged
from boucle.registry.model import BuildFound
from loop.collecting import CITIES, MINUTE, NOON, Platform, example

HOUR = 3_600_000_000
Change = Callable[[dict[str, Any]], dict[str, Any]]


def with_holes() -> Table:
    """Rows of which one in thirty lacks its city."""
    rows = example()
    cities = rows.columns["city"].values.copy()
    cities[::30] = None
    return Table({**rows.columns, "city": Column("text", cities)})


class Shop:
    """A shop of sixty customers an hour, looked at each hour by the day before."""

    def __init__(self, root: Path) -> None:
        self.platform = Platform(root, sent=with_holes())
        self.platform.registry.found("shop", 1, BuildFound("python", "tested"))
        self.platform.registry.mark_ready("shop", 1)
        self.store = SqlWatchStore(self.platform.engine)
        self.dice = np.random.default_rng(11)
        self.ids: dict[int, tuple[str, list[int]]] = {}
        self.watched_with()

    def watched_with(self, **members: Any) -> None:
        """Change the policy."""
        self.policy = WatchPolicy(**{"least_rows": 50, **members})
        self.platform.policy = self.policy
        self.store.save_policy("shop", self.policy)

    def open(self, hours: range, change: Change = dict, labels_after: int | None = None) -> None:
        """Let hours pass with customers; outcomes come so many hours after their answers (None: never)."""
        for hour in hours:
            at = NOON + hour * HOUR
            rows = [
                change({"price": float(self.dice.integers(0, 300)), "city": CITIES[place % 3] if place % 30 else None})
                for place in range(60)
            ]
            said = [int(value) for value in self.dice.integers(0, 2, 60)]
            self.ids[hour] = self.platform.answer(rows, said, at=at), said
            self.platform.now = at
            known = self.ids.get(hour - labels_after) if labels_after is not None else None
            if known is not None:
                self.platform.tell(*((f"{known[0]}:{row}", value) for row, value in enumerate(known[1])))
        self.platform.now = NOON + hours.stop * HOUR + HOUR // 2
        Collector(self.platform.world()).collect()
        watch(self.world)
        self.platform.now += 2 * MINUTE  # nothing came meanwhile: the last hour is whole
        watch(self.world)

    @property
    def world(self) -> WatchWorld:
        profiles, truths = SqlProfileStore(self.platform.engine), SqlTruthStore(self.platform.engine)
        return WatchWorld(self.platform.registry, profiles, truths, self.store, lambda: self.platform.now)

    def alerts(self, name: str) -> list[Alert]:
        """Return the alerts whose check begins with a name, oldest first."""
        found = self.store.alerts(AlertQuery("shop", limit=1000))
        return sorted((one for one in found if one.check.name.startswith(name)), key=lambda one: one.opened_at)

    def report(self, where: str = "", until: int | None = None) -> Report:
        profiles, now = SqlProfileStore(self.platform.engine), self.platform.now
        truths = SqlTruthStore(self.platform.engine)
        world = ReportWorld(self.platform.registry, profiles, truths, self.store, lambda: now, profiles.series)
        return report(world, ReportQuery("shop", until=until, slice=where))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def in_cents(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "price": row["price"] * 1_000}


def test_a_feed_that_breaks_is_told_at_the_end_of_its_hour_and_closed_when_it_is_mended(shop: Shop) -> None:
    shop.open(range(30))
    shop.open(range(30, 31), in_cents)
    (broken,) = shop.alerts("feed:")
    assert broken.check.name == "feed:price"
    assert broken.opened_at == NOON + 31 * HOUR
    assert broken.check.evidence["factor"] == 1_000
    assert broken.is_open

    shop.open(range(31, 40))
    (mended,) = shop.alerts("feed:")
    assert not mended.is_open


def test_a_feed_that_stays_broken_stays_open_until_its_day_is_over(shop: Shop) -> None:
    shop.open(range(26))
    shop.open(range(26, 80), in_cents)

    (broken,) = shop.alerts("feed:")
    assert (broken.opened_at, broken.is_open) == (NOON + 27 * HOUR, True)
    assert shop.alerts("drift:price") == []


def test_a_column_that_is_always_empty_at_night_is_no_broken_feed(shop: Shop) -> None:
    for day in range(3):
        shop.open(range(24 * day, 24 * day + 10))
        shop.open(range(24 * day + 10, 24 * day + 13), lambda row: {**row, "city": None})
        shop.open(range(24 * day + 13, 24 * day + 24))

    assert shop.alerts("feed:") == []
    features = shop.platform.counted("features")
    assert features.missing.max() == 3 * (3 * 60 + 21 * 2)


def cheap_in_lyon(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "price": row["price"] / 3} if row["city"] == "Lyon" else row


def dear_in_lyon(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "price": 200 + row["price"] / 3} if row["city"] == "Lyon" else row


def test_a_slice_is_compared_with_its_own_past(shop: Shop) -> None:
    shop.watched_with(slices=("city=Lyon",))
    shop.open(range(80), cheap_in_lyon)
    assert [alert for alert in shop.alerts("") if alert.slice] == []
    assert [column.name for column in shop.report("city=Lyon").columns if column.status != "pass"] == []

    shop.open(range(80, 110), dear_in_lyon)
    drifted = [alert.check.name for alert in shop.alerts("drift") if alert.slice == "city=Lyon"]
    assert sorted(drifted) == ["drift", "drift:price"]
    assert shop.report().slices == (("city=Lyon", "fail"),)
    assert shop.report("city=Lyon").columns[0].name == "price"

    shop.watched_with()
    shop.open(range(110, 111), dear_in_lyon)
    assert [alert for alert in shop.alerts("") if alert.slice and alert.is_open] == []
    assert shop.report().slices == ()


def test_an_alert_of_a_rule_that_is_not_wanted_any_more_is_closed(shop: Shop) -> None:
    shop.watched_with(expectations=(Expectation("dear", sql="price > 0"),))
    shop.open(range(3))
    world = shop.world
    opened = Alert("a", "shop", 1, _bad("expectation:dear"), "warning", NOON, NOON)
    silent = Alert("b", "shop", 1, _bad("freshness"), "critical", NOON, NOON)
    shop.store.judged(_judged(shop, opened, silent))
    shop.watched_with()
    shop.open(range(3, 4))

    assert world.store.alerts(AlertQuery("shop", is_open=True)) == ()


def test_outcomes_that_stop_are_told_and_closed_when_they_come_again(shop: Shop) -> None:
    for hour in range(0, 30, 3):
        shop.open(range(hour, hour + 3), labels_after=2)
    shop.open(range(30, 52))
    assert shop.alerts("labels") == []

    shop.open(range(52, 66))
    (stopped,) = shop.alerts("labels:freshness")
    last = NOON + 27 * HOUR
    assert stopped.opened_at - last > 24 * HOUR
    assert stopped.opened_at - last < 34 * HOUR

    shop.open(range(66, 69), labels_after=2)
    shop.open(range(69, 73), labels_after=2)
    assert not shop.alerts("labels:freshness")[0].is_open


def test_what_rows_said_of_a_window_stays_when_its_outcomes_come(shop: Shop) -> None:
    shop.open(range(36))
    shop.open(range(36, 50), labels_after=20)

    held = shop.store.verdicts("shop", Span(NOON + 28 * HOUR, NOON + 29 * HOUR))
    names = {check.name for verdict in held for check in verdict.checks}
    assert {"drift", "drift:price", "labels", "quality:accuracy", "estimate:accuracy"} <= names
    assert any(point.estimated is not None and point.realised is not None for point in shop.report().history)


def _bad(name: str) -> Check:
    return Check(name, "fail", "it is bad")


def _judged(shop: Shop, *alerts: Alert) -> Judged:
    return Judged("shop", dict(shop.store.state("shop")), alerts=alerts)


def test_a_known_unit_is_told_on_the_first_day_and_closes_what_was_said_of_the_column(shop: Shop) -> None:
    shop.open(range(2))
    said = Alert("a", "shop", 1, Check("drift:price", "fail", "it moved"), "warning", NOON, NOON)
    shop.store.judged(Judged("shop", dict(shop.store.state("shop")), alerts=(said,)))
    shop.open(range(2, 3), in_cents)

    (broken,) = shop.alerts("feed:")
    assert (broken.check.name, broken.opened_at) == ("feed:price", NOON + 3 * HOUR)
    assert shop.alerts("drift:price")[0].closed_at == NOON + 3 * HOUR
    assert [metric.estimated for metric in (shop.report().quality or Quality()).metrics] == []


def test_errors_that_grew_are_told_when_their_outcomes_come_in_bulk(shop: Shop) -> None:
    shop.open(range(48))
    for hour in range(48):
        id_, said = shop.ids[hour]
        truth = [1 - value if hour >= 24 and row % 3 == 0 else value for row, value in enumerate(said)]
        shop.platform.tell(*((f"{id_}:{row}", value) for row, value in enumerate(truth)))
    shop.open(range(48, 52))

    (grew,) = shop.alerts("concept:error")
    assert abs(grew.check.evidence["since"] - (NOON + 24 * HOUR)) <= 2 * HOUR


def test_requests_that_are_all_refused_are_told_though_no_row_came(shop: Shop) -> None:
    shop.watched_with(window_s=3_600)
    shop.open(range(2))
    for place in range(300):
        at = NOON + 3 * HOUR + place * 1_000_000
        shop.platform.write(InferenceRecord("refusal", "shop", 1, "", at, at, 900, 422))
        shop.platform.write(InferenceRecord("refusal", "shop", 1, "", at + HOUR, at + HOUR, 900, 500))
    shop.open(range(6, 8))

    assert [alert.severity for alert in shop.alerts("failures")] == []  # one look; patience wants two
    told = shop.store.verdicts("shop", Span(NOON + 4 * HOUR, NOON + 5 * HOUR + 1))
    found = {(verdict.window.stop - NOON) // HOUR: {c.name: c.status for c in verdict.checks} for verdict in told}
    assert found[4]["refusals"] == "fail"
    assert found[5]["failures"] == "fail"


def test_a_model_that_cannot_be_judged_holds_no_other(shop: Shop) -> None:
    shop.open(range(2))
    shop.watched_with(expectations=(Expectation("dear", sql="price > 0"),))

    def broken(*_told: Any) -> Any:
        raise RuntimeError("no rows")

    shop.platform.answer([{"price": 1.0, "city": "Lyon"}] * 60, [1] * 60, at=NOON + 4 * HOUR)
    Collector(shop.platform.world()).collect()
    shop.platform.now = NOON + 9 * HOUR
    for _look in range(2):
        found = watch(replace(shop.world, expectations=broken))
        shop.platform.now += 2 * MINUTE
    assert found.failed == ("shop",)


def test_a_version_that_comes_back_is_not_judged_on_its_past(shop: Shop) -> None:
    shop.open(range(30))
    state = dict(shop.store.state("shop"))
    memory = Memory.read(state, 2)

    assert (memory.judged_until, memory.late_until) == (state["judged_until"], state["late_until"])
    assert (memory.baselines, memory.concept) == ({}, {})
    assert Memory.read({**state, "of_a_newer_boucle": 1}, 1).judged_until == state["judged_until"]


def test_a_report_of_the_past_tells_the_alerts_of_its_time(shop: Shop) -> None:
    shop.open(range(30))
    shop.open(range(30, 31), in_cents)

    assert [alert.check.name for alert in shop.report().alerts] == ["feed:price"]
    assert shop.report(until=NOON + 20 * HOUR).alerts == ()
    assert shop.report(until=NOON - HOUR).summary == ("No row came in this window: there is nothing to judge.",)


def test_a_version_that_comes_back_is_silent_only_from_then_on(shop: Shop) -> None:
    shop.watched_with(silent_after_s=600)
    shop.open(range(3))
    shop.store.judged(Judged("shop", {"version": 2, "judged_until": NOON + 20 * HOUR}))
    shop.platform.now = NOON + 30 * HOUR
    watch(shop.world)
    assert [alert for alert in shop.alerts("freshness") if alert.is_open] == []

    shop.platform.now += 11 * MINUTE
    watch(shop.world)
    (silent,) = [alert for alert in shop.alerts("freshness") if alert.is_open]
    assert silent.check.evidence["age_s"] == 11 * 60
