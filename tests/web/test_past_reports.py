"""Periodic reports over HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from boucle.core.report import Report, Span
from boucle.loop.periodic import Shelf
from boucle.web.app import create_app
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World

FILE = "2026-07-12T14-00.html"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def api(world: World, shelf: Shelf) -> httpx.Client:
    return client(create_app(world.plane(shelf=shelf)), Authorization=f"Bearer {TOKEN}")


def test_reports_of_a_model_are_listed_and_downloaded(api: httpx.Client, shelf: Shelf) -> None:
    assert api.get("/api/v1/models/churn/reports").json() == {"reports": []}
    shelf.keep(Report("churn", 2, Span(0, 1), NOW_US), b"<html>churn</html>")

    (past,) = api.get("/api/v1/models/churn/reports").json()["reports"]
    answer = api.get(past["url"])

    assert past == {
        "file": FILE,
        "made_at": NOW_US,
        "size_bytes": 18,
        "url": f"/api/v1/models/churn/reports/{FILE}",
    }
    assert answer.content == b"<html>churn</html>"
    assert answer.headers["content-disposition"] == f'attachment; filename="churn-{FILE}"'
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_people_find_the_same_file_beside_the_pages(world: World, shelf: Shelf) -> None:
    shelf.keep(Report("churn", 2, Span(0, 1), NOW_US), b"<html>churn</html>")
    browser = client(create_app(world.plane(shelf=shelf)), Accept="text/html")

    assert browser.get(f"/models/churn/reports/{FILE}").content == b"<html>churn</html>"
    assert browser.get(f"/api/v1/models/churn/reports/{FILE}").status_code == 401


@pytest.mark.parametrize("path", ["churn/reports/2026-07-12T14-01.html", "churn/reports/..%2Fdb", "nobody/reports"])
def test_what_is_not_there_is_404(api: httpx.Client, path: str) -> None:
    assert api.get(f"/api/v1/models/{path}").status_code == 404


def test_a_platform_without_a_shelf_says_so(world: World) -> None:
    bare = client(create_app(world.plane()), Authorization=f"Bearer {TOKEN}")

    assert bare.get("/api/v1/models/churn/reports").status_code == 503
