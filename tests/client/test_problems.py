"""Problems of both servers become the errors that the same mistake would raise in Python."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from boucle.client.problems import error_of
from boucle.core import errors
from boucle.core.errors import BoucleError, InvalidRows, RowProblem
from boucle.gateway.problems import problem as gateway_problem
from boucle.web.problems import MissingArtifacts, status_of
from boucle.web.problems import problem as web_problem

ROWS = InvalidRows([RowProblem("missing-column", "age", "Column 'age' is missing.", None, "int")], 1)
ERRORS: list[BoucleError] = [
    errors.InvalidRequest("malformed-json", "That is no JSON."),
    errors.TooLarge("bytes", 9, 8),
    errors.NotAllowed("wrong-token", "The token is wrong."),
    errors.NotFound("model", "churn", ["other"]),
    errors.Conflict("It is there already."),
    errors.CorruptArtifact("a" * 64, "b" * 64),
    errors.Unavailable("busy", 7),
    errors.TooSlow("the model", 10.0),
    errors.ModelFailed("ValueError: no"),
    ROWS,
]


def told(document: dict[str, Any], headers: dict[str, str] | None = None) -> BoucleError:
    return error_of(httpx.Response(document["status"], json=document, headers=headers or {}))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_of_the_control_plane_arrives_as_itself(error: BoucleError) -> None:
    found = told({**web_problem(error), "status": status_of(error)})
    assert (type(found), str(found), found.code) == (type(error), str(error), error.code)


@pytest.mark.parametrize("error", [e for e in ERRORS if not isinstance(e, (errors.Conflict, errors.CorruptArtifact))])
def test_an_error_of_the_gateway_arrives_as_itself(error: BoucleError) -> None:
    sent = gateway_problem(error, "request-1")
    headers = {name.decode(): value.decode() for name, value in sent.headers}
    found = error_of(httpx.Response(sent.status, content=sent.body, headers=headers))
    assert (type(found), str(found)) == (type(error), str(error))


def test_rows_that_do_not_fit_keep_each_row_and_column() -> None:
    found = told(web_problem(ROWS))
    assert isinstance(found, InvalidRows)
    assert (found.problems, found.total) == (ROWS.problems, 1)


def test_missing_artifacts_are_named() -> None:
    found = told(web_problem(MissingArtifacts(["a" * 64])))
    assert (type(found), getattr(found, "missing", ())) == (errors.Conflict, ("a" * 64,))


def test_unavailable_says_when_to_try_again() -> None:
    found = told({"status": 503, "detail": "busy"}, {"Retry-After": "7"})
    assert isinstance(found, errors.Unavailable)
    assert found.retry_after_s == 7


def test_a_page_of_a_proxy_is_told_as_it_is() -> None:
    request = httpx.Request("GET", "http://proxy.example/x")
    found = error_of(httpx.Response(502, text="<h1>Bad\n gateway</h1>", request=request))
    assert str(found) == "http://proxy.example/x answered 502: <h1>Bad gateway</h1>"


def test_an_answer_without_words_asks_for_the_token() -> None:
    request = httpx.Request("HEAD", "http://127.0.0.1:8000/api/v1/artifacts/x")
    with pytest.raises(errors.NotAllowed, match=r"wants a token. Set BOUCLE_TOKEN, or BOUCLE_HOME"):
        raise error_of(httpx.Response(401, request=request))


def test_an_unexpected_error_names_the_request_under_which_its_cause_is_logged() -> None:
    problem = {"status": 500, "title": "Internal Server Error", "detail": "See the log, under the request id."}

    found = told({**problem, "instance": "urn:boucle:request:0198aa"})

    assert str(found) == "See the log, under the request id. (0198aa)"
