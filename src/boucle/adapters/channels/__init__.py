"""Ways out for alerts. Each raises Unavailable, with a message free of secrets, when it could not deliver now."""

from boucle.adapters.channels.alertmanager import AlertmanagerChannel
from boucle.adapters.channels.apprise_channel import AppriseChannel
from boucle.adapters.channels.log import LogChannel
from boucle.adapters.channels.mail import MailChannel
from boucle.adapters.channels.webhook import WebhookChannel

__all__ = ["AlertmanagerChannel", "AppriseChannel", "LogChannel", "MailChannel", "WebhookChannel"]
