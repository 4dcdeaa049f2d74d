"""Alerts open late, close late, are told once and together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.watching import Silence, WatchPolicy
from boucle.monitoring.alerting import (
    MOST_MEMBERS,
    Changed,
    Look,
    apart,
    notifications,
    severity_of,
    together,
    update,
)
from boucle.monitoring.messages import message_of

POLICY = WatchPolicy(owner="ada")
BAD, GOOD = Check("drift", "fail", "2 of 20 columns moved"), Check("drift", "pass")


class Watched:
    """A model looked at again and again; its open alerts and state are kept as a store would."""

    def __init__(self, policy: WatchPolicy = POLICY) -> None:
        self.policy, self.open, self.state, self.at = policy, dict[str, Alert](), dict[str, object](), 0
        self.version = 1

    def look(self, *checks: Check, where: str = "") -> Changed:
        self.at += 10
        look = Look("churn", self.version, self.at, self.at, self.state)
        changed = update(self.open.values(), {where: checks}, self.policy, look)
        self.state = changed.state
        for alert in changed.alerts:
            self.open[alert.id] = alert
        self.open = {id_: alert for id_, alert in self.open.items() if alert.is_open}
        return changed

    def events(self, *looks: Check | None) -> list[list[str]]:
        """Return what each look tells; None is a look that judges nothing."""
        return [[event for event, _alert in self.look(*([check] if check else [])).events] for check in looks]


def test_one_bad_window_opens_nothing() -> None:
    assert Watched().events(BAD, GOOD, BAD, GOOD) == [[], [], [], []]


def test_a_check_that_stays_bad_is_told_once_and_closes_after_two_good_windows() -> None:
    assert Watched().events(BAD, BAD, BAD, BAD, GOOD, GOOD, GOOD) == [[], ["opened"], [], [], [], ["closed"], []]


def test_a_flapping_check_stays_one_alert() -> None:
    assert Watched().events(BAD, BAD, GOOD, BAD, GOOD, BAD, GOOD, GOOD)[2:] == [[], [], [], [], [], ["closed"]]


def test_a_check_that_is_not_judged_neither_opens_nor_closes() -> None:
    assert Watched().events(BAD, None, BAD, GOOD, None, None, GOOD) == [[], [], ["opened"], [], [], [], ["closed"]]


@pytest.mark.parametrize("name", ["feed:price", "freshness", "log"])
def test_a_fact_opens_at_once(name: str) -> None:
    (told,) = Watched().look(Check(name, "fail")).events

    assert (told[0], told[1].severity) == ("opened", "critical")


def test_a_fact_that_only_warns_waits() -> None:
    assert Watched().events(Check("feed", "warn"), Check("feed", "warn")) == [[], ["opened"]]


def test_statistics_wait_even_when_critical() -> None:
    assert Watched().events(*[Check("quality:f1", "fail")] * 2) == [[], ["opened"]]


def test_an_alert_keeps_when_it_opened_and_the_newest_evidence() -> None:
    watched = Watched()
    for figure in (1, 2, 3):
        watched.look(replace(BAD, evidence={"p_value": figure}))

    (alert,) = watched.open.values()
    assert (alert.opened_at, alert.last_at, alert.check.evidence, alert.owner) == (20, 30, {"p_value": 3}, "ada")


def test_an_alert_of_each_slice_stands_alone() -> None:
    watched = Watched()
    for _n in range(2):
        watched.look(BAD, where="")
        watched.look(BAD, where="city=Lyon")

    assert sorted(alert.slice for alert in watched.open.values()) == ["", "city=Lyon"]


def test_what_is_bad_in_all_rows_opens_no_alert_of_a_slice() -> None:
    alone, both = {"": [GOOD], "city=Lyon": [BAD]}, {"": [BAD], "city=Lyon": [BAD]}
    policy = WatchPolicy(slices=("city=Lyon",), patience=1)

    opened = [update((), checks, policy, Look("churn", 1, 10, 10)).alerts for checks in (alone, both)]

    assert [[alert.slice for alert in alerts] for alerts in opened] == [["city=Lyon"], [""]]


def test_a_broken_feed_closes_what_was_said_of_the_values_of_its_column() -> None:
    watched = Watched(WatchPolicy(patience=1))
    watched.look(Check("drift:price", "fail"), Check("range:price", "fail"), Check("drift:age", "fail"))

    changed = watched.look(Check("feed:price", "fail"), Check("drift:age", "fail"))

    assert [(event, alert.check.name) for event, alert in changed.events] == [
        ("opened", "feed:price"),
        ("closed", "drift:price"),
        ("closed", "range:price"),
    ]


def test_an_alert_that_closes_after_its_silence_is_told() -> None:
    silence = Silence(45, "drift")
    watched = Watched(WatchPolicy(silences=(silence,)))

    assert watched.events(BAD, BAD, BAD, GOOD, GOOD)[-1] == ["closed"]


def test_the_same_look_again_opens_the_same_alert() -> None:
    look = Look("churn", 1, 20, 20, {"": {"drift": 1}})

    assert update((), {"": [BAD]}, POLICY, look) == update((), {"": [BAD]}, POLICY, look)


@pytest.mark.parametrize(
    ("check", "severity"),
    [
        (Check("drift", "fail"), "warning"),
        (Check("drift:price", "warn"), "info"),
        (Check("quality", "fail"), "critical"),
        (Check("quality", "warn"), "warning"),
        (Check("range:price", "fail"), "warning"),
        (Check("range:age", "fail"), "info"),
        (Check("missing:age", "fail"), "critical"),
    ],
)
def test_severity_comes_from_the_kind_unless_the_policy_says_otherwise(check: Check, severity: str) -> None:
    policy = WatchPolicy(severities={"range:age": "info", "missing": "critical", "quality": "unheard-of"})

    assert severity_of(check, policy) == severity


def test_an_alert_that_gets_worse_is_told_again() -> None:
    watched = Watched()
    slight, grave = Check("quality", "warn"), Check("quality", "fail")
    assert watched.events(slight, slight, grave, grave) == [[], ["opened"], ["opened"], []]


def test_an_alert_of_severity_info_is_kept_for_the_page_and_told_to_nobody() -> None:
    watched = Watched()
    slight = Check("drift", "warn")
    assert watched.events(slight, slight, Check("drift", "pass"), Check("drift", "pass")) == [[], [], [], []]
    assert watched.events(slight, slight, BAD) == [[], [], ["opened"]]


def test_a_silenced_alert_is_kept_but_not_told() -> None:
    watched = Watched(replace(POLICY, silences=(Silence(until=1000, check="dri"),)))

    assert watched.events(BAD, BAD, GOOD, GOOD) == [[], [], [], []]
    assert watched.state == {}


def test_an_alert_whose_silence_ends_is_told_then() -> None:
    watched = Watched(replace(POLICY, silences=(Silence(until=35),)))

    assert watched.events(BAD, BAD, BAD, BAD, BAD) == [[], [], [], ["opened"], []]


def test_a_silence_of_another_check_changes_nothing() -> None:
    watched = Watched(replace(POLICY, silences=(Silence(until=1000, check="quality"),)))

    assert watched.events(BAD, BAD) == [[], ["opened"]]


def test_an_alert_on_a_column_that_the_next_version_lacks_is_closed() -> None:
    watched = Watched()
    gone = Check("drift:fax", "fail")
    watched.events(gone, gone)
    watched.version = 2

    assert watched.events(Check("range:age", "pass"), Check("drift", "pass")) == [[], ["closed"]]


def test_twenty_columns_are_one_message_to_each_channel() -> None:
    watched = Watched()
    checks = [BAD, *(Check(f"drift:c{n}", "fail", f"c{n} moved") for n in range(20)), Check("quality", "fail")]
    watched.look(*checks)
    changed = watched.look(*checks)

    told = notifications(changed.events, ["log", "mail"], 99)

    assert [(one.channel, one.event, one.due_at) for one in told] == [("log", "opened", 99), ("mail", "opened", 99)]
    assert len({one.id for one in told}) == 2
    members = apart(told[0].alert)
    assert [alert.check.name for alert in members[:3]] == ["quality", "drift", "drift:c0"]
    assert len(members) == 22


def test_what_opens_and_what_closes_are_two_messages() -> None:
    opened = Alert("a", "churn", 1, BAD, "warning", 0, 5)
    closed = Alert("b", "churn", 1, GOOD, "warning", 0, 5, closed_at=9)

    told = notifications([("opened", opened), ("closed", closed)], ["log"], 0)

    assert [(one.event, one.alert.id) for one in told] == [("opened", "a"), ("closed", "b")]


def test_a_message_holds_fifty_others_at_most_and_its_own_evidence_whole() -> None:
    alerts = [Alert(str(n), "churn", 1, replace(BAD, evidence={"n": n}), "warning", 0, 0) for n in range(80)]

    lead, *others = apart(together(alerts))

    assert lead == alerts[0]
    assert len(others) == MOST_MEMBERS
    assert others[0].check.evidence == {}


def test_one_alert_is_its_own_message() -> None:
    alert = Alert("a", "churn", 1, BAD, "warning", 0, 0)

    assert together([alert]) is alert
    assert apart(alert) == (alert,)


def test_a_message_says_what_where_and_what_to_do() -> None:
    check = Check("feed:price", "fail", "half of the cells are missing", "at most 1 %", "Look at the feed of price.")
    alert = Alert("a", "churn", 3, check, "critical", 0, 1_783_864_800_000_000, "city=Lyon", "ada")

    message = message_of("opened", alert, "http://boucle.example/models/churn")

    assert message.subject == "churn: feed:price [city=Lyon] (critical)"
    assert message.text == (
        "Model churn, version 3: an alert was opened.\n\n"
        "feed:price [city=Lyon] (critical): half of the cells are missing (expected: at most 1 %). "
        "Look at the feed of price.\n"
        "The window ended at 2026-07-12 14:00:00 UTC.\n"
        "Owner: ada\n\nhttp://boucle.example/models/churn\n"
    )


def test_what_comes_from_rows_cannot_break_out_of_subject_or_page() -> None:
    check = Check("drift:a\nBcc: all@example.org", "fail", "<script>alert(1)</script>")

    message = message_of("opened", Alert("a", "churn", 1, check, "info", 0, 10**20, "x=<b>"), "")

    assert "\n" not in message.subject
    assert "<script>" not in message.html
    assert "&lt;script&gt;" in message.html
