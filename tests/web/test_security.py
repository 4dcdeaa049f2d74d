"""Who may do what: deny by default, and before anything is read."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute

from boucle.core.i18n import N_
from boucle.web.app import create_app
from boucle.web.security import ANSWER_HEADERS, GuardedRoute
from web.in_process import client
from web.made_up import TOKEN, World, populated

PUBLIC = {"/livez", "/readyz", "/static/{digest}/{name}", "/favicon.ico"}
PAGES = {
    "/",
    "/models",
    "/models.json",
    "/models/{name}",
    "/models/{name}.json",
    "/models/{name}/try",
    "/models/{name}/window.csv",
    "/models/{name}/report.html",
    "/models/{name}/reports/{file}",
    "/models/{name}/versions/{number}",
    "/models/{name}/versions/{number}.json",
    "/api/docs",
    "/api/openapi.json",
    "/metrics",
}


def walk(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """Every route, those of included routers too, however the framework keeps them."""
    for route in routes:
        inner: Any = getattr(route, "original_router", None) or getattr(route, "app", None)
        below = getattr(inner, "routes", None)
        if isinstance(route, GuardedRoute) or below is None:
            yield route
        else:
            yield from walk(list(below))


def guarded() -> list[GuardedRoute]:
    routes = list(walk(create_app(World().plane()).routes))
    return [route for route in routes if isinstance(route, GuardedRoute)]


def test_every_route_of_the_application_declares_who_may_use_it() -> None:
    routes = list(walk(create_app(World().plane()).routes))

    assert len(routes) > 25
    undeclared = [route for route in routes if getattr(route, "permission", None) is None]
    assert undeclared == []


def test_only_health_and_static_files_are_public() -> None:
    assert {route.path for route in guarded() if route.permission == "public"} == PUBLIC


def test_all_but_pages_and_public_routes_need_the_token() -> None:
    others = {route.path for route in guarded() if route.permission == "token"}

    assert {route.path for route in guarded() if route.permission == "page"} == PAGES
    assert others
    assert all(path.startswith("/api/v1/") for path in others)


def test_a_route_without_a_permission_cannot_be_made() -> None:
    app = create_app(World().plane())

    with pytest.raises(TypeError, match="route /secret declares no permission"):
        app.add_api_route("/secret", lambda: N_("secret"))


def requests_of_every_route() -> list[tuple[str, str]]:
    filled = {"{name}": "churn", "{number}": "1", "{digest}": "0" * 64, "{job_id}": "x"}
    found = []
    for route in guarded():
        path = route.path
        for hole, value in filled.items():
            path = path.replace(hole, value)
        found += [(method, path) for method in sorted(route.methods or ()) if route.permission == "token"]
    return found


@pytest.mark.parametrize(("method", "path"), requests_of_every_route(), ids="{0[0]} {0[1]}".format)
@pytest.mark.parametrize("credentials", [None, "Bearer wrong", "Bearer ", "Basic eDp4", f"Token {TOKEN}"])
def test_the_api_answers_401_without_the_token(method: str, path: str, credentials: str | None) -> None:
    headers = {} if credentials is None else {"Authorization": credentials}

    answer = client(create_app(World().plane())).request(method, path, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    if method != "HEAD":
        assert answer.json()["type"] == "urn:boucle:problem:unauthenticated"
        assert "wrong" not in answer.json()["detail"] or credentials != "wrong"


def test_no_token_is_ever_right_when_the_platform_has_none() -> None:
    asking = client(create_app(World().plane(token="")))

    assert asking.get("/api/v1/models", headers={"Authorization": "Bearer "}).status_code == 401


def test_a_body_is_not_read_before_the_token_is_known() -> None:
    parts = iter([b"one", b"two"])
    asking = client(create_app(World().plane()))

    assert asking.put("/api/v1/artifacts/" + "0" * 64, content=parts).status_code == 401
    assert list(parts) == [b"one", b"two"]


def test_pages_are_open_on_loopback(browser: httpx.Client) -> None:
    assert browser.get("/").status_code == 200
    assert browser.get("/models/churn").status_code == 200


@pytest.mark.parametrize(
    ("user_and_password", "status"),
    [(f"anybody:{TOKEN}", 200), (f":{TOKEN}", 200), ("anybody:wrong", 401), ("anybody:", 401), (TOKEN, 401)],
)
def test_pages_open_to_the_network_need_the_token_as_password(user_and_password: str, status: int) -> None:
    asking = client(create_app(populated().plane(is_open_to_network=True)), Accept="text/html")
    credentials = base64.b64encode(user_and_password.encode()).decode()

    assert asking.get("/", headers={"Authorization": f"Basic {credentials}"}).status_code == status


def test_a_browser_that_is_not_signed_in_is_asked_to(world: World) -> None:
    asking = client(create_app(world.plane(is_open_to_network=True)), Accept="text/html")

    answer = asking.get("/models/churn")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="boucle", charset="UTF-8"'
    assert "call centre" not in answer.text


@pytest.mark.parametrize("broken", ["Basic", "Basic !!!", "Basic w6k=", "Bearer é", "Basic \udcff"])
def test_broken_credentials_are_refused_not_an_error(broken: str) -> None:
    asking = client(create_app(World().plane(is_open_to_network=True)))

    answer = asking.get("/", headers=[(b"Authorization", broken.encode("utf-8", "surrogateescape"))])

    assert answer.status_code == 401


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST", "localhost.", "testserver"])
def test_loopback_names_and_allowed_hosts_are_served(browser: httpx.Client, host: str) -> None:
    assert browser.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "evil@localhost", "[::1", "127.0.0.1/x", "", "a b"],
)
def test_any_other_host_name_is_refused_even_for_health(browser: httpx.Client, host: str) -> None:
    answer = browser.get("/livez", headers={"Host": host})

    assert answer.status_code == 421
    assert answer.json()["type"] == "urn:boucle:problem:unknown-host"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:9999"},
        {"Origin": "http://[broken"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
)
@pytest.mark.parametrize("path", ["/models/churn/try", "/api/v1/models/churn/rollback"])
def test_another_sites_page_can_change_nothing(api: httpx.Client, headers: dict[str, str], path: str) -> None:
    answer = api.post(path, headers=headers, content=b"")

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:boucle:problem:cross-site"


def test_the_platforms_own_pages_and_programs_pass_the_origin_check(api: httpx.Client) -> None:
    own = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}

    assert api.post("/api/v1/models/churn/rollback", headers=own).status_code == 200
    assert api.post("/api/v1/models/churn/promote", json={"version": 2}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/models/churn", "/nothing", "/api/v1/models", "/livez", "/favicon.ico"])
def test_every_answer_carries_the_security_headers(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path)

    assert {name: answer.headers.get(name) for name in ANSWER_HEADERS} == ANSWER_HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_pages_are_not_stored_and_static_files_are_kept(browser: httpx.Client) -> None:
    page = browser.get("/")
    stylesheet = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]

    assert page.headers["Cache-Control"] == "no-store"
    assert "immutable" in browser.get(stylesheet).headers["Cache-Control"]


def test_a_request_id_is_kept_when_it_is_plain_and_replaced_when_not(browser: httpx.Client) -> None:
    assert browser.get("/livez", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert browser.get("/livez", headers={"X-Request-Id": "a b;c"}).headers["X-Request-Id"] != "a b;c"


def test_an_unforeseen_error_tells_nothing_of_itself(world: World, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def read(self) -> dict[str, Any]:
            raise RuntimeError("secret of the inside")

    asking = client(create_app(world.plane(traffic=Broken())), Authorization=f"Bearer {TOKEN}")

    answer = asking.get("/api/v1/models")

    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:boucle:problem:internal"
    assert "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret of the inside" in caplog.text
