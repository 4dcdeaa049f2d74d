"""Slack, Teams, Matrix, ntfy and a hundred others, through apprise (extra ``apprise``)."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from boucle.core.alert import Alert
from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.monitoring.messages import message_of
from boucle.monitoring.ports import Event


class AppriseChannel:
    """``urls`` are apprise's own, such as ``slack://…``; they hold secrets."""

    name = "apprise"

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = tuple(urls)

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        """Deliver to all addresses. Raises Unavailable when any of them did not take it."""
        message = message_of(event, alert, link)
        try:
            import apprise
        except ImportError:
            raise Unavailable(_("apprise is not installed. Install it: pip install 'boucle[apprise]'"), 3600) from None
        logging.getLogger("apprise").disabled = True  # it writes addresses, and with them secrets, into its log
        ways = apprise.Apprise()
        unusable = [place for place, url in enumerate(self._urls, 1) if not ways.add(url)]
        kind = apprise.NotifyType.WARNING if event == "opened" else apprise.NotifyType.SUCCESS
        is_told = bool(ways.notify(body=message.text, title=message.subject, notify_type=kind)) if len(ways) else False
        if unusable:
            numbers = ", ".join(map(str, unusable))
            raise Unavailable(_("BOUCLE_APPRISE_URLS: address {n} is none that apprise knows.").format(n=numbers), 3600)
        if not is_told:
            raise Unavailable(_("apprise could not deliver to every address."), 60)
