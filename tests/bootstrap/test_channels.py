"""Which channels the settings make, and where their links lead."""

from __future__ import annotations

import pytest

from boucle.bootstrap.channels import channels, link
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.core.errors import InvalidSetting
from boucle.settings import load, without_secrets

ALERT = Alert("a1", "churn", 1, Check("drift", "fail"), "warning", 0, 0)
ALL = {
    "BOUCLE_ALERT_WEBHOOK": "http://hook.example/s3cret",
    "BOUCLE_ALERT_WEBHOOK_TOKEN": "s3cret",
    "BOUCLE_ALERTMANAGER_URL": "http://localhost:9093",
    "BOUCLE_SMTP_URL": "smtp://ada:s3cret@mail.example",
    "BOUCLE_APPRISE_URLS": "json://hook.example/s3cret",
    "BOUCLE_ALERT_MAIL_TO": "ada@example.org",
}


def test_without_settings_alerts_go_to_the_log() -> None:
    assert [channel.name for channel in channels(load({}))] == ["log"]


def test_every_setting_makes_its_channel() -> None:
    assert [channel.name for channel in channels(load(ALL))] == ["log", "webhook", "alertmanager", "mail", "apprise"]


@pytest.mark.parametrize("missing", ["BOUCLE_SMTP_URL", "BOUCLE_ALERT_MAIL_TO"])
def test_half_of_the_settings_of_mail_is_refused_with_the_other_half_named(missing: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{missing} is .* expected"):
        channels(load({**ALL, missing: ""}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOUCLE_ALERT_MAIL_TO", "ada@example.org,grace@example.org\nBcc: eve@example.org"),
        ("BOUCLE_ALERT_MAIL_FROM", "boucle@example.org\r\nBcc: eve@example.org"),
    ],
)
def test_addresses_of_more_than_one_line_are_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=f"{name} is .* expected mail addresses without a line break"):
        channels(load({**ALL, name: value}))


def test_a_link_leads_to_the_alert_on_the_page_of_its_model() -> None:
    assert link(load({}))(ALERT) == "http://127.0.0.1:8000/models/churn#alert-a1"
    assert link(load({"BOUCLE_PUBLIC_URL": "https://ml.example/"}))(ALERT) == "https://ml.example/models/churn#alert-a1"


def test_secrets_are_neither_printed_nor_lent_to_projects() -> None:
    assert "s3cret" not in repr(load(ALL))
    assert without_secrets({**ALL, "BOUCLE_PORT": "1"}) == {
        "BOUCLE_ALERT_MAIL_TO": "ada@example.org",
        "BOUCLE_PORT": "1",
    }
