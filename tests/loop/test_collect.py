"""Collecting: every answer once in the log and once in the profiles, whatever happens meanwhile."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from boucle.adapters.sql import SqlProfileStore
from boucle.core.errors import Conflict
from boucle.core.ids import uuid7
from boucle.core.profile import Profile
from boucle.core.record import InferenceRecord
from boucle.core.watching import WatchPolicy
from boucle.loop.collect import Collector, collect
from boucle.loop.joining import PATIENCE_US
from boucle.loop.tending import tend
from boucle.monitoring.ports import Key
from loop.collecting import ALL, CITIES, MINUTE, NOON, Platform, answered


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def level(profile: Profile, name: str, value: str) -> int:
    """Return how often a level was counted."""
    place = profile.grid.index(name)
    return int(profile.counts[profile.part(place)][profile.grid.parts[place].levels.index(value)])


LYON, NICE, ROME = ({"price": float(i), "city": city} for i, city in enumerate(CITIES))


def test_an_answer_becomes_rows_of_the_log_and_is_counted(platform: Platform) -> None:
    id_ = platform.answer([LYON, NICE], [0, 1])

    done = collect(platform.world())

    assert (done.n_records, done.n_rows, done.is_behind) == (1, 2, False)
    assert platform.logged() == [
        (f"{id_}:0", '{"price":0.0,"city":"Lyon"}', "0"),
        (f"{id_}:1", '{"price":1.0,"city":"Nice"}', "1"),
    ]
    traffic, features, answers = (platform.counted(stream) for stream in ("traffic", "features", "answers"))
    assert (traffic.n_rows, features.n_rows, answers.n_rows) == (1, 2, 2)
    assert level(traffic, "outcome", "answered") == 1
    assert traffic.mean(traffic.grid.index("latency_ms")) == 1.5
    assert level(features, "city", "Lyon") == 1
    assert features.mean(features.grid.index("price")) == 0.5
    assert level(answers, "prediction", "1") == 1
    assert answers.mean(answers.grid.index("probability.1")) == 0.5


def test_a_second_pass_over_the_same_streams_adds_nothing(platform: Platform) -> None:
    platform.answer([LYON], [0])
    collect(platform.world())

    assert collect(platform.world()).is_nothing
    assert (len(platform.logged()), platform.counted("features").n_rows) == (1, 1)


def test_segments_of_a_stream_that_has_ended_are_deleted_once_both_sinks_have_them(platform: Platform) -> None:
    platform.answer([LYON], [0])
    platform.end_stream()
    collect(platform.world())
    platform.answer([NICE], [0])
    collect(platform.world())

    assert len([found for found in (platform.root / "segments").iterdir() if not found.name.startswith(".")]) == 1
    assert len(platform.logged()) == 2


def test_rows_are_counted_in_the_minute_they_were_answered_in_though_the_clock_runs_backwards(
    platform: Platform,
) -> None:
    for at in (NOON + MINUTE, NOON, NOON + MINUTE, NOON - 3 * MINUTE):
        platform.answer([LYON], [0], at=at)
    collect(platform.world())

    series = SqlProfileStore(platform.engine).series(Key("shop", 1, "features"), ALL)
    assert [(time, profile.n_rows) for time, profile in series.steps] == [
        (NOON - 3 * MINUTE, 1),
        (NOON, 1),
        (NOON + MINUTE, 2),
    ]


def test_refusals_failures_and_lost_answers_are_counted_as_traffic_only(platform: Platform) -> None:
    record = InferenceRecord("refusal", "shop", 1, "", NOON, NOON, latency_us=400, status=422)
    gap = InferenceRecord("gap", "shop", 1, "", NOON, NOON, n_lost=70_000)
    platform.write(record, record._replace(status=503), gap)
    collect(platform.world())

    traffic = platform.counted("traffic")
    assert [level(traffic, "outcome", word) for word in ("answered", "refused", "failed", "lost")] == [0, 1, 1, 70_000]
    assert traffic.missing[traffic.grid.index("latency_ms")] == 70_000
    assert platform.logged() == []
    assert collect(platform.world()).is_nothing


def test_masked_columns_are_counted_but_not_kept(platform: Platform) -> None:
    platform.policy = WatchPolicy(masked=("city",))
    platform.answer([LYON], [0])
    collect(platform.world())

    assert platform.logged()[0][1] == '{"price":0.0}'
    assert level(platform.counted("features"), "city", "Lyon") == 1


def test_slices_are_counted_beside_all_rows(platform: Platform) -> None:
    platform.policy = WatchPolicy(slices=("city=Lyon", "price=2", "nothing=1"))
    id_ = platform.answer([LYON, NICE, LYON, ROME], [1, 1, 0, 0])
    platform.tell((f"{id_}:0", 1), (f"{id_}:1", 1))
    collect(platform.world())

    assert platform.counted("features", "city=Lyon").n_rows == 2
    assert level(platform.counted("answers", "city=Lyon"), "prediction", "1") == 1
    assert platform.counted("features", "price=2").n_rows == 1
    assert platform.counted("quality", "city=Lyon").n_rows == 1
    keys = SqlProfileStore(platform.engine).keys("shop")
    assert {key.slice for key in keys} == {"", "city=Lyon", "price=2"}


def test_ground_truth_is_joined_with_its_prediction_and_counted_in_the_minute_of_it(platform: Platform) -> None:
    id_ = platform.answer([LYON, NICE], [1, 1])
    platform.now += 2 * MINUTE
    platform.tell((f"{id_}:0", 1), (f"{id_}:1", 0))
    done = collect(platform.world())

    assert (done.n_truths, done.n_joined) == (2, 2)
    assert platform.truths() == {f"{id_}:0": 1, f"{id_}:1": 0}
    series = SqlProfileStore(platform.engine).series(Key("shop", 1, "quality"), ALL)
    assert [(time, profile.n_rows) for time, profile in series.steps] == [(NOON, 2)]
    quality = platform.counted("quality")
    assert quality.mean(quality.grid.index("correct")) == 0.5
    assert quality.mean(quality.grid.index("lag_s")) == 120.0


def test_a_truth_told_twice_counts_once_and_a_corrected_one_takes_the_old_back(platform: Platform) -> None:
    id_ = platform.answer([LYON], [1])
    platform.tell((f"{id_}:0", 0))
    collector = Collector(platform.world())
    collector.collect()
    platform.tell((f"{id_}:0", 0))
    collector.collect()
    assert platform.counted("quality").n_rows == 1
    assert platform.counted("quality").mean(platform.counted("quality").grid.index("correct")) == 0.0

    platform.tell((f"{id_}:0", 1))
    assert collector.collect().n_joined == 1

    quality = platform.counted("quality")
    assert quality.n_rows == 1
    assert quality.mean(quality.grid.index("correct")) == 1.0
    assert platform.truths() == {f"{id_}:0": 1}


def test_a_truth_that_is_there_before_its_prediction_waits_for_it(platform: Platform) -> None:
    record = answered([LYON], [1], NOON)
    platform.tell((f"{record.prediction_id}:0", 1))
    collector = Collector(platform.world())
    assert collector.collect().n_joined == 0

    platform.write(record)
    assert collector.collect().n_joined == 1
    assert platform.counted("quality").n_rows == 1


def test_a_truth_for_an_unknown_id_is_given_up_after_a_quarter_of_an_hour(platform: Platform) -> None:
    platform.tell((f"{uuid7()}:0", 1))
    collector = Collector(platform.world())
    collector.collect()
    platform.now += PATIENCE_US - 1
    collector.collect()
    assert platform.n_unknown() == 0

    platform.now += MINUTE
    assert collector.collect().n_unknown == 1
    assert platform.n_unknown() == 1


def test_what_cannot_be_read_is_kept_apart_and_stops_nothing(platform: Platform) -> None:
    good, bad = answered([LYON], [0], NOON), answered([LYON], [0], NOON, request=b"[{")
    short, nobody = answered([LYON, NICE], [0], NOON), answered([LYON], [0], NOON, version=7)
    cold = answered([{"price": "cold", "city": "Lyon"}], [0], NOON)
    truth = InferenceRecord("truth", "shop", 0, "", NOON, NOON, request=b"{")
    platform.write(bad, good, short, nobody, cold, truth)
    done = collect(platform.world())

    assert done.n_refused == 5
    assert [row[0] for row in platform.logged()] == [f"{good.prediction_id}:0"]
    kept = [json.loads(path.read_text()) for path in (platform.root / "refused").iterdir()]
    ids = {record.prediction_id for record in (bad, short, nobody, cold, truth)}
    assert {document["prediction_id"] for document in kept} == ids
    assert level(platform.counted("traffic"), "outcome", "answered") == 4


def test_a_pass_takes_no_more_than_its_share_of_memory_and_says_that_there_is_more(platform: Platform) -> None:
    platform.max_bytes = 2_000
    ids = [platform.answer([LYON], [0]) for _ in range(30)]
    collector = Collector(platform.world())

    passes = [collector.collect()]
    while passes[-1].is_behind:
        passes.append(collector.collect())

    assert max(done.n_records for done in passes) < 10
    assert sorted(row[0] for row in platform.logged()) == sorted(f"{id_}:0" for id_ in ids)
    assert platform.counted("features").n_rows == 30


STEPS = ("read", "decoded", "logged", "counting", "counted", "joined", "dropped")
CRASHES = """
import os, sys
from pathlib import Path
from loop.collecting import Platform
from boucle.loop.collect import collect

