"""Mail by SMTP, as plain text and HTML."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from boucle.core.alert import Alert
from boucle.core.errors import InvalidSetting, Unavailable
from boucle.core.i18n import _
from boucle.monitoring.messages import message_of, one_line
from boucle.monitoring.ports import Event

TIMEOUT_S = 20.0
SETTING = "BOUCLE_SMTP_URL"
EXPECTED = "smtp://user:password@host:587 or smtps://…:465, with ?starttls=always, auto or never"


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over. ``starttls`` is ``always`` (no mail without), ``auto`` (when offered) or ``never``."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    is_tls: bool = False
    starttls: str = "auto"

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"MailServer(host={self.host!r}, port={self.port})"


def mail_server(url: str) -> MailServer:
    """Read the address of a mail server. Raises InvalidSetting, which never repeats it: it may hold a password.

    A password is only sent over TLS, unless ``?starttls=never`` asks for it.

    >>> mail_server("smtp://ada:secret@mail.example:587").starttls
    'always'
    """
    try:
        parts = urlsplit(url)
        port, scheme = parts.port, parts.scheme
    except ValueError:
        port, parts, scheme = None, urlsplit(""), ""
    user = unquote(parts.username or "")
    starttls = parse_qs(parts.query).get("starttls", ["always" if user else "auto"])[-1]
    if scheme not in ("smtp", "smtps") or not parts.hostname or starttls not in ("always", "auto", "never"):
        raise InvalidSetting(SETTING, "…", EXPECTED)
    is_tls = scheme == "smtps"
    default = 465 if is_tls else 587 if user else 25
    return MailServer(parts.hostname, port or default, user, unquote(parts.password or ""), is_tls, starttls)


class MailChannel:
    """``trust`` are the certificates that the server is checked against (None: those of the system)."""

    name = "mail"

    def __init__(
        self, server: MailServer, sender: str, recipients: Iterable[str], trust: ssl.SSLContext | None = None
    ) -> None:
        self._server, self._sender, self._recipients = server, sender, tuple(recipients)
        self._trust = trust

    def tell(self, event: Event, alert: Alert, link: str) -> None:
        """Hand the mail over. Raises Unavailable, also when any of the recipients was refused."""
        self._hand_over(lambda: self._mail(event, alert, link))

    def send(self, subject: str, text: str, page: tuple[str, bytes] | None = None) -> None:
        """Hand over a mail with an HTML file (name, bytes) that goes with it. Raises Unavailable, as ``tell`` does."""

        def made() -> EmailMessage:
            mail = self._addressed(one_line(subject), text)
            if page is not None:
                name, data = page
                mail.add_attachment(data, maintype="text", subtype="html", filename=name)
            return mail

        self._hand_over(made)

    def _hand_over(self, made: Callable[[], EmailMessage]) -> None:
        try:
            mail = made()
            with self._connected() as server:
                refused = server.send_message(mail)
        except smtplib.SMTPResponseException as error:
            raise Unavailable(_("The mail server answered {code}.").format(code=error.smtp_code), 60) from None
        except (smtplib.SMTPException, OSError) as error:
            kind = type(error).__name__
            raise Unavailable(_("The mail could not be handed over ({kind}).").format(kind=kind), 60) from None
        except ValueError as error:  # UnicodeError is one too; its words may hold what was to be sent
            kind = type(error).__name__
            raise Unavailable(_("The mail cannot be written as it is ({kind}).").format(kind=kind), 3600) from None
        if refused:
            raise Unavailable(_("The mail server refused {n} recipient(s).").format(n=len(refused)), 60)

    def _connected(self) -> smtplib.SMTP:
        told = self._server
        trust = self._trust or ssl.create_default_context()
        if told.is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(told.host, told.port, timeout=TIMEOUT_S, context=trust)
        else:
            server = smtplib.SMTP(told.host, told.port, timeout=TIMEOUT_S)
        try:
            server.ehlo()
            is_offered = not told.is_tls and server.has_extn("starttls")
            if not told.is_tls and (told.starttls == "always" or (told.starttls == "auto" and is_offered)):
                server.starttls(context=trust)
            if told.user:
                server.login(told.user, told.password)
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, event: Event, alert: Alert, link: str) -> EmailMessage:
        words = message_of(event, alert, link)
        mail = self._addressed(words.subject, words.text)
        mail.add_alternative(words.html, subtype="html")
        return mail

    def _addressed(self, subject: str, text: str) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = subject
        mail["From"], mail["To"] = self._sender, ", ".join(self._recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = make_msgid(domain=parseaddr(self._sender)[1].rpartition("@")[2] or "localhost")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail
