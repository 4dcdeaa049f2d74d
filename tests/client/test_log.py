"""The rows of the inference log in a notebook, and ground truth on its way back."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from importlib import util
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import boucle
from boucle.client.client import Client
from boucle.client.feedback import Feedback, body_of, entries_of, pieces
from boucle.client.inference_rows import native_rows, pandas_rows
from boucle.client.moments import moment_us, window_text
from boucle.client.pace import Pace
from boucle.core.answer import Answer
from boucle.core.errors import InvalidRequest, InvalidRows, NotFound, TooLarge, Unavailable
from client.watched import HOUR, ID, NOON, ROWS, Watched, watching
from web.made_up import TOKEN

UTC = dt.UTC


@pytest.fixture(scope="module")
def running() -> Iterator[Watched]:
    with watching() as watched:
        yield watched


@pytest.fixture
def watched(running: Watched) -> Watched:
    running.logs.clear()
    running.truths.clear()
    running.n_bodies = 0
    return running


@pytest.fixture
def client(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("BOUCLE_LANGUAGE", "en")
    return Client(watched.url, TOKEN)


def test_the_rows_come_back_as_a_polars_table_with_their_types(client: Client) -> None:
    rows = client.log("churn", "2026-05-04")

    assert rows.schema["at"] == pl.Datetime("us", "UTC")
    assert rows.to_dicts() == [
        {
            "prediction_id": f"{ID}:0", "at": dt.datetime(2026, 5, 4, 10, tzinfo=UTC), "version": 1, "price": 2.5,
            "rooms": 3, "is_new": True, "city": "Lyon", "truth": None,
        },
        {
            "prediction_id": f"{ID}:1", "at": None, "version": 1, "price": None,
            "rooms": None, "is_new": None, "city": None, "truth": "stays",
        },
    ]  # fmt: skip


def test_the_rows_come_back_as_a_pandas_table_without_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "boucle.client.inference_rows.find_spec", lambda name: None if name == "polars" else util.find_spec(name)
    )
    rows = native_rows(ROWS)

    assert isinstance(rows, pd.DataFrame)
    assert rows["at"].iloc[0] == pd.Timestamp("2026-05-04T10:00", tz="UTC")
    assert rows.isna().sum().to_dict() == {
        "prediction_id": 0, "at": 1, "version": 0, "price": 1, "rooms": 1, "is_new": 1, "city": 1, "truth": 1,
    }  # fmt: skip
    assert (str(rows["rooms"].dtype), str(rows["is_new"].dtype)) == ("Int64", "boolean")


def test_the_rows_come_back_as_a_table_of_arrays_without_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boucle.client.inference_rows.find_spec", lambda _name: None)
    assert native_rows(ROWS) is ROWS


def test_no_rows_are_a_table_with_all_columns(client: Client, watched: Watched) -> None:
    watched.rows = ROWS.take(slice(0, 0))
    try:
        rows = client.log("churn")
    finally:
        watched.rows = ROWS
    assert (rows.height, rows.columns) == (0, list(ROWS.names))
    assert list(pandas_rows(ROWS.take(slice(0, 0))).columns) == list(ROWS.names)


def test_boucle_log_asks_the_window_version_and_limit_it_was_given(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOUCLE_URL", watched.url)
    monkeypatch.setenv("BOUCLE_TOKEN", TOKEN)
    boucle.log(
        "churn", since=dt.datetime(2026, 5, 4, 10, tzinfo=UTC), until="2026-05-04T13:00+02:00", version=1, limit=7
    )

    (asked,) = watched.logs
    assert (asked.window.start, asked.window.stop) == (NOON - 2 * HOUR, NOON - HOUR)
    assert (asked.version, asked.limit) == (1, 7)


def test_a_deployment_asks_for_its_own_version(client: Client, watched: Watched) -> None:
    client.deployment("churn").log(since="24h", until="now", limit=3)
    (asked,) = watched.logs
    assert (asked.version, asked.limit, asked.window.stop - asked.window.start) == (1, 3, 24 * HOUR)


def test_too_many_rows_are_refused_with_the_number_and_the_cure(client: Client) -> None:
    with pytest.raises(TooLarge, match=r"1000001 rows.*limit="):
        client.log("churn", since="2019-01-01")


def test_an_unknown_model_is_refused_as_such(client: Client) -> None:
    with pytest.raises(NotFound, match="churn"):
        client.report("curn")


def test_nothing_that_listens_is_told_with_the_cure() -> None:
    with pytest.raises(Unavailable, match="boucle up"):
        Client("http://127.0.0.1:9", "none").log("churn")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2026, 5, 4, 12), NOON),  # noqa: DTZ001  # what names no zone is UTC
        (dt.datetime(2026, 5, 4, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))), NOON),
        (dt.date(2026, 5, 4), NOON - 12 * HOUR),
        (pd.Timestamp("2026-05-04T12:00"), NOON),
        (np.datetime64("2026-05-04T12:00"), NOON),
        (np.int64(NOON), NOON),
        ("2026-05-04T12:00Z", NOON),
        (str(NOON), NOON),
        ("3h", NOON - 3 * HOUR),
        ("30 min", NOON - HOUR // 2),
        ("7d", NOON - 168 * HOUR),
        (dt.timedelta(hours=1), NOON - HOUR),
        ("now", NOON),
        (None, None),
    ],
    ids=str,
)
def test_a_moment_is_told_in_many_ways(value: Any, expected: int) -> None:
    assert moment_us(value, NOON) == expected


@pytest.mark.parametrize("value", ["yesterday", "", True, 1.5, pd.NaT, np.datetime64("NaT"), "24 hours"], ids=repr)
def test_a_time_that_is_none_is_refused_with_an_example(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"since is .* no time.*24h"):
        moment_us(value, NOON)


@pytest.mark.parametrize("value", ["48h", ("48h",), 7, ("48h", None)], ids=repr)
def test_another_window_has_two_ends(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="against"):
        window_text(value, NOON)


def test_a_window_that_ends_before_it_begins_is_refused_before_it_is_asked(client: Client, watched: Watched) -> None:
    with pytest.raises(InvalidRequest, match="since 1h is not before until 2h"):
        client.log("churn", "1h", "2h")
    assert watched.logs == []


ENTRIES = [{"id": f"{ID}:0", "value": 1}, {"id": f"{ID}:1", "value": 0}]


@pytest.mark.parametrize(
    "told",
    [
        ((f"{ID}:0", f"{ID}:1"), [1, 0]),
        ([f"{ID}:0", f"{ID}:1"], np.array([1, 0])),
        (pd.Series([f"{ID}:0", f"{ID}:1"]), pd.Series([1, 0])),
        (pl.Series([f"{ID}:0", f"{ID}:1"]), pl.Series([1, 0])),
        (Answer(np.array([1, 1]), ids=(f"{ID}:0", f"{ID}:1")), [1, 0]),
        (pd.DataFrame(ENTRIES), None),
        (pl.DataFrame(ENTRIES), None),
        (ENTRIES, None),
        (pd.DataFrame({"prediction_id": [ID, ID], "row": [0, 1], "value": [1, 0]}), None),
        (pl.DataFrame({"prediction_id": [f"{ID}:0", f"{ID}:1"], "row": [7, 7], "value": [1, 0]}), None),
    ],
    ids=["tuple", "numpy", "pandas", "polars", "answer", "pandas rows", "polars rows", "records", "by row", "log"],
)
def test_outcomes_are_told_by_any_library(client: Client, watched: Watched, told: tuple[Any, Any]) -> None:
    done = client.feedback("churn", *told)

    assert done == Feedback(2)
    assert watched.truths == ENTRIES


def test_one_outcome_is_told_by_its_id(client: Client, watched: Watched) -> None:
    client.feedback("churn", f"{ID}:0", "leaves")
    assert watched.truths == [{"id": f"{ID}:0", "value": "leaves"}]


def test_an_outcome_may_be_several_labels(client: Client, watched: Watched) -> None:
    client.feedback("churn", [f"{ID}:0", f"{ID}:1", f"{ID}:2"], [["a", "b"], [], None])
    assert watched.truths == [{"id": f"{ID}:0", "value": ["a", "b"]}, {"id": f"{ID}:1", "value": []}]


def test_what_is_wrong_is_told_beside_what_was_accepted(client: Client, watched: Watched) -> None:
    done = client.deployment("churn").feedback([f"{ID}:0", "row 7", f"{ID}:2", f"{ID}:3"], [1.5, 2.0, np.nan, np.inf])

    assert (done.accepted, done.n_rejected) == (1, 3)
    assert dict(done.rejected)[f"{ID}:2"] == "The value is missing."
    assert "<prediction id>:<row>" in dict(done.rejected)["row 7"]
    assert str(done).startswith("1 accepted, 3 rejected\n")


@pytest.mark.parametrize("values", [["a"], [None]], ids=["ids", "values"])
def test_nothing_accepted_is_an_error(client: Client, values: list[Any]) -> None:
    with pytest.raises(InvalidRows):
        client.feedback("churn", ["no id of ours"], values)


def test_each_id_has_one_value(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="2 ids and 1 values"):
        client.feedback("churn", ["a", "b"], [1])


def test_a_table_without_the_columns_is_refused_naming_those_it_has() -> None:
    with pytest.raises(InvalidRequest, match="found: id, left"):
        entries_of(pd.DataFrame({"id": ["a"], "left": [1]}))


def test_many_outcomes_travel_in_pieces_and_a_wrong_piece_costs_only_itself(client: Client, watched: Watched) -> None:
    ids = [f"{ID}:{i}" for i in range(20_001)]
    ids[20_000] = "odd"
    done = client.feedback("churn", ids, np.arange(20_001) % 2)

    assert (done.accepted, done.n_rejected, watched.n_bodies) == (20_000, 1, 3)
    assert done.rejected[0][0] == "odd"


def test_pieces_are_halved_until_their_body_is_small() -> None:
    entries = [(f"{ID}:{i}", "x" * 900_000) for i in range(9)]
    cut = list(pieces(entries))

    assert [entry for piece in cut for entry in piece] == entries
    assert max(len(body_of(piece)) for piece in cut) <= 4 * 1024 * 1024


def test_an_outcome_of_many_texts_keeps_their_letters() -> None:
    assert json.loads(body_of([("a:0", "é")])) == {"truth": [{"id": "a:0", "value": "é"}]}


def test_quick_work_says_nothing_and_slow_work_now_and_then() -> None:
    out, now = io.StringIO(), [0.0]
    pace = Pace(out, lambda: now[0])
    for second in range(20):
        now[0] = float(second)
        pace.tell(f"{second} done")

    assert out.getvalue() == "  2 done\n  6 done\n  14 done\n"
