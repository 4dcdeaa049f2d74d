"""What gateway and model host share: no database, no registry."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from boucle.adapters.artifacts import ObjectArtifacts
from boucle.adapters.uv import UvEnvironments
from boucle.bootstrap.home import Home
from boucle.settings import Settings, environment


def home_of(settings: Settings) -> Home:
    """Return the home of these settings, its folders made."""
    return Home(Path(settings.home)).prepare()


def artifacts(home: Home) -> ObjectArtifacts:
    """Return the artifact store of a home."""
    return ObjectArtifacts(home.artifacts, home.uploads)


def environments(settings: Settings) -> UvEnvironments:
    """Return the maker of environments; bytecode is kept beside uv's cache, for all homes of this user."""
    return UvEnvironments(
        Home(Path(settings.home)).environments,
        bytecode_cache=Path.home() / ".cache" / "boucle" / "bytecode",
        environ=environment(settings),
    )


def served_hosts(settings: Settings) -> tuple[str, ...]:
    """Return the host names served beside the loopback ones: those allowed, and the address listened on."""
    is_any = settings.host in ("0.0.0.0", "::")  # noqa: S104  # compared, not bound
    return settings.allowed_hosts if is_any else (*settings.allowed_hosts, settings.host)


def is_open(host: str) -> bool:
    """True when an address can be reached from beyond this machine."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
