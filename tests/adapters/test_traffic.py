"""The gateway's counters as pages show them: since its start, and minute by minute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boucle.adapters.traffic import GatewayTraffic, parse, quantile

BOUNDS = (0.001, 0.01, 0.1, float("inf"))


def exposition(*series: tuple[str, str, dict[str, int], tuple[int, ...]]) -> str:
    """The text a gateway tells: (model, version, requests by status, requests by bucket)."""
    lines = ["# TYPE boucle_requests counter"]
    for model, version, statuses, _buckets in series:
        lines += [
            f'boucle_requests_total{{model="{model}",version="{version}",status="{status}"}} {count}'
            for status, count in statuses.items()
        ]
    lines += ["# TYPE boucle_request_duration_seconds histogram"]
    for model, version, _statuses, buckets in series:
        for bound, count in zip(BOUNDS, np.cumsum(buckets), strict=True):
            told = "+Inf" if bound == float("inf") else bound
            labels = f'model="{model}",version="{version}",le="{told}"'
            lines.append(f"boucle_request_duration_seconds_bucket{{{labels}}} {count}")
    return "\n".join([*lines, ""])


@dataclass
class Told:
    """What the gateway tells next, the clock, and what was asked."""

    text: str = ""
    status: int = 200
    now: float = 1000.0
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def told() -> Iterator[Told]:
    """A real HTTP server on a free port."""
    state = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append({**self.headers, "path": self.path})
            self.send_response(state.status)
            self.end_headers()
            self.wfile.write(state.text.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name it has in http.server
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


Ask = Callable[[float, str], dict[str, Any]]


@pytest.fixture
def ask(told: Told) -> Ask:
    """Let some seconds pass, let the gateway tell a text, and read the traffic."""
    traffic = GatewayTraffic(lambda: told.url, "s3cret", lambda: told.now)

    def read(seconds: float, text: str) -> dict[str, Any]:
        told.now += seconds
        told.text = text
        return dict(traffic.read())

    return read


def test_requests_and_errors_of_all_versions_are_counted_since_the_gateway_started(ask: Ask) -> None:
    text = exposition(
        ("churn", "1", {"2xx": 90, "4xx": 3, "5xx": 1}, (94, 0, 0, 0)), ("churn", "2", {"2xx": 6}, (6, 0, 0, 0))
    )

    churn = ask(0, text)["churn"]

    assert (churn.requests, churn.errors) == (100, 4)


def test_what_was_counted_before_the_first_reading_belongs_to_no_minute(ask: Ask) -> None:
    churn = ask(0, exposition(("churn", "1", {"2xx": 90}, (90, 0, 0, 0))))["churn"]

    assert (churn.recent, set(churn.per_minute), churn.p50_ms) == (0, {0}, None)


def test_requests_are_told_in_the_minute_they_came(ask: Ask) -> None:
    ask(0, exposition(("churn", "1", {"2xx": 0}, (0, 0, 0, 0))))
    ask(60, exposition(("churn", "1", {"2xx": 5}, (5, 0, 0, 0))))
    ask(60, exposition(("churn", "1", {"2xx": 5}, (5, 0, 0, 0))))
    churn = ask(60, exposition(("churn", "1", {"2xx": 12}, (12, 0, 0, 0))))["churn"]

    assert churn.per_minute[-3:] == (5, 0, 7)
    assert (churn.recent, churn.window_s, len(churn.per_minute)) == (12, 1800, 30)


def test_minutes_leave_the_window_after_half_an_hour(ask: Ask) -> None:
    ask(0, exposition(("churn", "1", {"2xx": 0}, (0, 0, 0, 0))))
    ask(60, exposition(("churn", "1", {"2xx": 5}, (5, 0, 0, 0))))
    churn = ask(1801, exposition(("churn", "1", {"2xx": 7}, (7, 0, 0, 0))))["churn"]

    assert (churn.requests, churn.recent) == (7, 2)


def test_a_gateway_that_started_anew_loses_no_minute(ask: Ask) -> None:
    ask(0, exposition(("churn", "1", {"2xx": 100}, (100, 0, 0, 0))))
    ask(60, exposition(("churn", "1", {"2xx": 104}, (104, 0, 0, 0))))
    churn = ask(60, exposition(("churn", "1", {"2xx": 3}, (3, 0, 0, 0))))["churn"]

    assert (churn.requests, churn.recent) == (3, 7)


def test_a_version_that_is_new_or_gone_does_not_disturb_the_others(ask: Ask) -> None:
    ask(0, exposition(("churn", "1", {"2xx": 10}, (10, 0, 0, 0))))
    ask(60, exposition(("churn", "1", {"2xx": 11}, (11, 0, 0, 0)), ("churn", "2", {"2xx": 4}, (4, 0, 0, 0))))
    churn = ask(60, exposition(("churn", "2", {"2xx": 6}, (6, 0, 0, 0))))["churn"]

    assert churn.per_minute[-2:] == (5, 2)


def test_latencies_are_those_of_the_window(ask: Ask) -> None:
    ask(0, exposition(("churn", "1", {"2xx": 1000}, (0, 0, 1000, 0))))
    churn = ask(60, exposition(("churn", "1", {"2xx": 1100}, (100, 0, 1000, 0))))["churn"]

    assert churn.p50_ms == pytest.approx(0.5)
    assert churn.p99_ms == pytest.approx(0.99)


def test_requests_that_named_no_model_are_left_out(ask: Ask) -> None:
    assert ask(0, exposition(("other", "", {"4xx": 9}, (9, 0, 0, 0)))) == {}


def test_one_reading_serves_a_second_and_shows_the_token(ask: Ask, told: Told) -> None:
    text = exposition(("churn", "1", {"2xx": 1}, (1, 0, 0, 0)))

    ask(0, text)
    ask(0.5, text)
    ask(0.6, text)

    assert [(asked["path"], asked["Authorization"]) for asked in told.asked] == [("/metrics", "Bearer s3cret")] * 2


@pytest.mark.parametrize(
    ("status", "text"), [(503, ""), (401, "x"), (200, "<html>"), (200, "boucle_requests_total{model=")]
)
def test_a_gateway_that_tells_nothing_useful_has_no_traffic(ask: Ask, told: Told, status: int, text: str) -> None:
    told.status = status

    assert ask(0, text) == {}


def test_a_gateway_that_is_down_has_no_traffic_and_is_asked_again() -> None:
    clock = iter([0.0, 0.1, 10.0, 10.1])  # before and after each reading
    traffic = GatewayTraffic(lambda: "http://127.0.0.1:9", "", lambda: next(clock))

    assert traffic.read() == {}
    assert traffic.read() == {}


def test_the_text_of_another_program_is_no_traffic() -> None:
    assert parse("# TYPE up gauge\nup 1\n") == {}


@pytest.mark.parametrize(
    ("share", "milliseconds"),
    # by hand: 10 requests up to 1 ms, 20 between 1 and 10 ms, 10 between 10 and 100 ms
    [(0.25, 1.0), (0.5, 5.5), (0.75, 10.0), (0.875, 55.0), (1.0, 100.0)],
)
def test_a_quantile_lies_in_its_bucket_in_proportion(share: float, milliseconds: float) -> None:
    cumulated = {0.001: 10.0, 0.01: 30.0, 0.1: 40.0, float("inf"): 40.0}

    assert quantile(cumulated, share) == pytest.approx(milliseconds)


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile({0.1: 0.0, float("inf"): 5.0}, 0.5) == 100.0
    assert quantile({}, 0.5) is None


@given(st.lists(st.floats(0.0001, 0.0999), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_never_further_off_than_its_bucket(seconds: list[float], share: float) -> None:
    cumulated = {bound: float(np.sum(np.array(seconds) <= bound)) for bound in BOUNDS}

    told = quantile(cumulated, share)

    exact = np.quantile(seconds, share, method="inverted_cdf")
    upper = next(bound for bound in BOUNDS if exact <= bound)
    lower = max((bound for bound in BOUNDS if bound < exact), default=0.0)
    assert told is not None
    assert 1000 * lower <= told + 1e-9
    assert told <= 1000 * upper + 1e-9
