"""The pages: what they tell, in which state, in which language, and that nothing a stranger wrote runs in them."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from boucle.core.document import to_json
from boucle.core.schema import ColumnSchema, Schema
from boucle.web.app import create_app
from web.in_process import client
from web.made_up import BANK, HOUSE, TOKEN, WARNED, World, populated

NASTY = "<script>alert(1)</script>\"'>&{{7*7}}"


class Outline(HTMLParser):
    """Collects what a page holds: tags, ids, links, labels; complains about tags that are not closed in order."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "wbr", "path", "circle", "rect", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


ADDRESSES = [
    "/",
    "/models/churn",
    "/models/churn/versions/1",
    "/models/churn/versions/3",
    "/models/house-price",
    "/models/claims-triage",
    "/models/late-payment",
    "/models/nobody",
    "/api/docs",
]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_is_well_formed_and_usable_without_a_mouse(
    browser: httpx.Client, address: str, language: str
) -> None:
    page = Outline(browser.get(address, params={"lang": language}).text)

    ids = [attributes["id"] for _tag, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert page.all("html")[0]["lang"] == language
    assert next(attributes["href"] for attributes in page.all("a")) == "#content"
    assert len(page.all("h1")) == len(page.all("main")) == 1
    referenced = {
        part
        for _tag, attributes in page.tags
        for name in ("for", "aria-labelledby", "aria-describedby")
        for part in attributes.get(name, "").split()
    }
    assert referenced <= set(ids)
    labelled = {attributes["for"] for attributes in page.all("label")}
    shown = [a for tag in ("input", "select", "textarea") for a in page.all(tag) if a.get("type") != "hidden"]
    assert {attributes["id"] for attributes in shown} <= labelled


@pytest.mark.parametrize("address", ADDRESSES)
def test_pages_hold_no_inline_script_or_style_and_nothing_from_elsewhere(browser: httpx.Client, address: str) -> None:
    page = Outline(browser.get(address).text)

    assert page.all("style") == []
    assert not [attributes for _tag, attributes in page.tags if "style" in attributes]
    assert not [name for _tag, attributes in page.tags for name in attributes if name.startswith("on")]
    assert all(script["src"].startswith("/static/") for script in page.all("script"))
    assert all(link["href"].startswith("/") for link in page.all("link"))


@pytest.mark.parametrize("address", ADDRESSES[:-2])
def test_links_of_a_page_lead_somewhere(browser: httpx.Client, address: str) -> None:
    page = Outline(browser.get(address).text)
    links = {
        attributes["href"] for tag in ("a", "link", "script") for attributes in page.all(tag) if "href" in attributes
    }
    links |= {attributes["src"] for attributes in page.all("script")}

    for link in sorted(links):
        if not link.startswith("#"):
            assert browser.get(link).status_code == 200, link


def test_no_model_yet_shows_the_code_that_deploys_one(empty_world: World) -> None:
    text = client(create_app(empty_world.plane()), Accept="text/html").get("/").text

    assert "No model yet" in text
    assert "boucle.deploy(pipeline, &#34;my-model&#34;, example=X)" in text


def test_each_model_is_one_row_with_its_state(browser: httpx.Client) -> None:
    text = browser.get("/").text
    rows = {row.partition('href="/models/')[2].partition('"')[0]: row for row in text.split("<tr>")[2:]}

    assert list(rows) == ["churn", "claims-triage", "house-price", "late-payment"]
    assert ">v2<" in rows["churn"]
    assert "48,211" in rows["churn"]
    assert "7 days ago" in rows["churn"]
    assert "Python 3.11" in rows["churn"]
    assert "no champion" in rows["claims-triage"]
    assert "Failed" in rows["claims-triage"]
    assert "Building" in rows["late-payment"]
    assert ">ONNX<" in rows["house-price"]


def test_bars_are_drawn_for_real_traffic_only(browser: httpx.Client) -> None:
    assert browser.get("/").text.count('class="spark"') == 2
    assert browser.get("/models/late-payment").text.count('class="spark"') == 0


def test_the_page_of_a_model_shows_its_champion(browser: httpx.Client, world: World) -> None:
    text = browser.get("/models/churn").text

    assert "http://127.0.0.1:8080/models/churn/invocations" in text
    assert "Card of version 2" in text
    assert "sklearn.<wbr>pipeline.<wbr>Pipeline" in text
    assert "runs in Python because no converter" in text
    assert "rights of the platform itself" in text
    assert "scikit-learn==1.7.1" in text
    assert WARNED.observed in text
    assert WARNED.advice in text
    assert "boucle rollback churn" in text
    assert "grace</b> promoted" in text
    assert "contacted_at" in text


def test_a_version_has_a_view_of_its_own_with_the_address_of_its_alias(browser: httpx.Client) -> None:
    text = browser.get("/models/churn/versions/3").text

    assert "You are looking at version 3; version 2 is the champion." in text
    assert "/models/churn/invocations?alias=challenger" in text
    assert "Untrusted: loading it runs code of its author." in text


def test_a_version_without_an_alias_says_how_to_promote_it(browser: httpx.Client) -> None:
    text = browser.get("/models/churn/versions/1").text

    assert "boucle promote churn 1" in text
    assert "data-try" not in text.partition("<main")[2]


def test_a_refused_version_says_why_and_what_to_do(browser: httpx.Client) -> None:
    text = browser.get("/models/house-price").text

    assert "Version 2 was refused" in text
    assert "Nothing that serves was changed: version 1 answers." in text
    assert "Hand over the whole pipeline" in text


def test_a_build_under_way_is_followed_with_and_without_a_script(browser: httpx.Client) -> None:
    building, still = browser.get("/models/late-payment").text, browser.get("/models/churn").text

    assert "Version 1 is being built" in building
    assert '<noscript><meta http-equiv="refresh"' in building
    assert "live.js" in building
    assert "live.js" not in still
    assert "refresh" not in still


def test_every_page_has_its_json_twin_and_the_time_of_its_data(browser: httpx.Client, world: World) -> None:
    models, model = browser.get("/models.json").json(), browser.get("/models/churn.json").json()

    assert [item["name"] for item in models["models"]][:1] == ["churn"]
    labels = {"worse_than_naive": False, "passed_gate": None}
    assert model["versions"][1] == {**to_json(world.registry.version("churn", 2)), **labels}
    assert browser.get("/models/churn/versions/2.json").json() == model["versions"][1]
    assert 'href="/models/churn.json"' in browser.get("/models/churn").text
    assert '<time datetime="2026-07-12T14:00:00Z">2026-07-12 14:00:00 UTC</time>' in browser.get("/").text


def test_a_language_chosen_is_remembered_in_a_cookie_of_this_site(browser: httpx.Client) -> None:
    chosen = browser.get("/", params={"lang": "fr"})

    assert chosen.headers["Content-Language"] == "fr"
    assert chosen.headers["Set-Cookie"] == "boucle_language=fr; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly"
    assert browser.get("/", headers={"Cookie": "boucle_language=fr"}).headers["Content-Language"] == "fr"


@pytest.mark.parametrize(
    ("accept", "language"), [("fr-CA,en;q=0.5", "fr"), ("de", "en"), ("", "en"), ("\x00;;,", "en")]
)
def test_without_a_choice_the_browsers_language_is_used(browser: httpx.Client, accept: str, language: str) -> None:
    assert browser.get("/", headers={"Accept-Language": accept}).headers["Content-Language"] == language


@pytest.mark.parametrize("choice", ["de", "", "fr\r\nX: y", "f" * 10_000])
def test_a_language_there_is_not_is_ignored(browser: httpx.Client, choice: str) -> None:
    answer = browser.get("/", params={"lang": choice})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_what_a_stranger_wrote_is_shown_never_run() -> None:
    world = populated()
    schema = Schema((ColumnSchema(NASTY, "category", categories=(NASTY, "b"), example=NASTY), *HOUSE.columns))
    nasty = world.manifest(
        schema,
        seed=50,
        author=NASTY,
        description=NASTY,
        model_class=NASTY,
        params={NASTY: [NASTY]},
        tags={NASTY: NASTY},
    )
    number = world.ready("nasty", nasty)
    browser = client(create_app(world.plane()), Accept="text/html")

    for address in ("/", "/models/nasty", f"/models/nasty/versions/{number}"):
        text = browser.get(address).text
        assert "<script>alert" not in text
        assert "{{7*7}}" in text
        Outline(text)


def test_a_page_that_is_not_there_is_a_page_with_the_ones_there_are(browser: httpx.Client) -> None:
    answer = browser.get("/models/chrun")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert 'href="/models/churn"' in answer.text
    assert browser.get("/nothing/here").status_code == 404


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/models/CHURN", 400),
        ("/models/churn/versions/x", 422),
        ("/models/churn/versions/99", 404),
        ("/static/x/y", 404),
    ],
)
def test_an_address_that_cannot_be_is_a_friendly_page(browser: httpx.Client, address: str, status: int) -> None:
    answer = browser.get(address)

    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_a_page_asked_for_by_a_program_is_refused_as_a_problem(browser: httpx.Client) -> None:
    answer = browser.get("/models/nobody", headers={"Accept": "*/*"})

    assert answer.headers["Content-Type"] == "application/problem+json"


