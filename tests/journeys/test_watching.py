"""A deployed model is watched: what moves is said at the right time, to those who want to know, and nothing else is."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from aiosmtpd.controller import Controller
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

import boucle
from boucle.adapters.sql import SqlWatchStore, open_database
from boucle.bootstrap.starting import ensure_up, stop
from boucle.settings import load
from journeys.replaying import DAY_US, Consumer, control, until
from journeys.scene import SHARED, Platform

ELECTRICITY = SHARED / "electricity-drift" / "elec2.parquet"
INPUTS = ["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "day"]
DAY_ROWS, WEEK_ROWS = 48, 336
LEARNT, MOVED = 16_000, 17_424  # rows learnt from; the first row of the new regime (README of the data)
ConsumerOf = Callable[[str], Consumer]
Record = dict[str, Any]
WEEK = {"window_s": 7 * 86_400, "step_s": 86_400, "retention_days": 3_650}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ELECTRICITY.exists(), reason="needs the electricity data of ../shared/data"),
]


@dataclass
class Post:
    """Where alerts arrive: what a webhook was sent and what a mailbox holds."""

    hooks: list[dict[str, Any]] = field(default_factory=list)
    mails: list[Any] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def said(self, model: str) -> list[dict[str, Any]]:
        """Return the alerts about a model that the webhook was sent, in order."""
        alerts = [alert for hook in self.hooks for alert in hook["alerts"]]
        return [alert for alert in alerts if alert["labels"].get("model") == model]


@pytest.fixture(scope="module")
def post() -> Post:
    return Post()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[Platform]:
    """A platform that tells its alerts to a webhook and by mail."""
    home = tmp_path_factory.mktemp("watched")

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            post.hooks.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    box = Controller(post, hostname="127.0.0.1", port=_free_port())
    box.start()
    settings = load(
        {},
        home=home,
        port=0,
        gateway_port=0,
        alert_webhook=f"http://127.0.0.1:{server.server_address[1]}/alerts",
        smtp_url=f"smtp://127.0.0.1:{box.port}",
        alert_mail_to=("team@example.org",),
    )
    told = ensure_up(settings, detach=True, tell=lambda _told: None)
    assert told is not None
    try:
        yield Platform(home, told)
    finally:
        stop(settings)
        box.stop()
        server.shutdown()
        server.server_close()


@pytest.fixture
def consumer_of(watched: Platform) -> Iterator[Callable[[str], Consumer]]:
    """Make consumers of models, who hang up at the end."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(closing(Consumer(watched, name)))


@pytest.fixture(autouse=True)
def _client_of_this_platform(watched: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOUCLE_URL", watched.url)
    monkeypatch.setenv("BOUCLE_HOME", str(watched.home))


def market() -> pd.DataFrame:
    """Return the market, moved by 27 years so that it lies within the ten years that a gateway takes."""
    rows = pd.read_parquet(ELECTRICITY)
    rows["at"] = rows["timestamp_reconstructed"] + pd.DateOffset(years=27)
    rows["day"] = rows["timestamp_reconstructed"].dt.day_name()
    return rows


def records(rows: pd.DataFrame) -> list[Record]:
    """Return rows as a consumer sends them: what is missing is null."""
    columns = rows[[name for name in rows.columns if name in (*INPUTS, "fixed", "empty")]].astype(object)
    return cast("list[Record]", columns.where(columns.notna(), None).to_dict("records"))


def microseconds(times: pd.Series) -> list[int]:
    return [int(value) for value in times.astype("datetime64[us]").astype("int64")]


def deployed(name: str, learnt: pd.DataFrame) -> None:
    """Deploy a classifier of the market, watched by weeks, each day."""
    prepare = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["day"]), remainder="passthrough"
    )
    model = make_pipeline(prepare, HistGradientBoostingClassifier(max_iter=40, random_state=0))
    boucle.deploy(model.fit(learnt[INPUTS], learnt["class"]), name, example=learnt[[*INPUTS, "class"]], target="class")


def alerts_of(platform: Platform, name: str) -> dict[str, dict[str, Any]]:
    """Return the alerts of a model by check, of each check the one that opened first."""
    found = control(platform, "GET", f"/models/{name}/alerts?limit=1000")["alerts"]
    return {alert["check"]["name"]: alert for alert in sorted(found, key=lambda alert: -alert["opened_at"])}


def judged_until(platform: Platform, name: str, at: int, late: int = 0) -> None:
    """Wait until the windows up to a time were judged, and those up to ``late`` with their outcomes."""
    store = SqlWatchStore(open_database(f"sqlite:///{platform.home / 'db.sqlite'}"))

    def is_judged() -> bool:
        state = store.state(name)
        return bool(state.get("judged_until", 0) >= at and state.get("late_until", 0) >= late)

    until(is_judged, 180)


