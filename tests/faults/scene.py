"""The scene of the faults: a whole platform, processes that are killed, and what is in its log and its profiles."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import sqlalchemy as sa

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.segment_reader import SegmentReader
from boucle.adapters.sql import SqlJobStore, SqlProfileStore, SqlTruthStore, open_database
from boucle.bootstrap.home import Home
from boucle.bootstrap.supervisor import last_words
from boucle.core.profile import Profile
from boucle.core.report import Span
from boucle.jobs.job import JobQuery
from boucle.monitoring.ports import Key, Stream
from boucle.settings import Settings, environment
from faults.load import MODEL

IS_LONG = os.environ.get("BOUCLE_FAULTS", "") not in ("", "0")
TESTS = Path(__file__).parents[1]
ALL = Span(0, 4_000_000_000_000_000)


def seeded(name: str) -> random.Random:
    """Return dice whose seed is printed; BOUCLE_FAULTS_SEED throws the same again."""
    seed = int(os.environ.get("BOUCLE_FAULTS_SEED") or time.time_ns() % 1_000_000)
    print(f"{name}: seed {seed}")
    return random.Random(seed)  # noqa: S311  # not for secrets


def until(is_so: Callable[[], Any], what: str, within_s: float = 60.0) -> Any:
    """Wait until something is so and return it; fail with a word when it never is."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.02)
    raise AssertionError(f"after {within_s:g} s: not {what}")


@dataclass(frozen=True)
class Scene:
    """A running platform and what can be seen of it from outside."""

    settings: Settings
    home: Home

    @property
    def told(self) -> dict[str, Any]:
        found = self.home.platform()
        assert found is not None
        return found

    @property
    def gateway(self) -> str:
        return str(self.told["gateway_url"])

    def until(self, is_so: Callable[[], Any], what: str, within_s: float = 60.0) -> Any:
        """Wait as ``until`` does; when in vain, tell what the processes said last: one may not start any more."""
        try:
            return until(is_so, what, within_s)
        except AssertionError as error:
            said = {name: last_words(self.home, name) for name in ("worker", "gateway", "control")}
            told = "\n".join(f"{name}: {words}" for name, words in said.items() if words)
            raise AssertionError(f"{error}\n{told}") from None

    def pid(self, name: str) -> int:
        """Return the process of a name as of now; 0 while it is about to be started again."""
        return int(self.told["pids"].get(name, 0))

    def kill(self, name: str) -> None:
        """Kill a process with -9 and return when another one has its name."""
        pid = self.until(lambda: self.pid(name), f"{name} started")
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: self.pid(name) not in {0, pid}, f"{name} started again")

    def collecting(self) -> int | None:
        """Return the process that collects now."""
        for job in SqlJobStore(self.engine).list(JobQuery("collect", ("running",))):
            with suppress(OSError):
                worker = self.pid("worker")
                for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text().split():
                    if Path(f"/proc/{pid}/fd/1").readlink().stem == job.id:
                        return int(pid)
        return None

    def ask(self, rows: list[dict[str, Any]], address: str = "") -> httpx.Response:
        """Ask the model."""
        return httpx.post(f"{address or self.gateway}/models/{MODEL}/invocations", json=rows, trust_env=False)

    def process(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a process of Python with the settings of this platform, and others."""
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        told = {**environment(self.settings), "BOUCLE_HOME": str(self.home.root), "PYTHONPATH": path, **settings}
        return subprocess.Popen([sys.executable, *arguments], env=told)

    # What was collected

    @cached_property
    def engine(self) -> sa.Engine:
        return open_database(self.home.database_url)

    def streams(self) -> tuple[str, ...]:
        return SegmentReader(self.home.segments).streams()

    def settle(self) -> None:
        """End the gateway's stream and return when all streams were collected and deleted, and all truths joined."""
        self.kill("gateway")
        self.until(lambda: not self.streams(), "all streams collected and deleted", 120)
        self.until(lambda: not SqlTruthStore(self.engine).counts(MODEL).waiting, "all ground truth joined", 120)

    def logged(self) -> pl.DataFrame:
        """Return the rows of the log."""
        found: pl.DataFrame = DeltaLog(self.home.inference_log).rows(MODEL, ALL).collect()
        return found

    def counted(self, stream: Stream) -> Profile:
        """Return the profile of all that was ever counted."""
        return SqlProfileStore(self.engine).series(Key(MODEL, 1, stream), ALL).within(ALL)

    def outcomes(self) -> dict[str, int]:
        """Return how many requests were answered, refused, failed and lost."""
        return levels(self.counted("traffic"), "outcome")

    def truths(self) -> dict[str, Any]:
        """Return the joined ground truth by id."""
        return {truth.id: truth.value for truth in SqlTruthStore(self.engine).joined(MODEL, ALL)}


def levels(profile: Profile, column: str) -> dict[str, int]:
    """Return the counts of the levels of a column."""
    place = next(i for i, part in enumerate(profile.grid.parts) if (part.column, part.aspect) == (column, ""))
    names = (*profile.grid.parts[place].levels, "other", "unseen")
    return dict(zip(names, profile.counts[profile.part(place)].tolist(), strict=True))


@dataclass
class Acknowledged:
    """What a load was told: rows and answers by ``id:row``, the last ground truth by id, and all else it saw."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    truths: dict[str, Any] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)


@contextmanager
def load(scene: Scene, folder: Path, seed: int) -> Iterator[Callable[[], int]]:
    """Keep the gateway asked for the length of a block; yields how many bytes of answers were acknowledged."""
    folder.mkdir(exist_ok=True)
    process = scene.process("-m", "faults.load", str(folder), scene.gateway, str(seed))
    answers = folder / "answers"
    try:
        until(answers.exists, "the load at work")
        yield lambda: answers.stat().st_size
        process.terminate()
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.wait()


def acknowledged(folder: Path) -> Acknowledged:
    """Read what a load has written down."""
    found = Acknowledged(statuses=json.loads((folder / "statuses").read_text()))
    for line in (folder / "answers").read_text().splitlines():
        id_, rows, said = json.loads(line)
        found.rows.update({f"{id_}:{i}": row for i, row in enumerate(rows)})
        found.answers.update({f"{id_}:{i}": value for i, value in enumerate(said)})
    for line in (folder / "truths").read_text().splitlines():
        found.truths.update(dict(json.loads(line)))
    return found
