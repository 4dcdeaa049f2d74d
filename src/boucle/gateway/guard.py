"""Who may ask: names of this host only, no foreign web page, and the token where one is set.

Checked on the headers alone, before a byte of the body is read.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from boucle.core.errors import NotAllowed
from boucle.core.i18n import _

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
Headers = Mapping[bytes, bytes]


class Guard:
    """``token`` empty: none is asked for (loopback only)."""

    def __init__(self, allowed_hosts: tuple[str, ...] = (), token: str = "") -> None:
        self._hosts = frozenset(host.lower().encode() for host in (*LOOPBACK, *allowed_hosts))
        self._bearer = f"Bearer {token}".encode() if token else b""

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raise NotAllowed for a host that is not served, a token that is not right, or a foreign page's request."""
        host = headers.get(b"host", b"")
        if host not in self._hosts and _without_port(host) not in self._hosts:
            raise NotAllowed(
                "unknown-host", _("This host name is not served. Allow it in BOUCLE_ALLOWED_HOSTS if it is yours.")
            )
        if self._bearer and path != "/livez":
            self._check_token(headers.get(b"authorization", b""))
        if method not in ("GET", "HEAD"):
            _check_origin(host, headers)

    def _check_token(self, given: bytes) -> None:
        if not given:
            raise NotAllowed("missing-token", _("Send the header Authorization: Bearer <token>."))
        if not hmac.compare_digest(given, self._bearer):
            raise NotAllowed("wrong-token", _("The token is not this platform's. It lies in its home, file token."))


def _without_port(host: bytes) -> bytes:
    """Return a Host header less its port, in lower case.

    >>> _without_port(b"LocalHost:8080"), _without_port(b"[::1]:80"), _without_port(b"[::1]")
    (b'localhost', b'[::1]', b'[::1]')
    """
    name, colon, port = host.lower().rpartition(b":")
    return name if colon and port.isdigit() else host.lower()


def _check_origin(host: bytes, headers: Headers) -> None:
    """Refuse what a browser says another site's page sends; programs send neither header."""
    origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", b"none")
    is_own = origin is None or origin.lower().partition(b"://")[2] == host.lower()
    if not is_own or site not in (b"none", b"same-origin"):
        raise NotAllowed("foreign-origin", _("Requests from pages of other origins are not served."))
