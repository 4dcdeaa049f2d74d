"""kill -9 of gateway, worker and collector under load: nothing acknowledged is lost, and nothing is there twice.

``make faults`` sets BOUCLE_FAULTS=1: 100 kills of the gateway and 50 of the collector; without it a few of each. The
seed is printed: set BOUCLE_FAULTS_SEED for the same dice.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from faults.scene import IS_LONG, Acknowledged, Scene, acknowledged, levels, load, seeded

N_GATEWAYS, N_COLLECTORS = (100, 50) if IS_LONG else (3, 2)
LONGEST_S = 1.0 if IS_LONG else 0.5


def kill_gateways(scene: Scene, dice: random.Random, progress: Callable[[], int]) -> None:
    """Kill the gateway a random time after its first answers, again and again."""
    for _time in range(N_GATEWAYS):
        scene.until(partial(is_further, progress, progress()), "answers from the new gateway")
        time.sleep(dice.uniform(0.0, LONGEST_S))
        scene.kill("gateway")


def kill_collectors(scene: Scene, dice: random.Random, kills: Counter[str]) -> None:
    """Kill the collecting child, or now and then the worker and the child with it, at random moments of its life."""
    while kills.total() < N_COLLECTORS:
        pid = scene.until(scene.collecting, "a collector at work", 120)
        time.sleep(dice.uniform(0.0, LONGEST_S))
        whom = dice.choice(("collector", "collector", "worker"))
        with suppress(ProcessLookupError):
            os.kill(pid, 0)  # its minute may just be over
            if whom == "worker":
                scene.kill("worker")
            else:
                os.kill(pid, signal.SIGKILL)
            kills[whom] += 1
            scene.until(partial(is_gone, scene, pid), "the collector gone")


def is_further(progress: Callable[[], int], before: int) -> bool:
    return progress() > before


def is_gone(scene: Scene, pid: int) -> bool:
    return scene.collecting() != pid


@pytest.mark.slow
def test_no_acknowledged_answer_is_lost_and_none_is_twice_whatever_is_killed(scene: Scene, tmp_path: Path) -> None:
    dice, begun = seeded("kills"), datetime.now(UTC)
    kills: Counter[str] = Counter()
    with load(scene, tmp_path, dice.randrange(2**31)) as progress, ThreadPoolExecutor(1) as aside:
        killing = aside.submit(kill_collectors, scene, random.Random(dice.random()), kills)  # noqa: S311
        kill_gateways(scene, dice, progress)
        killing.result()
    scene.settle()

    told, rows = acknowledged(tmp_path), scene.logged()
    report(told, rows.filter(pl.col("logged_at") >= begun), kills)
    assert kills.total() == N_COLLECTORS
    check_log(told, rows)
    check_profiles(scene, rows)
    check_truth(scene, told)


def report(told: Acknowledged, rows: pl.DataFrame, kills: Counter[str]) -> None:
    ids = set(rows["prediction_id"])
    lost, extra = len(told.rows.keys() - ids), len(ids - told.rows.keys())
    print(f"{N_GATEWAYS} kills of the gateway, of the collector {dict(kills)}; seen {told.statuses}")
    print(f"{len(told.rows)} rows acknowledged, {rows.height} in the log ({extra} of them never acknowledged)")
    print(f"{lost} lost, {rows.height - len(ids)} twice; {len(told.truths)} ground truths acknowledged")


def check_log(told: Acknowledged, rows: pl.DataFrame) -> None:
    """Each acknowledged row is in the log once, with what was asked and what was said."""
    columns = rows.select("prediction_id", "inputs", "prediction").iter_rows()
    found = {id_: (json.loads(asked), json.loads(said)) for id_, asked, said in columns}
    assert len(found) == rows.height
    assert told.rows.keys() <= found.keys()
    assert told.rows == {id_: found[id_][0] for id_ in told.rows}
    assert told.answers == {id_: found[id_][1] for id_ in told.answers}


def check_profiles(scene: Scene, rows: pl.DataFrame) -> None:
    """The profiles of all minutes together hold exactly the rows of the log."""
    features = scene.counted("features")
    asked = pl.DataFrame([json.loads(text) for text in rows["inputs"]], infer_schema_length=None)
    assert features.n_rows == scene.counted("answers").n_rows == rows.height
    for place, part in enumerate(features.grid.parts):
        assert features.missing[place] == asked[part.column].null_count()
        if part.kind == "number" and not part.aspect:
            assert features.sums[features.part(place)].sum() == asked[part.column].sum()
    cities = Counter(asked["city"].drop_nulls().to_list())
    assert {city: n for city, n in levels(features, "city").items() if n} == cities
    requests = {id_.partition(":")[0] for id_ in rows["prediction_id"]}
    assert scene.outcomes()["answered"] == len(requests)


def check_truth(scene: Scene, told: Acknowledged) -> None:
    """Each ground truth is counted once, with the value that was told last."""
    assert scene.truths() == told.truths
    quality = scene.counted("quality")
    assert quality.n_rows == len(told.truths)
    values = Counter(str(value) for value in told.truths.values())
    assert {value: n for value, n in levels(quality, "truth").items() if n} == values