def test_drift_and_quality_alerts_come_in_time_and_reach_webhook_and_mailbox(
    watched: Platform, post: Post, consumer_of: ConsumerOf
) -> None:
    rows = market()
    deployed("electricity", rows.iloc[:LEARNT])
    control(watched, "PUT", "/models/electricity/watch", {**WEEK, "owner": "trading"})
    later = rows.iloc[LEARNT : LEARNT + 78 * DAY_ROWS]
    consumer, at, truth = consumer_of("electricity"), microseconds(later["at"]), later["class"].tolist()
    ids: list[str] = []
    predictions: list[Any] = []
    for place, (row, moment) in enumerate(zip(records(later), at, strict=True)):
        told = consumer.ask([row], moment)
        ids += told.ids
        predictions += told.predictions
        is_midnight = (place + 1) % DAY_ROWS == 0
        if is_midnight and place >= 2 * DAY_ROWS - 1:  # the outcomes of the day before
            day = slice(place + 1 - 2 * DAY_ROWS, place + 1 - DAY_ROWS)
            consumer.tell(ids[day], truth[day], moment)
        if place == len(later) // 2:
            os.kill(watched.pid("worker"), signal.SIGKILL)  # while it collects what came so far
    whole = at[-1] // DAY_US * DAY_US
    judged_until(watched, "electricity", whole, whole - 3 * DAY_US)
    alerts = alerts_of(watched, "electricity")
    moved = at[MOVED - LEARNT]
    for column in ("vicprice", "vicdemand", "transfer"):
        opened = alerts[f"drift:{column}"]["opened_at"]
        assert moved < opened <= moved + 3 * DAY_US, f"{column}: {(opened - moved) / DAY_US} days after it moved"
    right = np.array(predictions) == np.array(truth)
    lost = alerts["quality:accuracy"]
    ends = at.index(lost["opened_at"])
    accuracy = right[ends - WEEK_ROWS : ends].mean()
    usual = right[: MOVED - LEARNT].mean()
    assert accuracy < usual - 0.1, "the model was as good as ever"
    assert not [
        end
        for end in range(WEEK_ROWS, ends - 4 * DAY_ROWS, DAY_ROWS)
        if right[end - WEEK_ROWS : end].mean() < usual - 0.2
    ]
    assert lost["owner"] == "trading"
    assert lost["severity"] == "critical"
    until(lambda: {"drift", "quality:accuracy"} <= {alert["labels"]["check"] for alert in post.said("electricity")})
    until(lambda: [mail for mail in post.mails if "quality:accuracy" in str(mail.get_body(("plain",)).get_content())])
    counted = control(watched, "GET", f"/models/electricity/report?since={at[0]}&until={whole}")
    answered = sum(moment < whole for moment in at)
    assert counted["n_rows"] == answered
    kept = boucle.log("electricity", since=pd.Timestamp(at[0], unit="us", tz="UTC"))
    assert sorted(kept["prediction_id"]) == sorted(ids)


def plain(n_rows: int, seed: int) -> pd.DataFrame:
    """Return rows of the market in no order, with a few holes, a column that never changes and one that is empty."""
    rows = market().iloc[:LEARNT].sample(n_rows, random_state=seed, replace=n_rows > LEARNT)
    dice = np.random.default_rng(seed)
    rows["nswprice"] = rows["nswprice"].where(dice.random(n_rows) > 0.02)
    return rows.assign(fixed=7, empty=np.nan)


