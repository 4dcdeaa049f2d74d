"""The page of a forecaster: its newest forecast, what came of the past ones, and labels that hide nothing."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from boucle.core.gate import read_gate
from boucle.core.table import Column, Table, concat
from boucle.core.version import Artifact
from boucle.web.app import create_app
from boucle.web.pages import forecast, samples
from boucle.web.pages.charts import Forecast
from boucle.web.pages.track import Track
from web import forecasters as made
from web.conftest import Gateway
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World
from web.test_pages import NASTY, Outline

HOUR_US = made.HOUR_US


@pytest.fixture
def world() -> World:
    """A platform with forecasters among its models."""
    return made.with_forecasters(World())


def page(world: World, address: str = "/models/btc-hourly", **headers: str) -> str:
    answer = client(create_app(world.plane()), Accept="text/html", **headers).get(address)
    assert answer.status_code == 200
    return html.unescape(answer.text)


def section(text: str) -> str:
    return text.partition('id="forecast"')[2].partition("</section>")[0]


def test_the_newest_forecast_is_told_with_its_interval_naive_and_the_age_of_its_candles(world: World) -> None:
    world.now_us = NOW_US + 20 * 60_000_000  # 14:20; the newest candle is that of 13:00
    close = made.series().columns["close"].values
    predicted = close[-1] * (1 + 0.05 * (close[-2] / close[-1] - 1))

    told = section(page(world))

    assert f"<dd>{predicted:,.1f}</dd>" in told
    assert f"{close[-1] * 0.9934:,.1f} – {close[-1] * 1.0066:,.1f}" in told
    assert f"Naive: the last close</dt><dd>{close[-1]:,.1f}" in told
    assert "90 % interval" in told.replace("\u202f", " ")
    assert ">2026-07-12 14:00 UTC</time>" in told
    assert ">2026-07-12 13:00 UTC</time> <small>1 hour ago</small>" in told
    assert "Version 1 deployed" in told
    assert "That time has passed" not in told


def test_the_past_forecasts_are_scored_against_what_came(world: World) -> None:
    table, said = made.series(), made.answers_on(made.series())
    close = table.columns["close"].values
    predicted, actual, naive = said.columns["prediction"].values[:-1][-72:], close[-72:], close[-73:-1]
    inside = int((np.abs(actual / naive - 1) <= 0.0066).sum())

    told = section(page(world))

    assert f"{inside} of 72" in told
    assert f"{np.abs(predicted - actual).mean():,.1f}" in told
    assert f"{np.abs(naive - actual).mean():,.1f}" in told
    assert told.count("<tr>") == 1 + 73
    assert f"; {inside} of 72 past closes lay inside their band." in told


def test_the_page_says_what_the_past_forecasts_are_and_that_it_is_no_advice(world: World) -> None:
    told = section(page(world))

    assert "for candles it was not trained on (its training ended 2026-07-01 05:00 UTC)" in told
    assert "This is no investment advice." in told
    assert "does worse than" not in told
    assert "does worse than saying the last close again" in section(page(world, "/models/eth-hourly"))


@pytest.mark.parametrize(
    "told",
    [None, "", "soon", 20260701, "0001-01-01T00:00:00+23:00", "2026-07-09T14:00:00Z", "2026-07-10T00:00:00Z"],
    ids=["nothing", "empty", "a word", "a number", "beyond", "trained on the first", "trained on some"],
)
def test_nothing_is_claimed_of_training_unless_every_forecast_shown_is_for_a_later_time(
    world: World, told: object
) -> None:
    params = {} if told is None else {"trained_until": told}  # the oldest forecast shown is for 2026-07-09 14:00
    made.deploy(world, "trained", made.manifest(world, made.series(), params=params, seed=90))

    text = section(page(world, "/models/trained"))

    assert "its author knows" in text
    assert "it was not trained on" not in text


@pytest.mark.parametrize(
    "told", ["2026-07-09T13:59:59Z", "2026-07-09T15:00:00+02:00", "2026-07-09", "2026-07-09T13:00"]
)
def test_the_end_of_training_is_told_in_utc(world: World, told: str) -> None:
    made.deploy(world, "t", made.manifest(world, made.series(), params={"trained_until": told}, seed=90))

    assert "(its training ended 2026-07-09 " in section(page(world, "/models/t"))


@pytest.mark.parametrize(
    ("predicted", "shown"),
    [
        (0.00001234, "0.0000123400"),
        (0.5, "0.500000"),
        (1.0, "1.00000"),
        (93_512.5, "93,512.5"),
        (1_234_567.0, "1,234,567"),
        (-0.25, "-0.250000"),
        (0.0, "0.00"),
        (1e-30, "0.000000000000"),
    ],
)
def test_prices_are_told_with_six_significant_digits(predicted: float, shown: str) -> None:
    told = forecast.Section(Track((), (Forecast(0, predicted),), HOUR_US))

    assert told.price(predicted) == shown


def test_a_sample_at_the_end_of_time_is_no_error_of_the_page(world: World) -> None:
    late = made.series(60).columns
    end = np.datetime64("9999-12-31T23:00", "us") - np.arange(60)[::-1] * np.timedelta64(1, "h")
    table = Table({**late, "timestamp": Column("datetime", end)})
    made.deploy(world, "late", made.manifest(world, table, seed=98))

    assert "its times leave the years 1 to 9999" in section(page(world, "/models/late"))


def test_candles_grown_old_are_said_to_be_old(world: World) -> None:
    world.now_us = NOW_US + 5 * 86_400_000_000

    assert "That time has passed: these candles are old" in section(page(world))
    assert "5 days ago" in section(page(world))


def test_the_picture_stands_twice_for_wide_and_narrow_screens_with_one_summary(world: World) -> None:
    outline = Outline(client(create_app(world.plane()), Accept="text/html").get("/models/btc-hourly").text)

    pictures = [attributes for attributes in outline.all("svg") if attributes.get("role") == "img"]
    assert [attributes["aria-labelledby"] for attributes in pictures] == ["forecast-summary"] * 2
    assert [attributes["id"] for attributes in outline.all("figcaption")] == ["forecast-summary"]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "address",
    ["/models/btc-hourly", "/models/eth-hourly", "/models/btc-hourly/versions/1", "/models/eth-hourly/versions/1"],
)
def test_the_page_is_well_formed_and_keeps_to_the_policy(world: World, address: str, language: str) -> None:
    answer = client(create_app(world.plane()), Accept="text/html").get(address, params={"lang": language})

    outline = Outline(answer.text)
    ids = [attributes["id"] for _tag, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert outline.all("style") == []
    assert not [attributes for _tag, attributes in outline.tags if "style" in attributes]
    labelled = {attributes["for"] for attributes in outline.all("label")}
    assert {a["id"] for a in outline.all("textarea")} <= labelled


def test_a_version_still_building_or_a_model_of_rows_has_no_forecast(world: World) -> None:
    world.registry.register("soon", made.manifest(world, made.series(), seed=91), "ada")
    world.ready("churn", world.manifest(seed=92))

    assert 'id="forecast"' not in page(world, "/models/soon")
    assert 'id="forecast"' not in page(world, "/models/churn")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sample": Artifact("0" * 64, 10)}, ""),
        ({"sample": None}, "</strong> It was deployed without a sample."),
        ({"answers": None}, "</strong> It was deployed without answers to its sample."),
        ({"sample": Artifact("0" * 64, 10**12)}, "are too many for a page"),
    ],
    ids=["not there", "no sample", "no answers", "too large"],
)
def test_candles_that_cannot_be_read_are_said_to_be(world: World, changes: dict[str, Any], told: str) -> None:
    made.deploy(world, "broken", replace(made.manifest(world, made.series(), seed=93), **changes))

    text = page(world, "/models/broken")

    assert "The candles of this version cannot be shown." in section(text)
    assert told in section(text)
    assert "Card of version 1" in text


@pytest.mark.parametrize("content", [b"", b"BCL1", b"\x00" * 400, None], ids=["empty", "cut", "zeros", "other rows"])
def test_corrupt_candles_are_no_error_of_the_page(world: World, content: bytes | None) -> None:
    stored = made.series(60, seed=3).to_bytes() if content is None else content
    wrong = replace(made.manifest(world, made.series(), seed=94), sample=world.artifacts.write(stored))
    made.deploy(world, "corrupt", wrong)

    assert "cannot be shown" in section(page(world, "/models/corrupt"))
    assert client(create_app(world.plane())).get("/models/corrupt/window.csv").status_code in (200, 404)


def test_a_picture_that_cannot_be_drawn_leaves_the_figures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_told: object) -> str:
        raise ImportError("no vl_convert")

    monkeypatch.setattr(forecast, "candles_svg", broken)

    told = section(page(world))

    assert '<svg viewBox="0 0 8' not in told
    assert "past closes lay inside their band" in told
    assert "The same in figures" in told


def test_a_series_without_candles_is_a_table_of_forecasts(world: World) -> None:
    table = made.series().select(["timestamp"])
    load = Table({**table.columns, "load": Column("float", made.series().columns["close"].values)})
    said = made.answers_on(made.series())
    window = replace(made.WINDOW, fill={})
    made.deploy(world, "load", made.manifest(world, load, window=window, answers=said, gate=None, metrics={}, seed=95))

    told = section(page(world, "/models/load"))

    assert told.count("<tr>") == 1 + 73
    assert "<figure" not in told
    assert "Naive: the last close" not in told
    assert "Next value" in told
    assert "for values it was not trained on (its training ended 2026-07-01 05:00 UTC)" in told
    assert "candle" not in told
    assert "close" not in told


def test_of_several_groups_the_first_is_shown(world: World) -> None:
    one, other = made.series(), made.series(seed=5)
    pairs = [
        Table({**table.columns, "pair": Column("text", np.array([name] * table.n_rows, dtype=object))})
        for name, table in (("BTC", one), ("ETH", other))
    ]
    window = replace(made.WINDOW, group_by="pair")
    said = concat([made.answers_on(one), made.answers_on(other)])
    both = made.manifest(world, concat(pairs), window=window, answers=said, seed=96)
    made.deploy(world, "pairs", both)

    told = section(page(world, "/models/pairs"))

    assert f"{one.columns['close'].values[-1]:,.1f}" in told
    assert "<strong>BTC</strong>, the first of 2 series." in told


def later_world() -> World:
    """A champion whose newest candle is ten hours older than that of its challenger."""
    world = World()
    made.deploy(world, "btc-hourly", made.manifest(world, made.series(until_us=NOW_US - 11 * HOUR_US), seed=70))
    made.deploy(world, "btc-hourly", made.manifest(world, made.series(), seed=71))
    return world


def test_what_happened_after_is_laid_over_when_a_newer_version_knows() -> None:
    close = made.series().columns["close"].values

    told = section(page(later_world()))

    assert "10 later candles, brought by version 2, are drawn too." in told
    assert f"What came: {close[-10]:,.1f}." in told
    assert "Ask version 1 about them" in told
    assert "later candles" not in section(page(later_world(), "/models/btc-hourly/versions/2"))


def test_candles_of_weeks_later_are_not_drawn_into_the_same_picture() -> None:
    world = World()
    made.deploy(world, "old", made.manifest(world, made.series(until_us=NOW_US - 900 * HOUR_US), seed=70))
    made.deploy(world, "old", made.manifest(world, made.series(), seed=71))

    told = section(page(world, "/models/old"))

    assert "later candles" not in told
    assert "That time has passed" in told


def test_a_newer_version_whose_candles_cannot_be_read_changes_nothing() -> None:
    world = World()
    made.deploy(world, "btc", made.manifest(world, made.series(until_us=NOW_US - 11 * HOUR_US), seed=70))
    made.deploy(world, "btc", replace(made.manifest(world, made.series(), seed=71), sample=Artifact("0" * 64, 9)))

    assert "past closes lay inside" in section(page(world, "/models/btc"))


def last_close(rows: list[dict[str, Any]]) -> dict[str, Any]:
    close = rows[-1]["close"]
    return {"predictions": [close], "intervals": [[close - 1000, close + 1000]], "prediction_id": "p"}


def test_the_gateway_is_asked_about_later_candles_one_window_each(gateway: Gateway) -> None:
    world = later_world()
    world.gateway_url, gateway.body = gateway.url, last_close
    times = made.series().rows()

    answer = client(create_app(world.plane())).post("/models/btc-hourly/try", data={"ask": "later"})

    assert [len(rows) for _path, rows, _headers in gateway.asked] == [24] * 9
    assert [rows[-1]["timestamp"] for _path, rows, _headers in gateway.asked] == [r["timestamp"] for r in times[-10:-1]]
    close = made.series().columns["close"].values
    error = np.abs(np.diff(close[-10:])).mean()
    assert f"Asked about 9 of them just now: mean error {error:,.1f}, naive {error:,.1f}." in answer.text
    assert "Ask version 1 about them" not in answer.text


@pytest.mark.parametrize(
    ("status", "raw"),
    [(200, b'{"predictions": [null]}'), (200, b'{"predictions": [NaN]}'), (200, b"{"), (503, b'{"title": "No"}')],
)
def test_a_gateway_that_is_silent_leaves_the_page_as_it_was(gateway: Gateway, status: int, raw: bytes) -> None:
    world = later_world()
    gateway.status, gateway.raw, world.gateway_url = status, raw, gateway.url

    answer = client(create_app(world.plane())).post("/models/btc-hourly/try", data={"ask": "later"})

    assert answer.status_code == 200
    assert "Ask version 1 about them" in answer.text
    assert len(gateway.asked) == 1


def test_looking_at_a_page_asks_the_gateway_nothing(gateway: Gateway) -> None:
    world = later_world()
    world.gateway_url = gateway.url

    page(world)

    assert gateway.asked == []


def test_the_newest_window_is_asked_with_one_press(world: World, gateway: Gateway) -> None:
    world.gateway_url = gateway.url
    gateway.body = {"predictions": [61_234.5], "intervals": [[60_000.25, 62_000.0]], "prediction_id": "p"}

    answer = client(create_app(world.plane())).post("/models/btc-hourly/try", data={"ask": "newest", "row": "x"})

    [(path, rows, _headers)] = gateway.asked
    assert path == "/models/btc-hourly/invocations"
    assert rows == made.series().rows()[-24:]
    assert "61,234.5" in answer.text
    assert "60,000.2 – 62,000" in answer.text


def test_rows_typed_as_json_are_asked_as_they_are(world: World, gateway: Gateway) -> None:
    world.gateway_url = gateway.url
    gateway.body = {"predictions": [1.0], "prediction_id": "p"}
    asking = client(create_app(world.plane()))

    for typed in ('[{"close": 1}, {"close": 2}]', '{"close": 3}', "no json"):
        asking.post("/models/btc-hourly/try", data={"ask": "typed", "row": typed})

    assert [rows for _path, rows, _headers in gateway.asked] == [
        [{"close": 1}, {"close": 2}],
        [{"close": 3}],
        ["no json"],
    ]


def test_the_form_holds_the_newest_window_to_change(world: World) -> None:
    text = page(world)
    typed = text.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0]

    assert json.loads(typed) == made.series().rows()[-24:]


def test_a_refused_window_is_told_with_its_reasons(world: World, gateway: Gateway) -> None:
    world.gateway_url, gateway.status = gateway.url, 422
    gateway.body = {"title": "No", "errors": [{"column": "timestamp", "detail": "at least 24 rows"}]}

    answer = client(create_app(world.plane())).post("/models/btc-hourly/try", data={"ask": "typed", "row": "[]"})

    assert answer.status_code == 422
    assert "<li>at least 24 rows</li>" in answer.text


def test_one_answer_for_each_group_is_a_row_of_a_table(world: World, gateway: Gateway) -> None:
    world.gateway_url = gateway.url
    gateway.body = {"predictions": [1.5, 2.5], "intervals": [[1, 2], [2, 3]], "groups": ["BTC", NASTY]}

    answer = client(create_app(world.plane())).post("/models/btc-hourly/try", data={"ask": "newest"})

    assert '<th scope="row">BTC</th>' in answer.text
    assert "<script>alert" not in answer.text


def test_the_challenger_is_asked_by_its_alias_when_there_is_no_champion(world: World, gateway: Gateway) -> None:
    world.gateway_url, gateway.body = gateway.url, {"predictions": [1.0], "prediction_id": "p"}

    client(create_app(world.plane())).post("/models/eth-hourly/try", data={"ask": "newest"})

    assert gateway.asked[0][0] == "/models/eth-hourly/invocations?alias=challenger"


def test_the_example_of_a_window_is_a_file(world: World) -> None:
    answer = client(create_app(world.plane())).get("/models/btc-hourly/window.csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="btc-hourly-window.csv"'
    assert [row["timestamp"] for row in rows] == [row["timestamp"] for row in made.series().rows()[-24:]]
    assert [float(row["close"]) for row in rows] == made.series().columns["close"].values[-24:].tolist()


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/models/churn/window.csv", 404),
        ("/models/nobody/window.csv", 404),
        ("/models/btc-hourly/window.csv?version=9", 404),
        ("/models/btc-hourly/window.csv?version=x", 422),
        ("/models/btc-hourly/window.csv?version=1", 200),
    ],
)
def test_where_there_is_no_window_the_answer_says_so(world: World, address: str, status: int) -> None:
    world.ready("churn", world.manifest(seed=97))

    assert client(create_app(world.plane())).get(address).status_code == status


def test_the_window_is_a_page_and_kept_as_one(world: World) -> None:
    guarded = create_app(world.plane(is_open_to_network=True))

    assert client(guarded).get("/models/btc-hourly/window.csv").status_code == 401
    assert client(guarded, Authorization=f"Bearer {TOKEN}").get("/models/btc-hourly/window.csv").status_code == 200


@pytest.mark.parametrize("address", ["/", "/models/eth-hourly", "/models/eth-hourly/versions/1"])
def test_worse_than_naive_stands_wherever_the_version_does(world: World, address: str) -> None:
    text = page(world, address)

    assert "worse than naive" in text
    assert "gate not passed" in text


def test_worse_than_naive_stands_at_the_title_in_the_list_of_versions_and_on_the_card(world: World) -> None:
    text = page(world, "/models/eth-hourly")

    head, versions, card = (text.partition(f'id="{part}"')[2] for part in ("head", "versions", "card"))
    assert "worse than naive" in head.partition("</header>")[0]
    assert "worse than naive" in versions.partition("</section>")[0]
    assert "worse than naive" in card.partition("</aside>")[0]
    assert "worse than naive" not in page(world, "/models/btc-hourly")


def test_a_version_held_back_by_its_gate_says_what_it_did_not_keep_and_how_to_promote_it(world: World) -> None:
    text = page(world, "/models/eth-hourly")
    news = text.partition('id="news"')[2].partition('<nav class="sections"')[0]

    assert "Version 1 did not pass its gate, so it was not promoted" in news
    assert "loss <= 0.5, found 0.61" in news
    assert "naive_ratio <= 1.005, found 12.1" in news
    assert "boucle promote eth-hourly 1" in news
    assert "No version answers yet under the champion's address." in news


def test_a_champion_promoted_despite_its_gate_keeps_its_labels_without_the_notice(world: World) -> None:
    world.registry.promote("eth-hourly", 1, "grace")

    text = page(world, "/models/eth-hourly")

    assert "was not promoted" not in text
    assert "gate not passed" in text
    assert "worse than naive" in page(world, "/").partition("eth-hourly")[2]


def test_a_gate_that_is_kept_is_said_to_be(world: World) -> None:
    text = page(world)

    assert "gate passed" in text.partition('id="versions"')[2].partition("</section>")[0]
    assert "loss <= 0.5" in text.partition('id="card"')[2]
    assert "A person promotes." in text
    made.deploy(world, "alone", made.manifest(world, made.series(), seed=98, gate=read_gate(made.GATE, promotes=True)))
    assert "A version that passes is promoted by itself." in page(world, "/models/alone")


def test_the_card_of_a_forecaster_reads_its_errors_against_naive(world: World) -> None:
    card = page(world).partition('id="card"')[2].partition("</aside>")[0]

    assert "<td>212.4</td><td>212.9</td><td><strong>0.998</strong></td>" in card
    assert "<td>1,184</td><td>1,369</td><td><strong>0.865</strong></td>" in card
    assert "90.4" in card
    assert "recent volatility × hour of day" in card
    assert '<tr><th scope="row">3</th><td>0.997</td></tr>' in card
    assert "parity (largest difference of return)" in card
    assert "naive_ratio_week" not in card


def test_json_twins_tell_the_labels(world: World) -> None:
    asking = client(create_app(world.plane()))
    models = {item["name"]: item for item in asking.get("/models.json").json()["models"]}
    twin = asking.get("/models/eth-hourly.json").json()

    assert (models["btc-hourly"]["worse_than_naive"], models["eth-hourly"]["worse_than_naive"]) == (False, True)
    assert (twin["versions"][0]["worse_than_naive"], twin["versions"][0]["passed_gate"]) == (True, False)
    assert asking.get("/models/btc-hourly/versions/1.json").json()["passed_gate"] is True


def test_json_twins_tell_the_forecast(world: World) -> None:
    asking = client(create_app(world.plane()))
    told = asking.get("/models/btc-hourly.json").json()["forecast"]

    close = made.series().columns["close"].values
    assert told["newest"]["at"] == NOW_US
    assert told["newest"]["naive"] == close[-1]
    assert told["newest"]["low"] == close[-1] * (1 - 0.0066)
    assert (told["data_up_to"], told["interval_level"], told["step_us"]) == (NOW_US - HOUR_US, 0.9, HOUR_US)
    assert [item["actual"] for item in told["past"]] == close[-72:].tolist()
    assert asking.get("/models/btc-hourly/versions/1.json").json()["forecast"] == told
    made.deploy(world, "broken", replace(made.manifest(world, made.series(), seed=93), answers=None))
    assert asking.get("/models/broken.json").json()["forecast"]["problem"]


def test_the_schema_says_how_rows_become_one_answer(world: World) -> None:
    text = page(world).partition('id="schema"')[2].partition("</section>")[0]

    assert "One answer for the newest 24 rows, in the order of timestamp." in text
    assert "3,600 s from row to row." in text
    assert "Missing rows are filled, at most 6 in a window." in text


def test_what_a_stranger_wrote_in_a_forecaster_is_shown_never_run() -> None:
    world = World()
    table = made.series()
    renamed = Table({(NASTY if name == "timestamp" else name): column for name, column in table.columns.items()})
    window = replace(made.WINDOW, order_by=NASTY)
    nasty = made.manifest(
        world,
        renamed,
        window=window,
        answers=made.answers_on(table),
        params={"width": NASTY, "target": NASTY},
        gate=read_gate({NASTY: "<= 1"}),
    )
    made.deploy(world, "nasty", nasty)

    for address in ("/", "/models/nasty"):
        text = client(create_app(world.plane()), Accept="text/html").get(address).text
        assert "<script>alert" not in text
        Outline(text)


def test_a_track_is_read_once_for_each_version(world: World) -> None:
    samples._track.cache_clear()

    page(world)
    page(world)

    assert samples._track.cache_info().misses == 1


def test_forecasts_of_few_candles_stand_too(world: World) -> None:
    short = made.series(made.WINDOW.rows)
    made.deploy(world, "short", made.manifest(world, short, seed=99))

    told = section(page(world, "/models/short"))

    assert told.count("<tr>") == 2
    assert "Closes inside their interval" not in told


def test_a_section_of_nothing_has_no_rows() -> None:
    assert forecast.Section(problem="x").rows == ()
    assert forecast.Section(problem="x").summary == ""
    assert Forecast(0, 1.0).is_inside is None
