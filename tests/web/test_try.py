"""The try-it form: what is typed is asked of the gateway, and of nobody else."""

from __future__ import annotations

import html
from typing import Any

import httpx
import pytest

from boucle.core.schema import ColumnSchema, Schema
from boucle.web.app import create_app
from boucle.web.pages import trying
from web.conftest import Gateway
from web.in_process import client
from web.made_up import TOKEN, World

EXAMPLE = {
    "c0": "41",
    "c1": "management",
    "c2": "married",
    "c3": "2143.5",
    "c4": "true",
    "c5": "2009-03-02T09:30",
    "c6": "asked for L'Isle branch",
}
ANSWER = {"predictions": ["no"], "classes": ["no", "yes"], "probabilities": [[0.8342, 0.1658]], "prediction_id": "p"}


def test_the_form_is_filled_with_the_example_and_asks_the_gateway_that_row(
    browser: httpx.Client, gateway: Gateway
) -> None:
    gateway.body = ANSWER

    answer = browser.post("/models/churn/try", data=EXAMPLE)

    [(path, rows, headers)] = gateway.asked
    assert path == "/models/churn/invocations"
    assert rows == [
        {
            "age": 41,
            "job": "management",
            "marital": "married",
            "balance": 2143.5,
            "housing": True,
            "contacted_at": "2009-03-02T09:30Z",
            "note": "asked for L'Isle branch",
        }
    ]
    assert "Authorization" not in headers
    assert answer.status_code == 200
    assert "<strong>no</strong>" in answer.text
    assert "83.4" in answer.text
    assert 'width="83.42"' in answer.text
    assert "Version 2 answered in" in answer.text


def test_what_the_form_shows_is_what_it_sends(browser: httpx.Client, gateway: Gateway) -> None:
    gateway.body = ANSWER
    page = browser.get("/models/churn").text
    values = [html.unescape(part.partition('"')[0]) for part in page.partition("data-try")[2].split('value="')[1:]]

    assert values[0] == "41"
    assert "2143.5" in values
    assert "2009-03-02T09:30:00" in values
    assert "asked for L'Isle branch" in values


def test_an_alias_is_asked_when_its_version_is_shown(browser: httpx.Client, gateway: Gateway) -> None:
    gateway.body = ANSWER

    browser.post("/models/churn/try", data={**EXAMPLE, "version": "3"})

    assert gateway.asked[0][0] == "/models/churn/invocations?alias=challenger"


def test_the_token_is_shown_to_a_gateway_that_is_open_to_the_network(world: World, gateway: Gateway) -> None:
    gateway.body = ANSWER
    asking = client(create_app(world.plane(is_open_to_network=True)), Authorization=f"Bearer {TOKEN}")

    asking.post("/models/churn/try", data=EXAMPLE)

    assert gateway.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_an_error_stands_beside_the_field_it_names(browser: httpx.Client, gateway: Gateway) -> None:
    gateway.status = 422
    gateway.body = {
        "title": "Rows that do not fit",
        "detail": "1 value(s) do not fit the schema.",
        "errors": [{"row": 0, "column": "age", "code": "wrong-type", "detail": "expected an integer, found <b>x</b>"}],
    }

    answer = browser.post("/models/churn/try", data={**EXAMPLE, "c0": "forty"})

    assert answer.status_code == 422
    assert gateway.asked[0][1][0]["age"] == "forty"
    field = answer.text.partition('name="c0"')[2].partition('class="field')[0]
    assert 'aria-invalid="true" aria-describedby="c0-error"' in field
    assert "found &lt;b&gt;x&lt;/b&gt;" in field
    assert 'value="forty"' in field
    assert "Rows that do not fit" in answer.text


def test_a_regression_shows_its_interval(browser: httpx.Client, gateway: Gateway) -> None:
    gateway.body = {"predictions": [318250.4], "intervals": [[291000.0, 344100.0]], "prediction_id": "p"}

    answer = browser.post("/models/house-price/try", data={"c0": "5", "c1": "96", "c2": "69004"})

    assert gateway.asked[0][1] == [{"rooms": 5, "area_m2": 96.0, "postcode": "69004"}]
    assert "318,250" in answer.text
    assert "291,000 – 344,100" in answer.text


def test_a_gateway_that_is_down_is_said_on_the_page(browser: httpx.Client, world: World) -> None:
    world.gateway_url = "http://127.0.0.1:9"

    answer = browser.post("/models/churn/try", data=EXAMPLE)

    assert answer.status_code == 503
    assert "gave no answer (ConnectError)" in answer.text
    assert "boucle status" in answer.text


