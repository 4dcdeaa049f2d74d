"""The worker as it is, but that collecting hardly pauses, goes on soon after a kill, and deletes segments at once.

So a random moment falls often into the midst of a pass, and fifty kills do not take an hour.
"""

from __future__ import annotations

from dataclasses import replace

from boucle.bootstrap import collecting, worker
from boucle.jobs import runner
from boucle.loop import collect

if __name__ == "__main__":
    collecting.PAUSE_S = 0.02
    collect_often, tend = collecting.SCHEDULES
    often = replace(collect_often.options, max_attempts=1_000)
    collecting.SCHEDULES = replace(collect_often, options=often), tend
    collect._DROP_EVERY_US = 200_000
    runner.LONGEST_DELAY_S = 0.1
    worker.main()