def test_pages_open_to_the_network_never_show_the_token() -> None:
    asking = client(create_app(populated().plane(is_open_to_network=True)), Authorization=f"Bearer {TOKEN}")

    text = asking.get("/models/churn", headers={"Accept": "text/html"}).text

    assert TOKEN not in text
    assert "$BOUCLE_TOKEN" in text


def test_a_very_wide_row_is_typed_as_json_and_its_schema_is_cut() -> None:
    world = populated()
    wide = Schema(tuple(ColumnSchema(f"x{i}", "float", example=0.5) for i in range(1000)))
    world.ready("wide", world.manifest(wide, seed=60))

    text = client(create_app(world.plane()), Accept="text/html").get("/models/wide").text

    assert '<textarea id="row"' in text
    assert "700 more columns are in the JSON of this page." in text


def test_the_reference_shows_every_route_of_the_api_with_a_line_of_curl(browser: httpx.Client) -> None:
    document = browser.get("/api/openapi.json").json()
    text = browser.get("/api/docs").text

    operations = [(method, path) for path, methods in document["paths"].items() for method in methods]
    assert len(operations) >= 17
    assert text.count('class="operation"') == len(operations) + len(document["components"]["schemas"])
    assert all(f"<code>{path}</code>" in text for _method, path in operations)
    assert text.count("curl ") >= len(operations)
    assert all(told["summary"] for methods in document["paths"].values() for told in methods.values())


def test_the_sample_of_the_tests_is_the_schema_it_says(world: World) -> None:
    assert world.registry.version("churn", 2).manifest.schema == BANK
