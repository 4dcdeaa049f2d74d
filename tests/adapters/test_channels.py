"""Every way out delivers to a real local server, and fails without a word of its secrets."""

from __future__ import annotations

import email.policy
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from boucle.adapters.channels import (
    AlertmanagerChannel,
    AppriseChannel,
    LogChannel,
    MailChannel,
    WebhookChannel,
    posting,
)
from boucle.adapters.channels.form import fingerprint, labels_of, webhook_body
from boucle.adapters.channels.mail import MailServer, mail_server
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import InvalidSetting, Unavailable
from boucle.monitoring.alerting import together
from boucle.monitoring.ports import Channel

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr'")  # apprise reads an old module of the library
SECRET = "s3cret-of-the-tests"
SECOND = 1_000_000
AT = 1_783_864_800_000_000  # 2026-07-12 14:00:00 UTC
DRIFT = Check("drift", "fail", "2 of 20 columns moved", "none", "Look at price.", {"p_value": 1e-9})
ALERT = Alert("a1", "churn", 3, DRIFT, "warning", AT, AT, owner="ada")
PRICE = Alert("a2", "churn", 3, Check("drift:price", "fail", "moved by 0.8"), "warning", AT, AT, "city=Lyon", "ada")
LINK = "http://boucle.example:8000/models/churn#alert-a1"


@dataclass
class Received:
    """What a server was sent, and what it answers."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def web() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.posts.append((self.path, json.loads(body), dict(self.headers)))
            self.send_response(received.status)
            for name, value in received.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name it has in http.server
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield received
    server.shutdown()
    thread.join()
    server.server_close()


class Mailbox:
    """A mail server that wants a password, without TLS: this is loopback."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        mail = message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(mail)
        return self.answer

    def check(self, *told: Any) -> AuthResult:
        given = told[-1]
        return AuthResult(success=isinstance(given, LoginPassword) and given.password == SECRET.encode(), handled=False)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), authenticator=box.check, auth_require_tls=False
    )
    controller.start()
    yield box, controller.port
    controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mail_channel(port: int, password: str = SECRET) -> MailChannel:
    server = mail_server(f"smtp://ada:{password}@127.0.0.1:{port}?starttls=never")
    return MailChannel(server, "boucle <boucle@example.org>", ["ada@example.org", "grace@example.org"])


BROKEN: dict[str, Callable[[str, int], Channel]] = {
    "webhook": lambda url, _port: WebhookChannel(f"{url}/{SECRET}", SECRET),
    "alertmanager": lambda url, _port: AlertmanagerChannel(url.replace("http://", f"http://ada:{SECRET}@")),
    "mail": lambda _url, port: mail_channel(port),
    "apprise": lambda url, _port: AppriseChannel([url.replace("http://", f"json://ada:{SECRET}@")]),
}


