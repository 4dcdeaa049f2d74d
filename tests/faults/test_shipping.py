"""The log of a gateway on another machine, while control plane and shipper are killed and the cable between them is
pulled out: all arrives, exactly once.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from boucle.adapters.segment_reader import SegmentReader
from boucle.adapters.segments import SegmentJournal, SegmentOptions
from boucle.core.ids import uuid7
from boucle.core.record import InferenceRecord
from boucle.core.segment import pack
from faults.cable import Cable
from faults.load import MODEL
from faults.scene import IS_LONG, Scene, seeded, until

N_FAULTS, N_STREAMS, N_RECORDS = (60, 10, 2_000) if IS_LONG else (4, 2, 100)
LONGEST_AWAY_S = 3.0 if IS_LONG else 0.5


class Shipper:
    """The shipper's process of another machine's home, killed and begun again."""

    def __init__(self, scene: Scene, home: Path, url: str) -> None:
        self._scene, self._home, self._url = scene, home, url
        self._start()

    def _start(self) -> None:
        self.process: subprocess.Popen[bytes] = self._scene.process(
            "-m",
            "faults.eager_shipper",
            BOUCLE_HOME=str(self._home),
            BOUCLE_URL=self._url,
            BOUCLE_TOKEN=self._scene.home.token(),
        )

    def kill(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def records(journal: SegmentJournal, template: tuple[bytes, dict[str, Any]], n: int) -> set[str]:
    """Write answers as a gateway does; return their prediction ids."""
    asked, said = template
    ids = {uuid7() for _record in range(n)}
    for id_ in sorted(ids):
        now, answer = time.time_ns() // 1_000, json.dumps({**said, "prediction_id": id_}).encode()
        journal.append(
            pack(InferenceRecord("answer", MODEL, 1, id_, now, now, caller="far", request=asked, answer=answer))
        )
        time.sleep(0.001)
    return ids


@pytest.mark.slow
def test_a_shipped_log_arrives_exactly_once_whatever_is_killed(scene: Scene, tmp_path: Path) -> None:
    dice = seeded("shipping")
    asked = [{"number": 7, "price": 0.25, "city": "Rome"}]
    template = json.dumps(asked).encode(), scene.ask(asked).json()
    segments, written = tmp_path / "segments", set[str]()
    cable, faults = Cable(scene.told["url"]), Counter[str]()
    shipper = Shipper(scene, tmp_path, cable.address)
    try:
        for _stream in range(N_STREAMS):
            journal = SegmentJournal(segments, SegmentOptions(segment_bytes=20_000))
            for _part in range(N_FAULTS // N_STREAMS):
                written |= records(journal, template, N_RECORDS // N_STREAMS)
                time.sleep(dice.uniform(0.0, 0.3))
                what = ("cable", "shipper", "control")[faults.total() % 3]
                if what == "cable":
                    with cable.pulled_out():
                        written |= records(journal, template, N_RECORDS // N_STREAMS)
                        time.sleep(dice.uniform(0.0, LONGEST_AWAY_S))
                elif what == "shipper":
                    shipper.kill()
                else:
                    scene.kill("control")
                faults[what] += 1
            journal.close()
        until(lambda: not SegmentReader(segments).streams(), "all shipped and deleted here", 120)
    finally:
        shipper.end()
        cable.close()
    scene.settle()

    far = [id_ for id_, caller in scene.logged().select("prediction_id", "caller").iter_rows() if caller == "far"]
    print(f"{dict(faults)}; {len(written)} records written far away, {len(far)} in the log")
    assert sorted(far) == sorted(f"{id_}:0" for id_ in written)
