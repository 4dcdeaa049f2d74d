"""What the documentation must name: every command, every route of the gateway, and no file that is not there."""

import re
from pathlib import Path

import pytest

from boucle.cli.main import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("projects/*/README.md"))]
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|\b(?:src|href)=\"([^\"]+)\"")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ROUTES = (
    "/models/{name}/invocations",
    "/models/{name}",
    "/models/{name}/schema",
    "/models/{name}/feedback",
    "/livez",
    "/readyz",
    "/metrics",
)


@pytest.mark.parametrize("name", [command.callback.__name__ for command in app.registered_commands if command.callback])
def test_every_command_is_documented(name: str) -> None:
    assert f"`boucle {name}" in (DOCS / "commands.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_of_the_gateway_is_documented(route: str) -> None:
    assert f" {route}`" in (DOCS / "http.md").read_text(encoding="utf-8")


def links(page: Path) -> list[str]:
    """Return the relative links and images of a page, without their fragments."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    found = [markdown or html for markdown, html in LINK.findall(text)]
    return [link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_image_leads_to_a_file(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_the_links_are_found() -> None:
    assert {"docs/loop.svg", "docs/adr", "CHANGELOG.md"} <= set(links(ROOT / "README.md"))


def test_every_decision_has_its_three_parts() -> None:
    for record in sorted((DOCS / "adr").glob("*.md")):
        text = record.read_text(encoding="utf-8")
        assert all(part in text for part in ("**Context.**", "**Decision.**", "**Consequences.**")), record.name
