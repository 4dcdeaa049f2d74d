"""A real platform on free ports, with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boucle.bootstrap.starting import ensure_up, stop
from boucle.settings import load
from journeys.scene import Platform

collect_ignore_glob = ["beside/*"]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for all journeys; each uses model names of its own."""
    home = tmp_path_factory.mktemp("home")
    settings = load({}, home=home, port=0, gateway_port=0)
    told = ensure_up(settings, detach=True, tell=lambda _told: None)
    assert told is not None
    try:
        yield Platform(home, told)
    finally:
        stop(settings)


@pytest.fixture(autouse=True)
def _client_of_this_platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "platform" in request.fixturenames:
        running = request.getfixturevalue("platform")
        monkeypatch.setenv("BOUCLE_URL", running.url)
        monkeypatch.setenv("BOUCLE_HOME", str(running.home))
