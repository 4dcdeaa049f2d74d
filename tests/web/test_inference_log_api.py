"""The inference log over HTTP: rows with their answers and ground truth, typed as the schema says."""

from __future__ import annotations

import io

import httpx
import numpy as np
import polars as pl
import pytest

from boucle.core.table import Table
from boucle.labels.truth import Truth
from boucle.loop import exploring
from boucle.web.api import inference_log
from boucle.web.app import create_app
from web.in_process import client
from web.made_up import NOW_US, TOKEN, World
from web.watched import MINUTE_US, Watched, logged

ONE = "/api/v1/models/churn/log"


@pytest.fixture
def watched(world: World) -> Watched:
    found = Watched(world)
    logged(found)
    told = [
        Truth("churn", "p1:0", "no", NOW_US, NOW_US),
        Truth("churn", "p2:0", "yes", NOW_US, NOW_US),
        Truth("churn", "nobody:0", "yes", NOW_US, NOW_US),
        Truth("churn", "late:0", "yes", NOW_US, NOW_US),
    ]
    settled = [
        Truth("churn", "p1:0", "no", NOW_US, NOW_US, "joined", minute=NOW_US - 5 * MINUTE_US),
        Truth("churn", "p2:0", "yes", NOW_US, NOW_US, "joined", minute=NOW_US - 4 * MINUTE_US),
        Truth("churn", "nobody:0", "yes", NOW_US, NOW_US, "unknown"),
    ]
    with found.collect.collecting() as tx:
        tx.keep(told)
        tx.settle(settled)
    return found


@pytest.fixture
def asked(watched: Watched) -> httpx.Client:
    return client(create_app(watched.plane()), Authorization=f"Bearer {TOKEN}")


def test_rows_come_with_answers_and_truth_in_the_kinds_of_the_schema(asked: httpx.Client) -> None:
    answer = asked.get(ONE)
    table = Table.from_bytes(answer.content)

    assert answer.headers["x-boucle-rows"] == "6"
    assert table.names == (
        *("prediction_id", "at", "version", "age", "job", "marital", "balance", "housing", "contacted_at", "note"),
        *("prediction", "probability_no", "probability_yes", "truth", "latency_us", "caller"),
    )
    kinds = [column.kind for column in table.columns.values()]
    assert kinds == [
        *("text", "datetime", "int", "int", "text", "text", "float", "bool", "datetime", "text"),
        *("text", "float", "float", "text", "int", "text"),
    ]
    row = table.rows()[1]
    assert (row["prediction_id"], row["version"], row["age"], row["balance"]) == ("p1:0", 2, 31, 1.5)
    assert (row["prediction"], row["truth"], row["probability_yes"], row["job"]) == ("yes", "no", 0.75, None)
    assert [row["truth"] for row in table.rows()] == [None, "no", "yes", None, None, None]


def test_parquet_and_csv_hold_the_same_rows(asked: httpx.Client) -> None:
    parquet = pl.read_parquet(io.BytesIO(asked.get(ONE, params={"format": "parquet"}).content))
    csv = asked.get(ONE, params={"format": "csv"})
    read = pl.read_csv(io.BytesIO(csv.content))

    assert parquet.shape == read.shape == (6, 16)
    assert parquet["at"].dtype == pl.Datetime("us", "UTC")
    assert parquet["age"].to_list() == read["age"].to_list() == [30, 31, 32, 33, 34, 35]
    assert parquet["note"][0] == "=1+1"
    assert read["note"][0] == "'=1+1"  # no formula for a spreadsheet
    assert csv.headers["content-disposition"] == 'attachment; filename="churn-log.csv"'


def test_a_window_a_version_and_a_limit_are_kept(asked: httpx.Client) -> None:
    def ids(**params: str | int) -> list[str]:
        return list(Table.from_bytes(asked.get(ONE, params=params).content).columns["prediction_id"].values)

    assert ids(since=NOW_US - 4 * MINUTE_US, until=NOW_US - 2 * MINUTE_US) == ["p2:0", "p3:0"]
    assert ids(version=1) == ["p0:0", "p2:0", "p4:0"]
    assert ids(limit=2) == ["p4:0", "p5:0"]
    assert ids(since="2020-01-01T00:00:00Z", until="2020-01-02T00:00:00Z") == []


def test_an_empty_window_can_be_read_in_each_format(asked: httpx.Client) -> None:
    old = {"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}

    assert Table.from_bytes(asked.get(ONE, params=old).content).n_rows == 0
    assert pl.read_parquet(io.BytesIO(asked.get(ONE, params={**old, "format": "parquet"}).content)).height == 0
    assert asked.get(ONE, params={**old, "format": "csv"}).text.startswith("prediction_id,at,version")


def test_too_many_rows_are_refused_with_their_count_and_the_cure(
    asked: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "MOST_ROWS", 4)
    answer = asked.get(ONE)

    assert answer.status_code == 413
    assert "The window holds 6 rows, and one answer takes 4. Ask for a shorter window, or say limit=." in answer.text
    assert asked.get(ONE, params={"limit": 4}).status_code == 200


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 10**7}, {"format": "xlsx"}, {"since": "2", "until": "1"}])
def test_bad_parameters_are_refused(asked: httpx.Client, params: dict[str, str]) -> None:
    assert asked.get(ONE, params=params).status_code in (400, 422)


def test_who_cannot_read_soon_is_asked_to_come_again_and_holds_no_thread(
    asked: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference_log, "WAIT_S", 0.01)
    with inference_log._alone():
        busy = asked.get(ONE)

    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
    assert "is being read for somebody else" in busy.text
    assert asked.get(ONE).status_code == 200


def test_a_window_that_ends_in_the_first_second_of_all_times_is_empty(asked: httpx.Client) -> None:
    answer = asked.get(ONE, params={"until": "0001-01-01T00:00:01Z"})

    assert (answer.status_code, answer.headers["x-boucle-rows"]) == (200, "0")


def test_columns_of_versions_that_differ_are_united_and_taken_names_are_told_apart() -> None:
    ints = exploring.column_of([1, 2])
    found = exploring.merged(
        4,
        [
            (np.array([0, 2]), {"a": ints, "b": ints, "c": ints}),
            (np.array([1, 3]), {"a": exploring.column_of([0.5, None]), "b": exploring.column_of(["x", None])}),
        ],
    )

    assert Table(found).rows() == [
        {"a": 1.0, "b": "1", "c": 1},
        {"a": 0.5, "b": "x", "c": None},
        {"a": 2.0, "b": "2", "c": 2},
        {"a": None, "b": None, "c": None},
    ]


def test_truths_are_counted_by_what_became_of_them(asked: httpx.Client) -> None:
    told = asked.get("/api/v1/models/churn/truths").json()

    assert told == {"joined": 2, "waiting": 1, "unknown": 1, "unknown_ids": ["nobody:0"]}
    assert asked.get("/api/v1/models/nobody/truths").status_code == 404
    assert asked.get("/api/v1/models/nobody/log").status_code == 404


def test_a_platform_without_a_log_says_so(world: World) -> None:
    bare = client(create_app(world.plane()), Authorization=f"Bearer {TOKEN}")

    assert [bare.get(path).status_code for path in (ONE, "/api/v1/models/churn/truths")] == [503, 503]
