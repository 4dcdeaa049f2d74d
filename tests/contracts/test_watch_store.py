"""What every WatchStore does."""

from dataclasses import replace

import pytest

from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import Conflict
from boucle.core.report import Span
from boucle.core.watching import Expectation, Silence, WatchPolicy
from boucle.monitoring.ports import AlertQuery, Judged, Notification, Verdict
from watched_cases import DAY, HOUR, T0, Watched

POLICY = WatchPolicy(
    window_s=7_200,
    detectors=("cusum", "adwin"),
    slices=("city=Besançon",),
    masked=("name",),
    expectations=(Expectation("priced", "price > 0", 0.99),),
    severities={"drift": "critical"},
    silences=(Silence(T0, "drift.price", "sale"),),
    silent_after_s=600,
)
BAD = Check("drift.price", "fail", "moved", "as before", "look", {"p": 1e-9, "bins": [1, 2], "none": None})
ALERT = Alert("a1", "churn", 3, BAD, "critical", T0, T0 + HOUR, "city=Besançon", "ada", silenced_until=T0 + DAY)
NOTE = Notification("n1", "webhook", "opened", ALERT, due_at=T0)
VERDICT = Verdict("churn", 3, Span(T0, T0 + HOUR), (BAD, Check("rows", "pass")), "city=Besançon")


def test_a_model_has_the_default_policy_until_one_is_saved(watched: Watched) -> None:
    assert watched.watch.policy("churn") == WatchPolicy()
    watched.watch.save_policy("churn", POLICY)
    watched.watch.save_policy("risk", WatchPolicy(owner="bob"))
    assert (watched.watch.policy("churn"), watched.watch.policy("risk").owner) == (POLICY, "bob")
    watched.watch.save_policy("churn", replace(POLICY, silences=()))
    assert watched.watch.policy("churn").silences == ()


def test_what_was_judged_is_read_back_equal(watched: Watched) -> None:
    assert watched.watch.state("churn") == {}
    state = {"until": T0, "cusum": {"price": [0.1, None, "é"]}}
    watched.watch.judged(Judged("churn", state, (VERDICT,), (ALERT,), (NOTE,)))

    assert (watched.watch.state("churn"), watched.watch.state("risk")) == (state, {})
    assert watched.watch.verdicts("churn", Span(0, 2 * T0)) == (VERDICT,)
    assert watched.watch.alerts(AlertQuery()) == (ALERT,)
    assert watched.watch.due(T0) == (NOTE,)


def test_a_state_that_was_read_can_be_changed_without_changing_what_is_kept(watched: Watched) -> None:
    watched.watch.judged(Judged("churn", {"s": [1]}))
    watched.watch.state("churn")["s"].append(2)
    assert watched.watch.state("churn") == {"s": [1]}


def test_verdicts_are_found_by_the_end_of_their_window_oldest_first(watched: Watched) -> None:
    ends = [T0 + 3 * HOUR, T0 + HOUR, T0 + 2 * HOUR]
    verdicts = [replace(VERDICT, window=Span(end - HOUR, end), slice=slice_) for end in ends for slice_ in ("b", "")]
    watched.watch.judged(Judged("churn", {}, (*verdicts, replace(VERDICT, model="risk"))))

    found = watched.watch.verdicts("churn", Span(T0 + HOUR, T0 + 3 * HOUR))

    expected = [(T0 + HOUR, ""), (T0 + HOUR, "b"), (T0 + 2 * HOUR, ""), (T0 + 2 * HOUR, "b")]
    assert [(verdict.window.stop, verdict.slice) for verdict in found] == expected


def test_a_window_judged_again_has_the_newer_verdict(watched: Watched) -> None:
    watched.watch.judged(Judged("churn", {}, (VERDICT,)))
    newer = replace(VERDICT, checks=())
    watched.watch.judged(Judged("churn", {}, (newer,)))
    assert watched.watch.verdicts("churn", Span(0, 2 * T0)) == (newer,)