@pytest.mark.parametrize("make", BROKEN.values(), ids=BROKEN)
def test_a_server_that_is_away_is_unavailable_and_no_secret_is_told(
    make: Callable[[str, int], Channel], caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()

    with pytest.raises(Unavailable) as raised:
        make(f"http://127.0.0.1:{port}", port).tell("opened", ALERT, LINK)

    assert SECRET not in str(raised.value) + caplog.text
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("name", ["webhook", "alertmanager", "apprise"])
@pytest.mark.parametrize("status", [302, 401, 500])
def test_a_server_that_refuses_is_unavailable(name: str, status: int, web: Received) -> None:
    web.status, web.headers = status, {"Location": f"{web.url}/elsewhere"} if status == 302 else {}

    with pytest.raises(Unavailable):
        BROKEN[name](web.url, 0).tell("opened", ALERT, LINK)

    assert all(path != "/elsewhere" for path, _body, _headers in web.posts)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def test_an_answer_that_never_ends_holds_nobody(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT_S", 0.5)
    begun = time.monotonic()

    with dripping(start) as url:
        if start.endswith(b"\r\n\r\n"):
            WebhookChannel(f"{url}/{SECRET}").tell("opened", ALERT, LINK)  # the status is all that is read
        else:
            with pytest.raises(Unavailable, match=r"The webhook gave no answer in 0\.5 seconds\.$"):
                WebhookChannel(f"{url}/{SECRET}").tell("opened", ALERT, LINK)

    assert time.monotonic() - begun < 2.5


@contextmanager
def dripping(start: bytes) -> Iterator[str]:
    """A server that begins an answer and goes on with a byte every 20 ms, for 5 s."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _address = server.accept()
            with connection, suppress(OSError):
                connection.recv(65_536)
                connection.sendall(start)
                for _ in range(250):
                    time.sleep(0.02)
                    connection.sendall(b"1")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_channels_are_named_by_their_kind_alone(web: Received) -> None:
    names = {make(web.url, 1).name for make in BROKEN.values()}

    assert names | {LogChannel().name} == {"webhook", "alertmanager", "mail", "apprise", "log"}


def test_a_webhook_gets_alertmanagers_form(web: Received) -> None:
    WebhookChannel(f"{web.url}/hook", SECRET).tell("opened", together([ALERT, PRICE]), LINK)

    ((path, body, headers),) = web.posts
    first, second = body.pop("alerts")
    assert (path, headers["Authorization"]) == ("/hook", f"Bearer {SECRET}")
    assert body == {
        "version": "4",
        "groupKey": '{}:{model="churn"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "boucle",
        "groupLabels": {"model": "churn"},
        "commonLabels": {
            "alertname": "BoucleDrift",
            "model": "churn",
            "severity": "warning",
            "source": "boucle",
            "owner": "ada",
        },
        "commonAnnotations": {},
        "externalURL": "http://boucle.example:8000",
    }
    assert first == {
        "status": "firing",
        "labels": {**labels_of(ALERT)},
        "annotations": {
            "summary": "2 of 20 columns moved",
            "description": "Expected: none. Look at price. Version 3.",
        },
        "startsAt": "2026-07-12T14:00:00.000000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": LINK,
        "fingerprint": fingerprint(labels_of(ALERT)),
    }
    assert second["labels"]["slice"] == "city=Lyon"
    assert second["generatorURL"] == "http://boucle.example:8000/models/churn#alert-a2"


@pytest.mark.parametrize("link", ["", "http://boucle.example/models/churn", "http://boucle.example/#alert-other"])
def test_a_link_that_leads_to_no_alert_of_the_message_is_left_as_it_is(link: str) -> None:
    body = webhook_body("opened", [ALERT, PRICE], link)

    assert [one["generatorURL"] for one in body["alerts"]] == [link, link]


def test_alertmanager_is_reminded_each_minute_and_not_sooner_after_a_failure(web: Received) -> None:
    now = AT
    channel = AlertmanagerChannel(web.url, clock=lambda: now)

    def reminded() -> int:
        channel.remind([(ALERT, LINK)])
        return len(web.posts)

    assert [reminded(), reminded()] == [1, 1]
    now += 59 * SECOND
    assert reminded() == 1
    now, web.status = now + SECOND, 500
    with pytest.raises(Unavailable):
        reminded()
    web.status = 200
    assert reminded() == 2
    now += 60 * SECOND
    assert reminded() == 3
    now -= 3_600 * SECOND  # the clock was set back
    assert reminded() == 4


def test_alerts_told_together_have_each_its_link_in_alertmanager(web: Received) -> None:
    AlertmanagerChannel(web.url, clock=lambda: AT).tell("opened", together([ALERT, PRICE]), LINK)

    ((_path, body, _headers),) = web.posts
    assert [one["generatorURL"].rpartition("#")[2] for one in body] == ["alert-a1", "alert-a2"]


def test_a_webhook_is_told_when_it_is_good_again(web: Received) -> None:
    closed = Alert("a1", "churn", 3, DRIFT, "warning", AT, AT, closed_at=AT + 3_600_000_000)

    WebhookChannel(web.url).tell("closed", closed, "")

    ((_path, body, headers),) = web.posts
    assert (body["status"], body["alerts"][0]["endsAt"]) == ("resolved", "2026-07-12T15:00:00.000000Z")
    assert (body["externalURL"], "Authorization" in headers) == ("", False)


def test_labels_hold_no_figures() -> None:
    other = Check("drift", "fail", "9 of 20 columns moved", evidence={"p_value": 1e-30})

    assert labels_of(Alert("a9", "churn", 4, other, "warning", AT + 5, AT + 9, owner="ada")) == labels_of(ALERT)


def test_alertmanager_is_pushed_and_reminded_of_what_is_open(web: Received) -> None:
    outside = Alert("x", "churn", 3, Check("alertmanager:HighLatency", "fail"), "critical", AT, AT)
    channel = AlertmanagerChannel(f"{web.url}/", clock=lambda: AT)

    channel.tell("opened", ALERT, LINK)
    channel.remind([(ALERT, LINK), (outside, LINK)])
    channel.tell("closed", ALERT, LINK)
    channel.tell("opened", outside, LINK)
    channel.remind([])

    assert [path for path, _body, _headers in web.posts] == ["/api/v2/alerts"] * 3
    (first,), (again,), (last,) = (body for _path, body, _headers in web.posts)
    assert first == again
    assert (first["startsAt"], first["endsAt"]) == ("2026-07-12T13:59:59.000000Z", "2026-07-12T14:15:00.000000Z")
    assert (last["labels"], last["endsAt"]) == (first["labels"], "2026-07-12T14:00:00.000000Z")


def test_a_mail_says_it_in_text_and_html(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox

    mail_channel(port).tell("opened", together([ALERT, PRICE]), LINK)

    (mail,) = box.mails
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert mail["Subject"] == "churn: drift, drift:price [city=Lyon] (warning)"
    assert (mail["To"], mail["Auto-Submitted"]) == ("ada@example.org, grace@example.org", "auto-generated")
    assert text is not None
    assert LINK in text.get_content()
    assert html is not None
    assert "<li>drift (warning): 2 of 20 columns moved" in html.get_content()


def test_a_subject_of_many_lines_is_sent_as_one(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox

    mail_channel(port).send("Report on churn:\r\nBcc: eve@example.org", "All is well.")

    (mail,) = box.mails
    assert (mail["Subject"], mail["Bcc"]) == ("Report on churn: Bcc: eve@example.org", None)


def test_a_mail_that_cannot_be_written_is_unavailable_without_its_words(mailbox: tuple[Mailbox, int]) -> None:
    with pytest.raises(Unavailable, match=r"The mail cannot be written as it is \(UnicodeEncodeError\)\.$") as raised:
        mail_channel(mailbox[1]).send("Report", f"{SECRET} \ud800")

    assert SECRET not in str(raised.value)
    broken = MailChannel(MailServer("127.0.0.1", mailbox[1]), "boucle@example.org", ["ada@example.org\nBcc: eve@x.org"])
    with pytest.raises(Unavailable, match=r"\(ValueError\)"):
        broken.tell("opened", ALERT, LINK)


def test_a_wrong_password_is_told_by_its_code_alone(mailbox: tuple[Mailbox, int]) -> None:
    with pytest.raises(Unavailable, match=r"The mail server answered 535\.") as raised:
        mail_channel(mailbox[1], "wr0ng-password").tell("opened", ALERT, LINK)

    assert "wr0ng" not in str(raised.value)


def test_a_mail_that_is_refused_is_unavailable(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    box.answer = f"451 no room for {SECRET}"

    with pytest.raises(Unavailable, match=r"The mail server answered 451\.$"):
        mail_channel(port).tell("opened", ALERT, LINK)


def test_a_password_is_not_sent_when_tls_is_not_offered(mailbox: tuple[Mailbox, int]) -> None:
    server = mail_server(f"smtp://ada:{SECRET}@127.0.0.1:{mailbox[1]}")

    with pytest.raises(Unavailable, match="SMTPNotSupportedError"):
        MailChannel(server, "boucle@example.org", ["ada@example.org"]).tell("opened", ALERT, LINK)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 25)),
        ("smtps://ada@mail.example", MailServer("mail.example", 465, "ada", "", is_tls=True, starttls="always")),
        ("smtp://a%40b:p%3Aw@[::1]:2525?starttls=auto", MailServer("::1", 2525, "a@b", "p:w", starttls="auto")),
    ],
)
def test_addresses_of_mail_servers_are_read(url: str, server: MailServer) -> None:
    assert mail_server(url) == server


@pytest.mark.parametrize("url", ["mail.example", f"http://ada:{SECRET}@x", f"smtp://a:{SECRET}@x:port", "smtp://"])
def test_a_wrong_address_of_a_mail_server_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"BOUCLE_SMTP_URL is .* expected smtp://") as raised:
        mail_server(url)

    assert SECRET not in str(raised.value)


def test_apprise_delivers_in_its_own_form(web: Received) -> None:
    AppriseChannel([web.url.replace("http://", "json://")]).tell("opened", ALERT, LINK)

    ((_path, body, _headers),) = web.posts
    assert (body["title"], body["type"]) == ("churn: drift (warning)", "warning")
    assert LINK in body["message"]


def test_an_address_that_apprise_does_not_know_is_named_by_its_place(
    web: Received, caplog: pytest.LogCaptureFixture
) -> None:
    channel = AppriseChannel([web.url.replace("http://", "json://"), f"nonsense://{SECRET}"])

    with pytest.raises(Unavailable, match="address 2 is none that apprise knows") as raised:
        channel.tell("opened", ALERT, LINK)

    assert SECRET not in str(raised.value) + caplog.text
    assert len(web.posts) == 1


def test_the_log_holds_a_line_for_each_alert(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "boucle.alerts"):
        LogChannel().tell("opened", together([ALERT, PRICE]), LINK)
        LogChannel().tell("closed", ALERT, LINK)

    assert [(line.levelname, line.getMessage(), line.check) for line in caplog.records] == [  # type: ignore[attr-defined]  # a field of ours
        ("WARNING", "alert opened", "drift"),
        ("WARNING", "alert opened", "drift:price"),
        ("INFO", "alert closed", "drift"),
    ]
