"""The shipper's process, beside a gateway on another machine: sends its inference log to the control plane.

Started with BOUCLE_HOME, BOUCLE_URL and BOUCLE_TOKEN set: python -m boucle.bootstrap.shipper
"""

from __future__ import annotations

import logging
import random
import signal
import threading

from boucle.adapters.shipping import Shipper
from boucle.bootstrap.data_plane import home_of
from boucle.bootstrap.logs import write_logs
from boucle.core.errors import InvalidSetting, Unavailable
from boucle.settings import load

log = logging.getLogger("boucle.shipper")
_PAUSE_S, _MAX_PAUSE_S = 1.0, 60.0


def follow(shipper: Shipper, stopping: threading.Event) -> None:
    """Send what is there each second, until told to stop; while the control plane is away, ask with growing pauses."""
    pause_s = _PAUSE_S
    while not stopping.is_set():
        try:
            shipper.ship()
            pause_s = _PAUSE_S
        except (Unavailable, OSError) as error:
            log.warning("the inference log waits on this machine", extra={"cause": str(error)})
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)
        stopping.wait(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads the tries, hides nothing
    shipper.close()


def main() -> None:
    """Ship until SIGTERM."""
    settings = load()
    if not settings.url:
        raise InvalidSetting("BOUCLE_URL", settings.url, "the address of the control plane")
    home = home_of(settings)
    write_logs(home.logs, "shipper", settings.log_level)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_told: stopping.set())
    follow(Shipper(home.segments, settings.url, lambda: settings.token or home.token()), stopping)


if __name__ == "__main__":
    main()
