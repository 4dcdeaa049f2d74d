"""kill -9 of a journal and of a collector, without a platform: nothing acknowledged is lost, and nothing is twice.

With ``make faults`` only: 50 kills of the collector, 100 of the writer. The seed is printed: set BOUCLE_FAULTS_SEED
to see the same again.
"""

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boucle.loop.collect import Collector
from faults.scene import IS_LONG
from loop.collecting import Platform

N_COLLECTORS, N_WRITERS = 50, 100
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}

WRITES = """
import os, sys, time
from pathlib import Path
from loop.collecting import NOON, answered
from boucle.adapters.segments import SegmentJournal, SegmentOptions
from boucle.core.segment import pack

journal = SegmentJournal(Path(sys.argv[1]) / "segments", SegmentOptions(segment_bytes=20_000))
acknowledged = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
print("ready", flush=True)
while True:
    record = answered([{"price": 1.0, "city": "Lyon"}] * 3, [0, 1, 0], NOON)
    journal.append(pack(record))
    os.write(acknowledged, record.prediction_id.encode() + b"\\n")
    time.sleep(0.001)
"""
COLLECTS = """
import sys, time
from pathlib import Path
from loop.collecting import Platform
from boucle.core.errors import Conflict
from boucle.loop.collect import Collector

collector = Collector(Platform(Path(sys.argv[1])).world())
while True:
    try:
        collector.collect()
    except Conflict:
        pass
    print("ready", flush=True)
    time.sleep(0.02)
"""


class Killed:
    """A process that is killed with -9 after a random time and begun again, until its kills are used up."""

    def __init__(self, script: str, arguments: list[str], n_kills: int, longest_s: float) -> None:
        self._command = [sys.executable, "-c", script, *arguments]
        self._longest_s = longest_s
        self.left = n_kills
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(self._command, env=ENVIRONMENT, stdout=subprocess.PIPE)
        self._until: float | None = None

    def step(self) -> None:
        """Kill it when its time has come, counted from its first word. It must not have ended by itself."""
        if not self.left:
            return
        assert self._process.poll() is None
        if self._until is None:
            assert self._process.stdout is not None
            if select.select([self._process.stdout], [], [], 0)[0]:
                self._until = time.monotonic() + random.random() * self._longest_s  # noqa: S311  # not for secrets
        elif time.monotonic() >= self._until:
            self.kill()
            self.left -= 1
            if self.left:
                self._start()

    def kill(self) -> None:
        """Kill it now."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(not IS_LONG, reason="runs with `make faults`: test_kills does as much, with whole processes")
def test_no_acknowledged_answer_is_lost_and_none_is_twice_whatever_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("BOUCLE_FAULTS_SEED", time.time_ns() % 1_000_000))
    print("seed", seed)
    random.seed(seed)
    platform, told = Platform(tmp_path), tmp_path / "acknowledged"
    collecting = Killed(COLLECTS, [str(tmp_path)], N_COLLECTORS, 1.5)
    writing = Killed(WRITES, [str(tmp_path), str(told)], N_WRITERS, 0.8)
    try:
        while collecting.left or writing.left:
            collecting.step()
            writing.step()
            time.sleep(0.01)
    finally:
        collecting.kill()
        writing.kill()
    collector = Collector(platform.world())
    while not collector.collect().is_nothing:
        pass

    acknowledged = {f"{line}:{row}" for line in told.read_text().splitlines() for row in range(3)}
    logged = [row[0] for row in platform.logged()]
    print(len(acknowledged), "rows acknowledged,", len(logged), "in the log")
    assert len(logged) == len(set(logged))
    assert acknowledged <= set(logged)
    assert platform.counted("features").n_rows == platform.counted("answers").n_rows == len(logged)
    assert platform.counted("traffic").n_rows * 3 == len(logged)
