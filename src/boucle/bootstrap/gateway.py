"""The gateway's process: answers predictions, from its own copy of the route table when need be."""

from __future__ import annotations

from boucle.adapters.models import StoredModels
from boucle.adapters.route_source import HttpRouteSource
from boucle.adapters.segments import SegmentJournal, SegmentOptions
from boucle.bootstrap import server
from boucle.bootstrap.data_plane import artifacts, home_of, is_open, served_hosts
from boucle.bootstrap.logs import write_logs
from boucle.gateway.app import Gateway, GatewayOptions, create_app
from boucle.gateway.protocol import ReceiptProtocol
from boucle.serving.batch import BatchOptions
from boucle.serving.limits import Limits
from boucle.settings import Settings, load


def gateway(settings: Settings) -> Gateway:
    """Wire the gateway: artifacts of the home, models behind the host's socket, routes from the control plane."""
    home = home_of(settings)
    control = f"http://{server.reachable(settings.host)}:{settings.port}"
    options = GatewayOptions(
        routes_copy=home.routes,
        token=home.token() if is_open(settings.host) else "",
        allowed_hosts=served_hosts(settings),
        limits=Limits(max_body_bytes=settings.max_body_bytes, max_rows=settings.max_rows),
        timeout_s=settings.predict_timeout_s,
        batch=BatchOptions(max_age_s=settings.predict_timeout_s),
        is_refusing_unlogged=settings.log_full == "refuse",
    )
    models, source = StoredModels(artifacts(home), home.socket), HttpRouteSource(control, home.token)
    return create_app(options, models, source, journal(settings))


def journal(settings: Settings) -> SegmentJournal:
    """Return the inference log of one life of a gateway; nothing is on the disk before its first record."""
    options = SegmentOptions(settings.log_segment_bytes, settings.log_segment_s, settings.log_fsync_s)
    return SegmentJournal(home_of(settings).segments, options)


def main() -> None:
    """Serve until SIGTERM."""
    settings = load()
    write_logs(home_of(settings).logs, "gateway", settings.log_level)
    on = server.listener(settings, settings.gateway_port)
    server.serve(gateway(settings), on, http=ReceiptProtocol)


if __name__ == "__main__":
    main()
