"""What every InferenceLog does."""

from pathlib import Path

import pytest

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.memory.inference_log import MemoryLog
from boucle.core.errors import Conflict
from boucle.core.report import Span
from boucle.loop.log import DAY_US, InferenceLog, LogRows, Move

NOON = 1_700_000_000_000_000 // DAY_US * DAY_US + DAY_US // 2
ALL = Span(0, NOON * 2)


@pytest.fixture(params=["memory", "delta"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> InferenceLog:
    return MemoryLog() if request.param == "memory" else DeltaLog(tmp_path / "inference_log")


def rows(*ids: str, model: str = "churn", at: int = NOON, version: int = 1) -> LogRows:
    n = len(ids)
    return LogRows(
        model=[model] * n,
        version=[version] * n,
        prediction_id=list(ids),
        at=[at] * n,
        logged_at=[at + 1] * n,
        caller=["ada"] * n,
        latency_us=[250] * n,
        inputs=['{"city":"Lyon"}'] * n,
        prediction=['"yes"'] * n,
        probabilities=[[0.25, 0.75]] * n,
        low=[None] * n,
        high=[1.5] * n,
        group=[None] * n,
    )


def ids(log: InferenceLog, model: str = "churn", window: Span = ALL, **how: int) -> list[str]:
    found: list[str] = log.rows(model, window, **how).collect()["prediction_id"].to_list()
    return found


def test_an_empty_log_holds_no_row_and_no_position(log: InferenceLog) -> None:
    assert log.position("s1") == 0
    assert ids(log) == []
    assert log.find("churn", ["a:0"]) == {}
    log.maintain()
    log.forget("churn", NOON)


def test_rows_and_positions_are_added_together(log: InferenceLog) -> None:
    log.append(rows("a:0", "a:1"), {"s1": Move(0, 70), "s2": Move(0, 9)})

    assert ids(log) == ["a:0", "a:1"]
    assert (log.position("s1"), log.position("s2"), log.position("s3")) == (70, 9, 0)


def test_positions_move_on_without_rows_too(log: InferenceLog) -> None:
    log.append(LogRows(), {"s1": Move(0, 70)})
    log.append(LogRows(), {"s1": Move(70, 80)})

    assert log.position("s1") == 80
    assert ids(log) == []


def test_what_was_collected_already_is_refused_and_nothing_is_added(log: InferenceLog) -> None:
    log.append(rows("a:0"), {"s1": Move(0, 70)})

    with pytest.raises(Conflict):
        log.append(rows("a:0", "b:0"), {"s2": Move(0, 9), "s1": Move(0, 140)})

    assert ids(log) == ["a:0"]
    assert (log.position("s1"), log.position("s2")) == (70, 0)


def test_a_row_is_found_by_its_prediction_id_as_it_was_added(log: InferenceLog) -> None:
    log.append(rows("a:0", "b:0"), {"s1": Move(0, 70)})
    log.append(rows("c:0", version=2), {"s1": Move(70, 80)})
    log.append(rows("d:0", model="other"), {"s1": Move(80, 90)})

    found = log.find("churn", ["b:0", "c:0", "d:0", "nobody:0"])

    assert set(found) == {"b:0", "c:0"}
    b = found["b:0"]
    assert (b.version, b.at, b.logged_at, b.inputs, b.prediction) == (1, NOON, NOON + 1, '{"city":"Lyon"}', '"yes"')
    assert (b.probabilities, b.low, b.high) == ((0.25, 0.75), None, 1.5)
    assert found["c:0"].version == 2


def test_rows_come_in_order_of_time_from_a_window_and_the_newest_when_limited(log: InferenceLog) -> None:
    log.append(rows("late:0", at=NOON + 3 * DAY_US), {"s1": Move(0, 70)})
    log.append(rows("early:0", at=NOON), {"s1": Move(70, 80)})
    log.append(rows("middle:0", at=NOON + DAY_US, version=2), {"s1": Move(80, 90)})

    assert ids(log) == ["early:0", "middle:0", "late:0"]
    assert ids(log, limit=2) == ["middle:0", "late:0"]
    assert ids(log, version=2) == ["middle:0"]
    assert ids(log, window=Span(NOON, NOON + 3 * DAY_US)) == ["early:0", "middle:0"]
    assert ids(log, window=Span(NOON, NOON)) == []


def test_days_that_ended_before_a_time_are_forgotten_for_one_model(log: InferenceLog) -> None:
    log.append(rows("old:0"), {"s1": Move(0, 70)})
    log.append(rows("new:0", at=NOON + DAY_US), {"s1": Move(70, 80)})
    log.append(rows("other:0", model="other"), {"s1": Move(80, 90)})

    log.forget("churn", NOON + DAY_US)

    assert ids(log) == ["new:0"]
    assert ids(log, "other") == ["other:0"]
    assert log.position("s1") == 90


def test_maintenance_changes_no_row_and_no_position(log: InferenceLog) -> None:
    for i in range(5):
        log.append(rows(f"{i}:0"), {"s1": Move(i, i + 1)})

    log.maintain()
    log.append(rows("5:0"), {"s1": Move(5, 6)})

    assert ids(log) == [f"{i}:0" for i in range(6)]
    assert log.position("s1") == 6
    assert set(log.find("churn", ["3:0", "5:0"])) == {"3:0", "5:0"}
