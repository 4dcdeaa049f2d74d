"""A platform of the client's own, and a client that finds it by the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from boucle.client.client import Client
from client.platform import TOKEN, Platform, running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, named by the environment."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("URL", "TOKEN", "PORT"):
        monkeypatch.delenv(f"BOUCLE_{name}", raising=False)
    monkeypatch.setenv("BOUCLE_HOME", str(folder))
    monkeypatch.setenv("BOUCLE_LANGUAGE", "en")
    monkeypatch.setenv("BOUCLE_AUTHOR", "ada")
    return folder


@pytest.fixture
def platform(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A running platform that BOUCLE_URL names, its token in the home."""
    with running() as running_platform:
        monkeypatch.setenv("BOUCLE_URL", running_platform.url)
        (home / "token").write_text(TOKEN)
        yield running_platform


@pytest.fixture
def client(platform: Platform) -> Client:
    """A client of that platform."""
    return Client()
