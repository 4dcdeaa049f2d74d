"""Where the platform is, which token goes there, and what happens when nothing listens."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from boucle.client import discovery
from boucle.client.discovery import ensure_listening, find_address
from boucle.client.wire import Wire, is_loopback
from boucle.core.errors import Unavailable
from boucle.settings import load
from client.platform import Quiet, serving

CRYPTO_LOCK = Path(__file__).parents[2] / "projects" / "crypto" / "requirements.lock"


@pytest.fixture
def written(home: Path) -> Path:
    """The home of a platform that wrote its address and its token."""
    (home / "platform.json").write_text(json.dumps({"url": "http://127.0.0.1:4242"}))
    (home / "token").write_text("secret\n")
    return home


@pytest.mark.parametrize(
    ("environment", "given", "expected"),
    [
        ({}, (None, None), ("http://127.0.0.1:4242", "secret")),
        ({"BOUCLE_URL": "http://localhost:1"}, (None, None), ("http://localhost:1", "secret")),
        ({"BOUCLE_URL": "https://far.example"}, (None, None), ("https://far.example", "")),
        ({"BOUCLE_URL": "https://far.example", "BOUCLE_TOKEN": "t"}, (None, None), ("https://far.example", "t")),
        (
            {"BOUCLE_URL": "https://far.example", "BOUCLE_TOKEN": "t"},
            ("http://b.example", "u"),
            ("http://b.example", "u"),
        ),
    ],
    ids=["home", "loopback", "far", "environment", "given"],
)
def test_the_nearest_word_wins_and_the_homes_token_stays_on_this_machine(
    written: Path,
    environment: dict[str, str],
    given: tuple[str | None, str | None],
    expected: tuple[str, str],
) -> None:
    address = find_address(load({**environment, "BOUCLE_HOME": str(written)}), *given)
    assert (address.url, address.token) == expected


def test_without_any_word_it_is_the_local_default(home: Path) -> None:
    address = find_address(load({"BOUCLE_HOME": str(home)}))
    assert (address.url, address.token, address.is_local_default) == ("http://127.0.0.1:8000", "", True)


def test_a_platform_that_listens_is_not_started_again(home: Path) -> None:
    with serving(Quiet) as url:
        (home / "platform.json").write_text(json.dumps({"url": url}))
        settings = load({"BOUCLE_HOME": str(home)})
        told: list[str] = []
        assert ensure_listening(settings, find_address(settings), told.append).url == url
        assert told == []


def test_without_the_server_part_the_cure_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_SERVER_PARTS", ("no_such_server_part",))
    settings = load({"BOUCLE_HOME": str(home), "BOUCLE_PORT": "1"})
    with pytest.raises(Unavailable, match=r"pip install 'boucle\[server\]'"):
        ensure_listening(settings, find_address(settings), lambda _text: None)


@pytest.mark.parametrize("lacking", ["prometheus_client", "cronsim"])
def test_the_environment_of_a_project_never_takes_itself_for_one_that_can_start_a_platform(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert discovery.can_start()
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == lacking else real(name))
    assert not discovery.can_start()
    assert f"\n{lacking.replace('_', '-')}==" not in CRYPTO_LOCK.read_text(encoding="utf-8")


def test_an_address_that_was_named_is_never_replaced_by_a_local_platform(home: Path) -> None:
    settings = load({"BOUCLE_HOME": str(home), "BOUCLE_URL": "http://127.0.0.1:1"})
    address = find_address(settings)
    assert ensure_listening(settings, address, lambda _text: None) == address


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost", "http://127.1.2.3"])
def test_no_proxy_is_asked_about_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    assert is_loopback(url)
    assert not Wire(url).http.trust_env
    assert Wire("http://far.example").http.trust_env
