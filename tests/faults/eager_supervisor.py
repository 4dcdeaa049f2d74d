"""The supervisor as it is, but that it starts what died again at once and runs the eager worker."""

from __future__ import annotations

from boucle.bootstrap import supervisor


class Eager(supervisor.Supervisor):
    """Waits never long before it starts a process again: a hundred kills shall not take an hour."""

    def _spawn(self, process: supervisor.Process) -> None:
        if process.name == "worker":
            process.module = "faults.eager_worker"
        super()._spawn(process)


if __name__ == "__main__":
    supervisor.MAX_BACKOFF_S = 0.2
    supervisor.Supervisor = Eager  # type: ignore[misc]  # main() makes one
    supervisor.main()
