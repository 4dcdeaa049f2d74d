"""A forecaster behind the gateway: windows of candles in, one answer each out. Real ONNX, real HTTP."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

import forecasting as fc
from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.adapters.memory.models import MemoryRoutes
from boucle.adapters.models import StoredModels
from boucle.core.routes import RoutedVersion, RouteTable
from boucle.core.window import Window
from gateway.conftest import Launch, Running, until
from routed import table

GROUPED = replace(fc.HOURLY, group_by="pair")
MODELS = {"hourly": fc.HOURLY, "filled": fc.FILLED, "free": Window(fc.ROWS, "timestamp"), "pairs": GROUPED}


def version(artifacts: MemoryArtifacts, window: Window, file: bytes) -> RoutedVersion:
    return RoutedVersion(1, "onnx", "onnx", artifacts.write(file), fc.schema(window), fc.signature(window))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("windows")
    launching, artifacts = Launch(folder), MemoryArtifacts()
    routes: tuple[Any, ...] = ()
    for name, window in MODELS.items():
        routes += table(1, version(artifacts, window, fc.forecaster()), name=name).routes
    crossed = version(artifacts, fc.HOURLY, fc.forecaster(low=1.0, high=-1.0))
    routes += table(1, crossed, name="crossed").routes
    running = launching(StoredModels(artifacts, folder / "none.sock"), MemoryRoutes(RouteTable(1, routes)))
    until(lambda: len(running.app.fleet.loaded) == len(routes))
    yield running
    launching.stop()


def refused(answer: httpx.Response) -> list[tuple[str, Any]]:
    assert answer.status_code == 422, answer.text
    return [(item["code"], item.get("row")) for item in answer.json()["errors"]]


def test_a_window_of_candles_has_one_forecast_and_its_interval(running: Running) -> None:
    rows = fc.candles(fc.ROWS)
    answer = running.ask(rows, "hourly")
    assert answer.status_code == 200
    told = answer.json()
    assert list(told) == ["predictions", "intervals", "prediction_id"]
    assert told["predictions"] == pytest.approx([fc.forecast(rows)], rel=1e-15)
    assert told["intervals"] == [pytest.approx([fc.forecast(rows) - 1, fc.forecast(rows) + 2], rel=1e-15)]
    assert answer.headers["x-boucle-version"] == "1"


@pytest.mark.parametrize("name", ["hourly", "filled", "free"])
def test_more_rows_than_needed_in_any_order_are_answered_by_the_newest(running: Running, name: str) -> None:
    rows = fc.candles(300)
    expected = fc.forecast(rows[-fc.ROWS :])
    rows = [rows[i] for i in np.random.default_rng(7).permutation(300)]
    assert running.ask(rows, name).json()["predictions"] == [pytest.approx(expected, rel=1e-15)]


@pytest.mark.parametrize("wrapper", ["rows", "dataframe_records", "instances", "inputs", "dataframe_split"])
def test_every_format_of_rows_is_read(running: Running, wrapper: str) -> None:
    rows = fc.candles(fc.ROWS + 1)
    body: Any = rows
    if wrapper == "inputs":
        body = {name: [row[name] for row in rows] for name in rows[0]}
    elif wrapper == "dataframe_split":
        body = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    answer = running.ask({wrapper: body}, "hourly")
    assert answer.json()["predictions"] == [pytest.approx(fc.forecast(rows[1:]), rel=1e-15)]


def test_too_few_rows_are_refused_saying_how_many_it_takes(running: Running) -> None:
    answer = running.ask(fc.candles(fc.ROWS - 1), "hourly")
    assert refused(answer) == [("too-few-rows", None)]
    assert answer.json()["type"] == "urn:boucle:problem:too-few-rows"
    assert "at least 4 rows for one answer, found 3 rows" in answer.json()["errors"][0]["detail"]


def test_a_hole_is_refused_naming_the_row_after_it(running: Running) -> None:
    rows = fc.candles(6)
    del rows[3]
    assert refused(running.ask(rows, "hourly")) == [("hole", 3)]


def test_a_hole_before_the_window_is_no_harm(running: Running) -> None:
    rows = fc.candles(7)
    del rows[1]
    assert running.ask(rows, "hourly").json()["predictions"] == [pytest.approx(fc.forecast(rows[-4:]), rel=1e-15)]


def test_a_hole_is_filled_flat_at_the_last_close_where_the_schema_says_so(running: Running) -> None:
    rows = fc.candles(5)
    gone, before = rows.pop(3), rows[2]
    flat = {"timestamp": gone["timestamp"], **dict.fromkeys(fc.PRICES, before["close"])}
    expected = fc.forecast([*rows[1:3], flat, rows[3]])
    assert running.ask(rows, "filled").json()["predictions"] == [pytest.approx(expected, rel=1e-15)]


def test_a_hole_larger_than_may_be_filled_is_refused(running: Running) -> None:
    rows = fc.candles(8)
    del rows[4:6]
    assert refused(running.ask(rows, "filled")) == [("hole", 4)]


def test_closed_markets_have_no_holes(running: Running) -> None:
    rows = fc.candles(50)
    del rows[10:47]
    assert running.ask(rows, "free").json()["predictions"] == [pytest.approx(fc.forecast(rows[-4:]), rel=1e-15)]


@pytest.mark.parametrize("name", ["hourly", "filled", "free"])
def test_two_candles_of_one_hour_are_refused_naming_the_later(running: Running, name: str) -> None:
    rows = fc.candles(6)
    rows.append({**rows[2], "close": 7.0})
    assert refused(running.ask(rows, name)) == [("duplicate-row", 6)]


def test_a_candle_between_the_hours_is_refused(running: Running) -> None:
    rows = fc.candles(5)
    rows[4]["timestamp"] = "2024-05-01T04:30:00Z"
    assert refused(running.ask(rows, "hourly")) == [("off-step", 4)]


def test_each_pair_has_its_forecast(running: Running) -> None:
    btc, eth = fc.candles(5, group="BTC"), fc.candles(4, "2024-06-01T10", group="ETH")
    rows = [eth[0], *btc[::-1], *eth[1:]]
    told = running.ask(rows, "pairs").json()
    assert list(told) == ["predictions", "intervals", "groups", "prediction_id"]
    assert told["groups"] == ["ETH", "BTC"]
    assert told["predictions"] == pytest.approx([fc.forecast(eth), fc.forecast(btc[1:])], rel=1e-15)
    assert len(told["intervals"]) == 2


def test_a_pair_with_too_few_candles_is_named(running: Running) -> None:
    answer = running.ask([*fc.candles(4, group="BTC"), *fc.candles(2, group="ETH")], "pairs")
    assert refused(answer) == [("too-few-rows", None)]
    assert "'ETH'" in answer.json()["errors"][0]["detail"]


def test_answers_are_counted_not_rows(running: Running) -> None:
    meter = running.app.meters.of("pairs", 1)
    before = meter.predictions
    running.ask([*fc.candles(9, group="BTC"), *fc.candles(9, group="ETH")], "pairs")
    assert meter.predictions - before == 2


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_csv_in_is_csv_out_with_the_group_first(running: Running) -> None:
    rows = fc.candles(4, group="BTC")
    headers = {"content-type": "text/csv", "accept": "text/csv"}
    answer = running.client.post("/models/pairs/invocations", content=as_csv(rows), headers=headers)
    header, line = answer.text.splitlines()
    assert header == "group,prediction,low,high"
    group, *numbers = line.split(",")
    expected = fc.forecast(rows)
    assert group == "BTC"
    assert list(map(float, numbers)) == pytest.approx([expected, expected - 1, expected + 2], rel=1e-15)


def test_a_large_request_is_answered_beside_the_event_loop(running: Running) -> None:
    rows = fc.candles(6000)
    assert running.ask(rows, "hourly").json()["predictions"] == [pytest.approx(fc.forecast(rows[-4:]), rel=1e-15)]


def test_an_interval_that_is_none_is_null(running: Running) -> None:
    told = running.ask(fc.candles(4), "crossed").json()
    assert told["intervals"] == [[None, None]]
    assert told["predictions"] != [None]


def test_the_schema_says_how_many_rows_make_an_answer(running: Running) -> None:
    told = running.client.get("/models/filled/schema").json()
    assert told["type"] == "object"
    assert told["x-boucle-window"] == {
        "rows": 4,
        "order_by": "timestamp",
        "step": 3600,
        "gaps": "fill",
        "fill": {"open": "close", "high": "close", "low": "close"},
        "most_filled": 1,
    }


def test_the_model_says_its_window_and_the_level_of_its_intervals(running: Running) -> None:
    told = running.client.get("/models/pairs").json()
    assert told["interval_level"] == 0.9
    assert told["window"]["group_by"] == "pair"


def test_readyz_asks_a_whole_window(running: Running) -> None:
    found = running.client.get("/readyz").json()
    assert {model["model"]: model["ready"] for model in found["models"]} == dict.fromkeys([*MODELS, "crossed"], True)


VALUES: list[Any] = [
    None,
    True,
    "",
    "x",
    "NaN",
    [],
    {},
    1e308,
    -1e308,
    0,
    10**18,
    2**70,
    "9999-12-31T23:00:00Z",
    "0001-01-01",
]


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("column", ["timestamp", *fc.PRICES, "pair", "extra"])
def test_no_cell_can_break_it(running: Running, name: str, column: str) -> None:
    for value in VALUES:
        for at in (0, 3, 4):
            rows = fc.candles(5, group="BTC")
            rows[at][column] = value
            answer = running.ask(rows, name)
            assert answer.status_code in (200, 400, 422), (value, at, answer.text)
            assert answer.headers["content-type"].startswith(("application/json", "application/problem+json"))


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        "null",
        '[{"timestamp": "2024-05-01"}]',
        '{"inputs": {"timestamp": []}}',
        '{"instances": [[1, 2, 3, 4, 5]]}',
        json.dumps([{"timestamp": "9999-12-31", **dict.fromkeys(fc.PRICES, 1)}] * 5),
        json.dumps([{"timestamp": f"{y:04}-01-01", **dict.fromkeys(fc.PRICES, y)} for y in (1, 2000, 5000, 9999)]),
    ],
)
@pytest.mark.parametrize("name", list(MODELS))
def test_no_body_can_break_it(running: Running, name: str, body: str) -> None:
    headers = {"content-type": "application/json"}
    answer = running.client.post(f"/models/{name}/invocations", content=body, headers=headers)
    assert answer.status_code in (200, 400, 422)


def test_more_raw_rows_than_the_limit_are_refused(running: Running) -> None:
    rows = {name: [1.0] * 50_001 for name in fc.PRICES} | {"timestamp": ["2024-05-01"] * 50_001}
    answer = running.ask({"inputs": rows}, "hourly")
    assert answer.status_code == 413
