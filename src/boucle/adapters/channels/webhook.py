"""Webhook: a POST in the form of Alertmanager's webhooks, version 4, that many tools read already."""

from __future__ import annotations

from boucle.adapters.channels.form import webhook_body
from boucle.adapters.channels.posting import post
from boucle.core.alert import Alert
from boucle.core.i18n import _
from boucle.monitoring.alerting import apart
from boucle.monitoring.ports import Event


class WebhookChannel:
    """``token`` is sent as a bearer token when there is one."""

    name = "webhook"

    def __init__(self, url: str, token: str = "") -> None:
        self._url, self._token = url, token

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        """Post the alert and those told with it. Raises Unavailable."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        post(_("The webhook"), self._url, webhook_body(event, apart(alert), link), headers)
