"""The model host's process: owns the model workers of this machine, shared by its gateways."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from boucle.adapters.model_process import ModelProcess
from boucle.bootstrap.data_plane import artifacts, environments, home_of
from boucle.bootstrap.logs import write_logs
from boucle.serving.host import ModelHost, serve
from boucle.serving.worker_slot import HostOptions, HostWorld
from boucle.settings import Settings, load


def model_host(settings: Settings) -> ModelHost:
    """Wire the model host."""
    home = home_of(settings)
    world = HostWorld(environments(settings), artifacts(home), ModelProcess)
    logs = home.logs / "models"
    logs.mkdir(exist_ok=True, mode=0o700)
    return ModelHost(world, HostOptions(logs, predict_timeout_s=settings.predict_timeout_s))


async def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await serve(model_host(settings), home_of(settings).socket, stopping)


def main() -> None:
    """Run the process."""
    settings = load()
    write_logs(home_of(settings).logs, "host", settings.log_level)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
