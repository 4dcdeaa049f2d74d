"""A runner as a process of its own, for the tests: ``worker.py URL FOLDER OWNER OPTIONS``.

Jobs tell what they do by lines in ``FOLDER/seen`` (one short append each: whole or not at all).
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.sql import SqlJobStore, SqlScheduleStore, open_database
from boucle.jobs.context import JobContext
from boucle.jobs.job import Job
from boucle.jobs.runner import Runner, RunnerOptions
from boucle.jobs.schedules import Schedules

URL, FOLDER, OWNER = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

ARTIFACTS = ObjectArtifacts(FOLDER / "artifacts", FOLDER / "uploads")


def say(word: str) -> None:
    handle = os.open(FOLDER / "seen", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{word}\n".encode())
    os.close(handle)


def note(context: JobContext) -> dict[str, Any]:
    """Say the word of the job and return it."""
    say(context.args["word"])
    print("noted", context.args["word"])
    return {"word": context.args["word"], "attempt": context.attempt}


def wait(context: JobContext) -> str:
    """Say ``started <owner> <pid>`` and work until the file ``go`` is there."""
    say(f"started {OWNER} {os.getpid()}")
    while not (FOLDER / "go").exists():
        time.sleep(0.01)
    say(f"worked {OWNER}")
    return OWNER


def steps(context: JobContext) -> list[int]:
    """Do three steps; die in the second at the first attempt."""

    def second() -> int:
        say("second")
        if context.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return 2

    def first() -> int:
        say("first")
        return 1

    return [context.step("first", first), context.step("second", second), context.step("third", lambda: 3)]


def raises(context: JobContext) -> None:
    """Raise as the arguments say."""
    raise ValueError(f"attempt {context.attempt} of a poor idea")


def dies(context: JobContext) -> None:
    """End without a word."""
    os._exit(3)


def odd(context: JobContext) -> Any:
    """Return what is no JSON."""
    return {1, 2}


def leaves(context: JobContext) -> None:
    """Leave a process behind, and a fork that holds every file of ours open."""
    left = subprocess.Popen(["sleep", "600"])
    fork = os.fork()
    if fork == 0:
        time.sleep(600)
        os._exit(0)
    say(f"left {left.pid} {fork}")


def stores(context: JobContext) -> str:
    """Write an artifact: obstore starts its threads in the child only."""
    return ARTIFACTS.write(context.args["text"].encode()).digest


HANDLERS = {h.__name__: h for h in (note, wait, steps, raises, dies, odd, leaves, stores)}


def main() -> None:
    """Run until SIGTERM."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    engine = open_database(URL)
    options = RunnerOptions(OWNER, FOLDER / "logs", **json.loads(sys.argv[4]))

    def failed(job: Job, error: str) -> None:
        say(f"failed {job.kind} {error}")

    runner = Runner(SqlJobStore(engine), HANDLERS, options, Schedules(SqlScheduleStore(engine)), failed)
    say(f"ready {OWNER} {os.getpid()}")
    runner.run(lambda: bool(stopped))


if __name__ == "__main__":
    main()
