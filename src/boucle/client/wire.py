"""HTTP to one address: timeouts always, no proxy for this machine, and problems turned into errors of ours."""

from __future__ import annotations

import ipaddress
import weakref
from typing import Any, Optional
from urllib.parse import urlsplit

import httpx

from boucle.client.problems import error_of
from boucle.core.errors import TooSlow, Unavailable
from boucle.core.i18n import _, current_language

TIMEOUT = httpx.Timeout(30.0, connect=5.0)


def is_loopback(url: str) -> bool:
    """Return True for an address of this machine.

    >>> is_loopback("http://127.0.0.1:8000"), is_loopback("http://localhost"), is_loopback("https://boucle.example")
    (True, True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Wire:
    """Requests to ``url``, with the token when there is one."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        headers = {"Accept-Language": current_language()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=not is_loopback(url))
        weakref.finalize(self, self.http.close)  # a notebook never closes what it does not see

    def get(self, path: str, **query: Any) -> Any:
        """Return the JSON document at a path."""
        return self.checked("GET", path, params=query).json()

    def post(self, path: str, document: Any) -> Any:
        """Send a JSON document; return the JSON answer."""
        return self.checked("POST", path, json=document).json()

    def checked(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the answer. Raises the BoucleError that the answer tells."""
        response = self.send(method, path, **options)
        if response.is_success:
            return response
        raise error_of(response)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the answer, whatever its status.

        Raises Unavailable when nothing answers, TooSlow when the answer does not come.
        """
        try:
            return self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise self.unreachable(error) from error

    def unreachable(self, error: httpx.TransportError) -> Exception:
        """Return the error for an answer that never came."""
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return TooSlow(self.url, self.http.timeout.read or 0.0)
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            cure = _("Start the platform with: boucle up") if is_loopback(self.url) else _("Check BOUCLE_URL.")
            return Unavailable(_("Nothing answers at {url}. {cure}").format(url=self.url, cure=cure))
        return Unavailable(_("The connection to {url} broke: {cause}").format(url=self.url, cause=error))

    def answers(self) -> bool:
        """Return True when something listens at the address."""
        try:
            self.http.get("/livez", timeout=2.0)
        except httpx.TransportError:
            return False
        return True


def json_of(response: httpx.Response) -> Optional[dict[str, Any]]:
    """Return the body of an answer when it is a JSON object, else None."""
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