def day_of_traffic(
    consumer: Consumer, rows: pd.DataFrame, start: int, per_hour: int = 40
) -> tuple[list[str], list[Any]]:
    """Send rows hour by hour of one day; return their ids and the answers."""
    ids: list[str] = []
    answers: list[Any] = []
    sent = records(rows)
    for hour in range(24):
        part = sent[hour * per_hour : (hour + 1) * per_hour]
        told = consumer.ask(part, start + hour * DAY_US // 24)
        ids, answers = ids + told.ids, answers + told.predictions
    return ids, answers


MIDNIGHT = int(pd.Timestamp("2025-03-03").value // 1000)  # a Monday


def test_a_broken_feed_is_told_apart_from_drift(watched: Platform, post: Post, consumer_of: ConsumerOf) -> None:
    learnt = plain(4_000, 1)
    deployed("feeds", learnt)
    control(watched, "PUT", "/models/feeds/watch", {"window_s": 86_400, "step_s": 86_400, "retention_days": 3_650})
    consumer = consumer_of("feeds")
    for day in range(3):
        day_of_traffic(consumer, plain(960, 10 + day), MIDNIGHT + day * DAY_US)
    watts = plain(960, 20).assign(nswdemand=lambda rows: rows["nswdemand"] * 1_000)
    french = plain(960, 21).assign(day=lambda rows: rows["day"].replace("Monday", "lundi"))
    holes = plain(960, 22).assign(nswprice=lambda rows: rows["nswprice"].where(np.arange(960) % 2 == 0))
    moved = [
        plain(960, seed).assign(vicprice=lambda rows: rows["vicprice"] + rows["nswdemand"] * 0.01) for seed in (23, 24)
    ]
    for day, rows in enumerate([watts, french, holes, *moved, plain(1, 25)], start=3):
        if len(rows) == 1:
            consumer.ask(records(rows[INPUTS]), MIDNIGHT + day * DAY_US)
        else:
            day_of_traffic(consumer, rows, MIDNIGHT + day * DAY_US)
    judged_until(watched, "feeds", MIDNIGHT + 8 * DAY_US)
    opened = {name: (alert["opened_at"] - MIDNIGHT) // DAY_US for name, alert in alerts_of(watched, "feeds").items()}
    feeds = {name: day for name, day in opened.items() if name.startswith("feed:")}
    assert feeds == {"feed:nswdemand": 4, "feed:day": 5, "feed:nswprice": 6}
    drifts = {name: day for name, day in opened.items() if name.startswith("drift:")}
    assert drifts == {"drift:vicprice": 8}
    kinds = {name: alerts_of(watched, "feeds")[name]["check"]["evidence"]["kind"] for name in feeds}
    assert len(set(kinds.values())) == 3, kinds
    assert until(lambda: [alert for alert in post.said("feeds") if alert["labels"]["severity"] == "critical"])


def test_odd_hours_raise_no_alarm_and_nothing_is_counted_twice(watched: Platform, consumer_of: ConsumerOf) -> None:
    learnt = plain(4_000, 2)
    columns = [*INPUTS, "fixed", "empty"]
    prepare = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["day"]), remainder="passthrough"
    )
    model = make_pipeline(prepare, SimpleImputer(keep_empty_features=True), DecisionTreeClassifier(max_depth=5))
    boucle.deploy(
        model.fit(learnt[columns], learnt["class"]), "odd", example=learnt[[*columns, "class"]], target="class"
    )
    control(watched, "PUT", "/models/odd/watch", {"window_s": 86_400, "step_s": 3_600, "retention_days": 3_650})
    consumer = consumer_of("odd")
    days = [plain(960, 30), plain(960, 31), plain(960, 32)]
    ids: list[str] = []
    for day, rows in enumerate(days):  # every other day is silent
        ids += day_of_traffic(consumer, rows, MIDNIGHT + 2 * day * DAY_US)[0]
    row = records(plain(1, 33))
    ids += consumer.ask(row, MIDNIGHT + 6 * DAY_US + 60_000_000).ids  # a minute with one row
    ids += consumer.ask(row, MIDNIGHT + 4 * DAY_US).ids  # a clock that runs backwards
    ids += consumer.ask(row, MIDNIGHT + 7 * DAY_US).ids
    truth = pd.concat(days)["class"].tolist()
    told = ids[: len(truth)]
    for start in range(0, len(truth), 1_000):
        part = slice(start, start + 1_000)
        consumer.tell(told[part], truth[part], MIDNIGHT + 7 * DAY_US)
        consumer.tell(told[part], truth[part], MIDNIGHT + 7 * DAY_US)  # labels told twice
    stranger = [f"{ids[0].split(':')[0][:-4]}{place:04x}:0" for place in range(0xABC0, 0xABC5)]
    assert consumer.tell(stranger, [1] * 5)["accepted"] == 5
    wrong = consumer._post(
        "/models/odd/feedback", {"truth": [{"id": "nobody", "value": 1}, {"id": ids[0], "value": truth[0]}]}, None
    )
    assert (wrong["accepted"], wrong["n_rejected"]) == (1, 1)
    judged_until(watched, "odd", MIDNIGHT + 6 * DAY_US, MIDNIGHT + 4 * DAY_US)
    alerts = control(watched, "GET", "/models/odd/alerts?limit=1000")["alerts"]
    assert [(alert["check"]["name"], alert["check"]["observed"]) for alert in alerts] == []
    whole = f"since={MIDNIGHT - DAY_US}&until={MIDNIGHT + 8 * DAY_US}"
    report = control(watched, "GET", f"/models/odd/report?{whole}")
    assert report["n_rows"] == len(ids) == 3 * 960 + 3
    assert report["quality"]["n_labelled"] == len(truth)
    assert control(watched, "GET", "/models/odd/truths")["waiting"] == 5


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
