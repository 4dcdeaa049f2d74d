"""Where the platform is: the address given, that of BOUCLE_URL, or the local one, started when nothing listens."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from boucle.client.wire import Wire, is_loopback
from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.settings import Settings, environment

START_S = 120.0
# The last two are in no environment of a project by chance, as the others may be.
_SERVER_PARTS = ("uvicorn", "fastapi", "sqlalchemy", "onnxruntime", "prometheus_client", "cronsim")


@dataclass(frozen=True)
class Address:
    """``is_local_default``: nobody named an address, so the local platform is meant.

    ``is_down``: that platform has run from this home and does not now; whatever listens at its usual port is another's.
    """

    url: str
    token: str
    is_local_default: bool
    is_down: bool = False


def find_address(settings: Settings, url: Optional[str] = None, token: Optional[str] = None) -> Address:
    """Return the address and the token.

    Address: as given, else BOUCLE_URL, else what the running platform of the home wrote, else the port set, here.
    Token: as given, else BOUCLE_TOKEN, else the one in the home; that one is never sent to another machine.
    """
    named = url or settings.url
    home = Path(settings.home)
    running = _platform(home).get("url")
    found = named or running or f"http://127.0.0.1:{settings.port}"
    secret = token or settings.token or (_home_token(home) if is_loopback(found) or not named else "")
    is_down = not named and running is None and (home / "token").exists()
    return Address(str(found), secret, is_local_default=not named, is_down=is_down)


def can_start() -> bool:
    """Return True when the server part is installed in this Python."""
    return all(importlib.util.find_spec(name) is not None for name in _SERVER_PARTS)


def ensure_listening(settings: Settings, address: Address, tell: Callable[[str], None]) -> Address:
    """Return the address of a platform that listens, starting the local one if need be.

    Raises Unavailable when nothing listens and none can be started here.
    """
    if not address.is_local_default or (not address.is_down and Wire(address.url).answers()):
        return address
    if not can_start():
        raise Unavailable(
            _(
                "Nothing answers at {url}. Name a platform with BOUCLE_URL, or install one here: "
                "pip install 'boucle[server]' (Python 3.11+), then: boucle up"
            ).format(url=address.url)
        )
    tell(_("Nothing listens at {url}: starting the local platform").format(url=address.url))
    told = _start(settings)
    tell(_("The local platform is up at {url} (stop it with: boucle down)").format(url=told["url"]))
    return Address(str(told["url"]), _home_token(Path(settings.home)), is_local_default=True)


def _start(settings: Settings) -> dict[str, Any]:
    command = [sys.executable, "-m", "boucle.cli.main", "up", "--detach", "--json"]
    try:
        done = subprocess.run(
            command, env=environment(settings), capture_output=True, text=True, timeout=START_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        text = _("The local platform did not start in {n:g} s. See: boucle doctor").format(n=START_S)
        raise Unavailable(text) from error
    told = _object(done.stdout.strip().rpartition("\n")[2])
    if done.returncode != 0 or "url" not in told:
        cause = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2][:300]
        raise Unavailable(_("The local platform did not start: {cause}. See: boucle doctor").format(cause=cause))
    return told


def _platform(home: Path) -> dict[str, Any]:
    try:
        return _object((home / "platform.json").read_text(encoding="utf-8"))
    except OSError:
        return {}


def _home_token(home: Path) -> str:
    try:
        return (home / "token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