@pytest.mark.parametrize(
    ("status", "raw", "expected"),
    [
        (200, b"not json", 502),
        (200, b"[1]", 502),
        (200, b"\xff", 502),
        (200, b"{}", 502),
        (200, b'{"predictions": []}', 502),
        (200, b'{"predictions": {}}', 502),
        (200, b'{"predictions": ["a"], "probabilities": "x", "classes": [1]}', 502),
        (200, b'{"predictions": ["a"], "probabilities": [["x"]], "classes": [1]}', 502),
        (200, b'{"predictions": ["a"], "probabilities": [[0.5]], "classes": [1, 2]}', 502),
        (200, b'{"predictions": [1], "intervals": [[1]]}', 502),
        (200, b'{"predictions": [1], "intervals": 7}', 502),
        (200, b"x" * 1_100_000, 502),
        (200, b'{"predictions": [null]}', 200),
        (200, b'{"predictions": [NaN], "intervals": [[-Infinity, Infinity]]}', 200),
        (200, b'{"predictions": [{"a": [1]}]}', 200),
        (200, b'{"predictions": ["a"], "probabilities": null, "classes": null}', 200),
        (401, b'{"title": "A token is needed"}', 502),
        (302, b"{}", 502),
        (422, b'{"errors": [1, {"column": 5}, "x"]}', 422),
        (422, b'{"errors": 5, "title": ["x"]}', 422),
        (429, b'{"title": "Slow down"}', 429),
        (500, b"[]", 502),
    ],
)
def test_whatever_the_gateway_says_the_page_stands(
    browser: httpx.Client, gateway: Gateway, status: int, raw: bytes, expected: int
) -> None:
    gateway.status, gateway.raw = status, raw

    answer = browser.post("/models/churn/try", data=EXAMPLE)

    assert answer.status_code == expected
    assert "</html>" in answer.text


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"c0=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % i for i in range(20_001)), "application/x-www-form-urlencoded", 400),
        (b"x" * (1024 * 1024 + 1), "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"", "", 415),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(browser: httpx.Client, content: bytes, media: str, status: int) -> None:
    answer = browser.post("/models/churn/try", content=content, headers={"Content-Type": media})

    assert answer.status_code == status


@pytest.mark.parametrize("version", ["x", "-1", "0", "9" * 30, "٣", "1"])
def test_a_version_that_cannot_be_tried_is_no_error_of_ours(
    browser: httpx.Client, gateway: Gateway, version: str
) -> None:
    gateway.body = ANSWER

    assert browser.post("/models/churn/try", data={**EXAMPLE, "version": version}).status_code in (200, 404)


@pytest.mark.parametrize(
    ("type_", "nullable", "text", "meant"),
    [
        ("int", False, "41", 41),
        ("int", False, "-7", -7),
        ("int", False, "4.5", 4.5),
        ("int", False, "1_000", "1_000"),
        ("int", False, "9" * 30, "9" * 30),
        ("int", True, "", None),
        ("int", False, "", None),
        ("float", False, "1e-3", 0.001),
        ("float", False, ".5", 0.5),
        ("float", False, "nan", "nan"),
        ("float", False, "inf", "inf"),
        ("float", False, "1e999", "1e999"),
        ("float", False, "3,5", "3,5"),
        ("bool", False, "true", True),
        ("bool", False, "false", False),
        ("bool", False, "yes", "yes"),
        ("text", False, "", ""),
        ("text", True, "", None),
        ("text", False, "null", "null"),
        ("category", False, "", None),
        ("datetime", False, "2009-03-02T09:30", "2009-03-02T09:30Z"),
        ("datetime", False, "2009-03-02T09:30:00+02:00", "2009-03-02T09:30:00+02:00"),
        ("datetime", False, "2009-03-02T09:30:00-02:00", "2009-03-02T09:30:00-02:00"),
        ("datetime", False, "now", "now"),
    ],
)
def test_what_is_typed_is_sent_as_it_is_understood(type_: Any, nullable: bool, text: str, meant: Any) -> None:
    schema = Schema((ColumnSchema("a", type_, nullable=nullable),))

    assert trying.row_of(schema, {"c0": text}) == {"a": meant}


@pytest.mark.parametrize("text", ["{", "NaN", '{"a": NaN}', '{"a": 1e999}', "[" * 100_000])
def test_a_whole_row_that_is_no_json_is_sent_as_text(text: str) -> None:
    assert trying.row_of(Schema(()), {"row": text}) == text


def test_a_whole_row_is_sent_as_it_is() -> None:
    assert trying.row_of(Schema(()), {"row": '{"a": [1, null]}'}) == {"a": [1, None]}
