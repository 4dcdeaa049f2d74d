"""The ways out for alerts that the settings name; the log is always one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import quote

from boucle.adapters.channels import AlertmanagerChannel, AppriseChannel, LogChannel, MailChannel, WebhookChannel
from boucle.adapters.channels.mail import mail_server
from boucle.bootstrap.sockets import reachable
from boucle.core.alert import Alert
from boucle.core.errors import InvalidSetting
from boucle.monitoring.ports import Channel
from boucle.settings import Settings


def channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels. Raises InvalidSetting for a mail server without recipients, or the other way round."""
    found: list[Channel] = [LogChannel()]
    if settings.alert_webhook:
        found.append(WebhookChannel(settings.alert_webhook, settings.alert_webhook_token))
    if settings.alertmanager_url:
        found.append(AlertmanagerChannel(settings.alertmanager_url))
    if settings.alert_mail_to and not settings.smtp_url:
        raise InvalidSetting("BOUCLE_SMTP_URL", "", "the mail server that BOUCLE_ALERT_MAIL_TO needs")
    if settings.smtp_url:
        server = mail_server(settings.smtp_url)
        if not settings.alert_mail_to:
            raise InvalidSetting("BOUCLE_ALERT_MAIL_TO", "", "the addresses that BOUCLE_SMTP_URL shall send to")
        _require_lines("BOUCLE_ALERT_MAIL_FROM", (settings.alert_mail_from,))
        _require_lines("BOUCLE_ALERT_MAIL_TO", settings.alert_mail_to)
        found.append(MailChannel(server, settings.alert_mail_from, settings.alert_mail_to))
    if settings.apprise_urls:
        found.append(AppriseChannel(settings.apprise_urls))
    return tuple(found)


def _require_lines(name: str, addresses: Iterable[str]) -> None:
    """Refuse addresses that would be more than one line of a mail."""
    for address in addresses:
        if len(address.splitlines()) > 1:
            raise InvalidSetting(name, address, "mail addresses without a line break")


def link(settings: Settings) -> Callable[[Alert], str]:
    """Return what makes the address of an alert: its model's page, at the alert."""
    return lambda alert: f"{page_of(settings, alert.model)}#alert-{alert.id}"


def page_of(settings: Settings, model: str) -> str:
    """Return the address of a model's page."""
    base = settings.public_url.rstrip("/") or f"http://{reachable(settings.host)}:{settings.port}"
    return f"{base}/models/{quote(model, safe='')}"
