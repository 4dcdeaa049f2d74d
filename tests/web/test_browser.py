"""The pages in a real browser: no rule of the security policy broken, no page wider than its screen, live builds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from web.conftest import Gateway
from web.forecasters import with_forecasters
from web.made_up import PASSED, World
from web.serving import serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
ADDRESSES = [
    "/",
    "/models/churn",
    "/models/churn/versions/2",
    "/models/house-price",
    "/models/claims-triage",
    "/models/late-payment",
    "/models/nobody",
    "/api/docs",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def server(world: World) -> Iterator[httpx.Client]:
    with serving(world.plane()) as client:
        yield client


@pytest.fixture
def page(chromium: Browser, server: httpx.Client) -> Iterator[Page]:
    """A page that fails the test when the browser complains of anything but the status of an answer."""
    context = chromium.new_context(base_url=str(server.base_url), viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [text for text in complaints if "server responded with a status" not in text] == []


@pytest.mark.parametrize("width", [360, 768, 1024, 1280])
def test_no_page_is_wider_than_its_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for address in ADDRESSES:
        for language in ("en", "fr"):
            page.goto(f"{address}?lang={language}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, address


def test_a_row_is_tried_without_leaving_the_page(page: Page, gateway: Gateway) -> None:
    gateway.body = {"predictions": ["no"], "classes": ["no", "yes"], "probabilities": [[0.8342, 0.1658]]}
    page.goto("/models/churn")

    page.get_by_role("button", name="Ask the model").click()
    page.wait_for_selector(".answer")

    assert page.url.endswith("/models/churn")
    assert "83.4" in page.inner_text(".bars")
    gateway.status, gateway.body = 422, {"title": "No", "errors": [{"column": "age", "detail": "too young"}]}
    page.get_by_role("button", name="Ask the model").click()
    page.wait_for_selector(".wrong-text")
    assert page.evaluate("document.activeElement.name") == "c0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_a_forecaster_fits_its_screen_with_one_picture(
    chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    with serving(with_forecasters(World()).plane()) as client:
        for width in (360, 390, 768, 1024, 1280):
            context = chromium.new_context(
                base_url=str(client.base_url), viewport={"width": width, "height": 800}, color_scheme=scheme
            )
            page = context.new_page()
            for address in ("/", "/models/btc-hourly", "/models/eth-hourly?lang=fr"):
                page.goto(address)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, address
                assert address == "/" or page.locator("figure svg:visible").count() == 1
            table = page.locator("table.versions")
            assert table.evaluate("table => table.offsetWidth <= table.parentElement.clientWidth")
            context.close()


def test_a_forecaster_is_asked_with_its_newest_rows_without_leaving_the_page(
    page: Page, world: World, gateway: Gateway
) -> None:
    with_forecasters(world)
    gateway.body = {"predictions": [61_234.5], "intervals": [[60_000, 62_000]], "prediction_id": "p"}
    page.goto("/models/btc-hourly")

    page.get_by_role("button", name="Ask with its newest rows").click()
    page.wait_for_selector(".answer")

    assert page.url.endswith("/models/btc-hourly")
    assert "61,234.5" in page.inner_text(".answer")
    assert len(gateway.asked[0][1]) == 24
    page.get_by_text("Other rows, as JSON").click()
    page.fill("#row", '[{"close": 1}]')
    page.get_by_role("button", name="Ask with these rows").click()
    page.wait_for_timeout(300)
    assert gateway.asked[1][1] == [{"close": 1}]


def test_languages_of_code_change_by_keyboard_without_a_script(
    chromium: Browser, server: httpx.Client, world: World
) -> None:
    context = chromium.new_context(base_url=str(server.base_url), java_script_enabled=False)
    page = context.new_page()
    page.goto("/models/churn")

    page.focus("#snippet-curl")
    page.keyboard.press("ArrowLeft")

    assert page.is_visible("[data-panel=java]")
    assert not page.is_visible("[data-panel=curl]")
    context.close()


def test_a_build_is_followed_as_it_happens(page: Page, world: World) -> None:
    page.goto("/models/late-payment")
    page.wait_for_timeout(1200)

    for check in PASSED[4:]:
        world.registry.add_check("late-payment", 1, check)
    page.wait_for_selector("#news >> text=One real request")
    world.registry.mark_ready("late-payment", 1)
    page.wait_for_selector("#versions .state.ready")

    page.wait_for_selector("form[data-try]")
    assert page.inner_text("#news").strip() == ""
    assert page.is_visible("[data-panel=curl] pre")


def test_code_is_copied_with_one_press(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/models/churn")

    page.locator(".address").hover()
    page.locator(".address button.copy").click()

    assert page.evaluate("navigator.clipboard.readText()") == "http://127.0.0.1:8080/models/churn/invocations"
    assert page.inner_text(".address button.copy") == "Copied"


def test_the_first_key_reaches_the_link_that_skips_to_the_content(page: Page) -> None:
    page.goto("/models/churn")

    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    assert page.locator(".skip").bounding_box() is not None
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
