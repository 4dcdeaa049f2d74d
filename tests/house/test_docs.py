"""What the documentation must name: every command, and every route of the gateway."""

from pathlib import Path

import pytest

from boucle.cli.main import app

DOCS = Path(__file__).parents[2] / "docs"
ROUTES = ("/models/{name}/invocations", "/models/{name}", "/models/{name}/schema", "/livez", "/readyz", "/metrics")


@pytest.mark.parametrize("name", [command.callback.__name__ for command in app.registered_commands if command.callback])
def test_every_command_is_documented(name: str) -> None:
    assert f"`boucle {name}" in (DOCS / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_of_the_gateway_is_documented(route: str) -> None:
    assert f" {route}`" in (DOCS / "http.md").read_text(encoding="utf-8")


def test_every_decision_has_its_three_parts() -> None:
    for record in sorted((DOCS / "adr").glob("*.md")):
        text = record.read_text(encoding="utf-8")
        assert all(part in text for part in ("**Context.**", "**Decision.**", "**Consequences.**")), record.name