for step in sys.argv[2:]:
    if os.fork() == 0:  # before anything with threads of its own is imported
        collect(Platform(Path(sys.argv[1]) / step, crash_at=step).world())
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 137, step
"""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Platform, list[str]]]:
    """Platforms with three answers and one truth, whose collector died after each of its steps."""
    root, found = tmp_path_factory.mktemp("crashed"), {}
    for step in STEPS:
        (root / step).mkdir()
        platform = Platform(root / step)
        ids = [platform.answer([LYON], [1]) for _ in range(3)]
        platform.tell((f"{ids[0]}:0", 1))
        found[step] = (platform, ids)
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", CRASHES, str(root), *STEPS], env=environment, check=True)
    return found


@pytest.mark.parametrize("step", STEPS)
def test_killed_between_any_two_steps_each_answer_is_still_there_once(
    crashed: dict[str, tuple[Platform, list[str]]], step: str
) -> None:
    platform, ids = crashed[step]
    ids.append(platform.answer([LYON], [1]))

    collector = Collector(platform.world())
    for _ in range(3):
        collector.collect()

    assert sorted(row[0] for row in platform.logged()) == sorted(f"{id_}:0" for id_ in ids)
    assert [platform.counted(stream).n_rows for stream in ("traffic", "features", "answers", "quality")] == [4, 4, 4, 1]


def test_of_two_collectors_at_once_the_slower_adds_nothing(platform: Platform) -> None:
    platform.answer([LYON], [0])
    slow, quick = Collector(platform.world()), Collector(platform.world())
    slow.collect()
    quick.collect()
    platform.answer([NICE], [1])
    platform.tell((f"{uuid7()}:0", 1))
    pieces, _is_behind = slow._read()
    batch = slow._decoded(pieces)
    quick.collect()

    with pytest.raises(Conflict):
        slow._world.log.append(batch.rows, {piece.stream: piece.move for piece in pieces})
    with pytest.raises(Conflict):
        slow._count(pieces, batch)
    with pytest.raises(Conflict):
        slow.collect()

    slow.collect()
    assert (len(platform.logged()), platform.counted("features").n_rows) == (2, 2)


def test_tending_forgets_what_the_policy_does_not_keep_and_rolls_profiles_up(platform: Platform) -> None:
    day = 24 * 60 * MINUTE
    platform.policy = WatchPolicy(retention_days=30)
    for age in (40, 10, 0):
        platform.answer([LYON], [0], at=NOON - age * day + 7 * MINUTE)
    collect(platform.world())

    tend(platform.world())
    tend(platform.world())

    assert len(platform.logged()) == 2
    series = SqlProfileStore(platform.engine).series(Key("shop", 1, "features"), ALL)
    assert [(time, profile.n_rows) for time, profile in series.steps] == [(NOON - 10 * day, 1), (NOON + 7 * MINUTE, 1)]


def test_without_any_stream_a_pass_imports_neither_polars_nor_deltalake(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from loop.collecting import Platform\n"
        "from boucle.loop.collect import Collector\n"
        "c = Collector(Platform(Path(sys.argv[1])).world()); assert c.collect().is_nothing\n"
        "assert not {'polars', 'deltalake', 'pyarrow'} & set(sys.modules)"
    )
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=True)