def test_alerts_come_newest_first_and_by_their_properties(watched: Watched) -> None:
    closed = replace(ALERT, id="a2", opened_at=T0 - DAY, last_at=T0 - DAY, closed_at=T0)
    risk = replace(ALERT, id="a3", model="risk", opened_at=T0 + 1)
    watched.watch.judged(Judged("churn", {}, alerts=(ALERT, closed, risk)))

    def ids(query: AlertQuery) -> list[str]:
        return [alert.id for alert in watched.watch.alerts(query)]

    assert ids(AlertQuery()) == ["a3", "a1", "a2"]
    assert ids(AlertQuery(limit=1)) == ["a3"]
    assert ids(AlertQuery("churn")) == ["a1", "a2"]
    assert (ids(AlertQuery("churn", is_open=True)), ids(AlertQuery(is_open=False))) == (["a1"], ["a2"])
    assert ids(AlertQuery("churn", since=T0)) == ["a1"]


def test_an_alert_is_replaced_by_its_id_and_its_check_may_then_open_another(watched: Watched) -> None:
    watched.watch.judged(Judged("churn", {}, alerts=(ALERT,)))
    closed = replace(ALERT, last_at=T0 + DAY, closed_at=T0 + DAY)
    again = replace(ALERT, id="a2", opened_at=T0 + DAY)
    watched.watch.judged(Judged("churn", {}, alerts=(again, closed)))
    assert watched.watch.alerts(AlertQuery()) == (again, closed)


def test_a_second_open_alert_of_the_same_check_is_refused_with_all_of_its_look(watched: Watched) -> None:
    watched.watch.judged(Judged("churn", {"look": 1}, alerts=(ALERT,)))
    second = Judged("churn", {"look": 2}, (VERDICT,), (replace(ALERT, id="a2"),), (NOTE,))
    with pytest.raises(Conflict, match=r"Alert drift.price of model churn is open already"):
        watched.watch.judged(second)

    assert watched.watch.state("churn") == {"look": 1}
    assert watched.watch.verdicts("churn", Span(0, 2 * T0)) == ()
    assert (watched.watch.alerts(AlertQuery()), watched.watch.due(2 * T0)) == ((ALERT,), ())
    others = (replace(ALERT, id="a3", slice=""), replace(ALERT, id="a4", check=replace(BAD, name="drift.age")))
    watched.watch.judged(Judged("churn", {}, alerts=others))
    assert len(watched.watch.alerts(AlertQuery())) == 3


def test_notifications_are_due_oldest_first_and_gone_once_delivered(watched: Watched) -> None:
    notes = [replace(NOTE, id=f"n{i}", due_at=T0 + due) for i, due in enumerate((3, 1, 2, 9))]
    watched.watch.judged(Judged("churn", {}, notifications=tuple(notes)))

    assert [note.id for note in watched.watch.due(T0 + 3)] == ["n1", "n2", "n0"]
    assert [note.id for note in watched.watch.due(T0 + 3, limit=1)] == ["n1"]
    watched.watch.delivered(["n1", "n2", "never"])
    watched.watch.delivered([])
    assert [note.id for note in watched.watch.due(T0 + 9)] == ["n0", "n3"]


def test_a_notification_that_could_not_be_delivered_waits_with_its_reason(watched: Watched) -> None:
    watched.watch.judged(Judged("churn", {}, notifications=(NOTE,)))
    delayed = replace(NOTE, attempts=2, due_at=T0 + 60, error="503")
    watched.watch.delay(delayed)
    watched.watch.delay(replace(NOTE, id="delivered meanwhile"))
    watched.watch.judged(Judged("churn", {}, notifications=(NOTE,)))

    assert watched.watch.due(T0 + 59) == ()
    assert watched.watch.due(T0 + 60) == (delayed,)


def test_old_verdicts_of_one_model_are_forgotten(watched: Watched) -> None:
    later = replace(VERDICT, window=Span(T0 + HOUR, T0 + 2 * HOUR))
    risk = replace(VERDICT, model="risk")
    watched.watch.judged(Judged("churn", {}, (VERDICT, later, risk)))
    with watched.collect.collecting() as tx:
        tx.forget("churn", T0 + HOUR)
    assert watched.watch.verdicts("churn", Span(0, 2 * T0)) == (later,)
    assert watched.watch.verdicts("risk", Span(0, 2 * T0)) == (risk,)
