"""Ground truth that was given up, is told again, corrected, or whose prediction comes late: counted exactly once."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest

from boucle.core.errors import Conflict
from boucle.core.record import InferenceRecord
from boucle.loop.collect import Collector
from boucle.loop.joining import PATIENCE_US
from loop.collecting import MINUTE, NOON, Platform, answered

ROW = {"price": 1.0, "city": "Lyon"}
LATE_US = PATIENCE_US + MINUTE


class Late(NamedTuple):
    """A truth of value 0 that was given up, for its prediction is still on another machine."""

    platform: Platform
    collector: Collector
    record: InferenceRecord

    @property
    def id(self) -> str:
        return f"{self.record.prediction_id}:0"


@pytest.fixture
def late(tmp_path: Path) -> Late:
    platform, record = Platform(tmp_path), answered([ROW], [1], NOON)
    found = Late(platform, Collector(platform.world()), record)
    platform.tell((found.id, 0))
    found.collector.collect()
    platform.now += LATE_US
    assert found.collector.collect().n_unknown == 1
    return found


def correct(platform: Platform) -> tuple[int, float]:
    quality = platform.counted("quality")
    return quality.n_rows, quality.mean(quality.grid.index("correct"))


def test_a_prediction_that_comes_after_its_truth_was_given_up_is_joined_with_it(late: Late) -> None:
    platform, collector, record = late

    platform.write(record)
    assert collector.collect().n_joined == 1

    assert platform.truths() == {late.id: 0}
    assert platform.n_unknown() == 0
    assert correct(platform) == (1, 0.0)
    platform.now += LATE_US
    assert collector.collect().is_nothing


@pytest.mark.parametrize("order", [*permutations(("prediction", "again", "correction"))], ids="-".join)
def test_whatever_comes_in_whatever_order_after_it_was_given_up_counts_once_with_the_last_value(
    late: Late, order: tuple[str, ...]
) -> None:
    platform, collector, record = late
    value = 0
    for what in order:
        if what == "prediction":
            platform.write(record)
        else:
            value = 0 if what == "again" else 1
            platform.tell((late.id, value))
        collector.collect()
        platform.now += LATE_US
        collector.collect()

    assert platform.truths() == {late.id: value}
    assert platform.n_unknown() == 0
    assert correct(platform) == (1, float(value))


def test_a_prediction_and_its_corrected_truth_in_one_pass_count_once(late: Late) -> None:
    platform, collector, record = late

    platform.tell((late.id, 1))
    platform.write(record)
    platform.tell((late.id, 0))
    platform.tell((late.id, 1))
    collector.collect()

    assert platform.truths() == {late.id: 1}
    assert correct(platform) == (1, 1.0)


def test_a_truth_is_not_given_up_by_one_who_has_not_just_looked_for_it(tmp_path: Path) -> None:
    platform, record = Platform(tmp_path), answered([ROW, ROW], [1, 1], NOON)
    platform.tell((f"{record.prediction_id}:0", 1))
    collector = Collector(platform.world())
    collector.collect()
    platform.now += PATIENCE_US - 1
    collector.collect()
    platform.write(record)
    other = Collector(platform.world())  # it dies before it joins
    pieces, _is_behind = other._read()
    batch = other._decoded(pieces)
    other._world.log.append(batch.rows, {piece.stream: piece.move for piece in pieces})
    other._count(pieces, batch)

    platform.tell((f"{record.prediction_id}:1", 1))
    platform.now += 1
    with pytest.raises(Conflict):
        collector.collect()
    collector.collect()
    assert platform.n_unknown() == 0

    platform.now += MINUTE
    collector.collect()
    assert platform.truths() == {f"{record.prediction_id}:0": 1, f"{record.prediction_id}:1": 1}


def test_truths_told_all_the_time_keep_none_from_being_given_up(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    nobody = f"{answered([ROW], [1], NOON).prediction_id}:0"
    platform.tell((nobody, 1))
    collector = Collector(platform.world())
    for _pass in range(40):
        platform.tell((f"{platform.answer([ROW], [1])}:0", 1))
        collector.collect()
        platform.now += 30_000_000

    assert platform.n_unknown() == 1
    assert len(platform.truths()) == 40
