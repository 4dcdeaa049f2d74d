"""Settings: the only reader of the environment. One ``BOUCLE_`` prefix; inner code receives values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Callable, Optional

from boucle.core.errors import InvalidSetting

PREFIX = "BOUCLE_"
RANGES = {
    "port": (0, 65_535),
    "gateway_port": (0, 65_535),
    "predict_timeout_s": (0.01, 86_400),
    "build_timeout_s": (1, 86_400),
    "lease_s": (1, 3_600),
    "job_slots": (2, 64),
    "log_fsync_s": (0, 3_600),
    "log_segment_bytes": (64 * 1024, 2**30),
    "log_segment_s": (1, 86_400),
}
CHOICES = {"log_level": ("debug", "info", "warning", "error"), "log_full": ("serve", "refuse")}


def _setting(default: Any, text: str, factory: Optional[Callable[[], Any]] = None, secret: bool = False) -> Any:
    """``secret`` values may hold passwords: they are not printed and not lent to the processes of projects."""
    if factory is not None:
        return field(default_factory=factory, metadata={"text": text})
    return field(default=default, metadata={"text": text, "secret": secret}, repr=not secret)


def _default_home() -> Path:
    return Path.home() / ".boucle"


@dataclass(frozen=True)
class Settings:
    """Every setting, its default and what it does; the table of ``docs/settings.md`` is made from it."""

    home: Path = _setting(None, "Folder of the local platform: database, artifacts, environments, logs.", _default_home)
    url: str = _setting("", "Address of the control plane for the client; empty means the local platform.")
    token: str = _setting("", "Token of the client; empty means the one the local platform keeps in its home.")
    language: str = _setting("", "Language of texts, en or fr; empty means that of the locale.")
    author: str = _setting("", "Author written on versions; empty means the name of the login.")
    host: str = _setting("127.0.0.1", "Address that control plane and gateway listen on.")
    port: int = _setting(8000, "Port of the control plane; 0 means any free one.")
    gateway_port: int = _setting(8080, "Port of the gateway; 0 means any free one.")
    allowed_hosts: tuple[str, ...] = _setting((), "Host names served beside the loopback ones, separated by commas.")
    max_body_bytes: int = _setting(8 * 1024 * 1024, "Largest body of a prediction request, in bytes.")
    max_rows: int = _setting(50_000, "Most rows of one prediction request.")
    predict_timeout_s: float = _setting(10.0, "Longest time a model may take to answer, in seconds.")
    build_timeout_s: float = _setting(900.0, "Longest time a build may take, in seconds.")
    lease_s: float = _setting(10.0, "Seconds after which a job whose worker fell silent is taken over.")
    job_slots: int = _setting(2, "Jobs that one worker runs at a time; runs of projects leave one free for builds.")
    log_level: str = _setting("info", "Least level of the logs: debug, info, warning or error.")
    log_full: str = _setting(
        "serve", "When the inference log cannot be written: serve and count what is lost, or refuse."
    )
    log_fsync_s: float = _setting(
        1.0, "Seconds until the inference log is on the disk at the latest; 0 means before each answer."
    )
    log_segment_bytes: int = _setting(16 * 1024 * 1024, "Size at which a segment of the inference log ends, in bytes.")
    log_segment_s: float = _setting(60.0, "Age at which a segment of the inference log ends, in seconds.")
    alert_webhook: str = _setting("", "Address that alerts are posted to, in Alertmanager's webhook form.", secret=True)
    alert_webhook_token: str = _setting("", "Bearer token sent to BOUCLE_ALERT_WEBHOOK.", secret=True)
    alertmanager_url: str = _setting(
        "", "Address of an Alertmanager that alerts are pushed to, such as http://localhost:9093.", secret=True
    )
    alert_mail_to: tuple[str, ...] = _setting((), "Mail addresses that are told of alerts, separated by commas.")
    alert_mail_from: str = _setting("boucle@localhost", "Sender of the mails about alerts.")
    smtp_url: str = _setting(
        "", "Mail server: smtp://user:password@host:587 or smtps://…; ?starttls=always, auto or never.", secret=True
    )
    apprise_urls: tuple[str, ...] = _setting(
        (), "Addresses of apprise (Slack, Teams …), separated by commas; %2C is a comma in one.", secret=True
    )
    public_url: str = _setting("", "Address of the control plane in messages; empty means host and port.")


def load(environment: Optional[Mapping[str, str]] = None, **overrides: Any) -> Settings:
    """Return the settings of the environment, overridden by arguments that are not None.

    Raises InvalidSetting naming the variable, its value and what was expected.

    >>> load({"BOUCLE_PORT": "9000"}).port
    9000
    """
    source = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for item in fields(Settings):
        text = source.get(PREFIX + item.name.upper())
        if text is not None and text != "":
            values[item.name] = _parsed(item.name, _default(item), text)
    values.update({name: value for name, value in overrides.items() if value is not None})
    if not values.get("language"):
        values["language"] = source.get("LC_ALL") or source.get("LC_MESSAGES") or source.get("LANG") or "en"
    return Settings(**values)


def _default(item: Any) -> Any:
    return item.default if item.default is not MISSING else item.default_factory()


def _parsed(name: str, default: Any, text: str) -> Any:
    variable = PREFIX + name.upper()
    if isinstance(default, Path):
        return Path(text).expanduser().absolute()
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(default, (int, float)):
        number = type(default)
        try:
            value = number(text)
        except ValueError:
            raise InvalidSetting(variable, text, f"a number such as {default}") from None
        low, high = RANGES.get(name, (0, float("inf")))
        if not low <= value <= high:
            raise InvalidSetting(variable, text, f"{low:g} to {high:g}")
        return value
    if text not in CHOICES.get(name, (text,)):
        raise InvalidSetting(variable, text, ", ".join(CHOICES[name]))
    return text


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment for a process of ours that shall run with these settings.

    Without the token: processes of one home read it from their home, where no process list shows it.
    """
    names = [item.name for item in fields(Settings) if item.name not in ("token", "url")]
    told = {PREFIX + name.upper(): _told(getattr(settings, name)) for name in names}
    return {**{key: value for key, value in os.environ.items() if key != PREFIX + "TOKEN"}, **told}


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the settings that may hold passwords, for processes of other people's code."""
    secret = {PREFIX + item.name.upper() for item in fields(Settings) if item.metadata.get("secret")}
    return {name: value for name, value in environ.items() if name not in secret}


def _told(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
