"""The control plane's process: the one migrator of the database, then pages and REST API."""

from __future__ import annotations

import threading
from importlib.metadata import version

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.shipping import ShippedStreams
from boucle.adapters.sql import (
    SqlJobStore,
    SqlProfileStore,
    SqlScheduleStore,
    SqlTruthStore,
    SqlWatchStore,
    migrate,
)
from boucle.adapters.traffic import GatewayTraffic
from boucle.bootstrap import server, wiring
from boucle.bootstrap.channels import channels
from boucle.bootstrap.data_plane import artifacts, home_of, is_open, served_hosts
from boucle.bootstrap.logs import write_logs
from boucle.loop.exploring import ExploreWorld, explore
from boucle.loop.periodic import Shelf
from boucle.loop.reports import ReportWorld
from boucle.loop.warm import WarmSeries, warm_reports
from boucle.settings import Settings, load
from boucle.web.app import create_app
from boucle.web.plane import ControlPlane

stopping = threading.Event()


def control_plane(settings: Settings) -> ControlPlane:
    """Wire the control plane over a migrated database."""
    home = home_of(settings)
    engine = wiring.database(home)
    migrate(engine)
    gateway_url = f"http://{server.reachable(settings.host)}:{settings.gateway_port}"
    token = home.token()
    registry, watching = wiring.registry(engine), SqlWatchStore(engine)
    profiles, truths = SqlProfileStore(engine), SqlTruthStore(engine)
    return ControlPlane(
        registry=registry,
        jobs=SqlJobStore(engine),
        schedules=SqlScheduleStore(engine),
        artifacts=artifacts(home),
        traffic=GatewayTraffic(lambda: gateway_url, token),
        token=token,
        gateway_url=lambda: gateway_url,
        version=version("boucle"),
        build_timeout_s=settings.build_timeout_s,
        is_open_to_network=is_open(settings.host),
        allowed_hosts=served_hosts(settings),
        is_stopping=stopping.is_set,
        watching=watching,
        profiles=profiles,
        truths=truths,
        channels=tuple(channel.name for channel in channels(settings)),
        streams=ShippedStreams(home.segments),
        reports=warm_reports(
            lambda warm: ReportWorld(registry, profiles, truths, watching, wiring.now_us, warm), WarmSeries(profiles)
        ),
        shelf=Shelf(home.reports),
        rows=lambda query: explore(ExploreWorld(registry, DeltaLog(home.inference_log), truths), query),
    )


def main() -> None:
    """Serve until SIGTERM."""
    settings = load()
    write_logs(home_of(settings).logs, "control", settings.log_level)
    on = server.listener(settings, settings.port)
    server.serve(create_app(control_plane(settings)), on, when_stopping=stopping.set)


if __name__ == "__main__":
    main()
