"""Rules of the author's own on the rows of a real log: what keeps them, what breaks them, what cannot be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.expectations import ExpectationProcesses
from boucle.adapters.sql import SqlProfileStore, SqlTruthStore, SqlWatchStore
from boucle.core.check import Check
from boucle.core.errors import InvalidDocument
from boucle.core.report import Span
from boucle.core.version import CodeFile
from boucle.core.watching import Expectation, WatchPolicy
from boucle.loop.collect import Collector
from boucle.loop.expecting import Expecting
from boucle.loop.exploring import ExploreWorld
from boucle.loop.watch import WatchWorld, watch
from boucle.monitoring.policies import require_valid
from boucle.monitoring.ports import AlertQuery
from boucle.registry.model import BuildFound
from loop.collecting import ALL, NOON, Platform

HOUR = 3_600_000_000
CODE = b"def is_french(rows):\n    return rows['city'] != 'Rome'\n"


class Scene:
    """A platform that answered four rows, one of them for nothing; and what judges rules there."""

    def __init__(self, root: Path) -> None:
        self.platform = Platform(root)
        prices = ((1.5, "Lyon"), (0.0, "Nice"), (2.0, "Lyon"), (3.0, "Rome"))
        self.ids = [self.platform.answer([{"price": price, "city": city}], [1]) for price, city in prices]
        Collector(self.platform.world()).collect()
        reached = ExploreWorld(
            self.platform.registry, DeltaLog(root / "inference_log"), SqlTruthStore(self.platform.engine)
        )
        self.judge = Expecting(reached, self.platform.artifacts, ExpectationProcesses)

    def judged(self, *rules: Expectation, window: Span = ALL, code: bytes = b"") -> list[Check]:
        version = self.platform.registry.version("shop", 1)
        if code:
            kept = self.platform.artifacts.write(code)
            file = CodeFile("shop/rules.py", kept.digest, kept.size_bytes)
            version = replace(version, manifest=replace(version.manifest, code=(file,)))
        return list(self.judge(version, WatchPolicy(expectations=rules), window))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_rule_that_rows_break_names_them_and_one_that_cannot_be_judged_says_why(scene: Scene) -> None:
    dear, wrong, sold, sited = scene.judged(
        Expectation("dear", sql="price > 0"),
        Expectation("wrong", sql="colour = 'red'"),
        Expectation("sold", sql="prediction = 1 AND truth IS NULL"),
        Expectation("sited", function="shop.rules:is_french", least=0.75),
        code=CODE,
    )

    assert (dear.name, dear.status, dear.evidence["n_kept"]) == ("expectation:dear", "fail", 3)
    assert dear.evidence["prediction_ids"] == [f"{scene.ids[1]}:0"]
    assert f"(prediction_id {scene.ids[1]}:0)" in dear.advice
    assert wrong.status == "fail"
    assert "colour" in wrong.observed
    assert "watch policy" in wrong.advice
    assert (sold.status, sited.status, sited.evidence["n_kept"]) == ("pass", "pass", 3)


def test_a_window_without_rows_and_a_policy_without_rules_are_not_judged(scene: Scene) -> None:
    assert scene.judged() == []
    assert scene.judged(Expectation("dear", sql="price > 0"), window=Span(0, NOON - HOUR)) == []


@pytest.mark.parametrize("break_", [lambda file: file.unlink(), lambda file: file.write_bytes(b"torn")])
def test_a_log_that_cannot_be_read_is_told_and_ends_no_watching(
    scene: Scene, tmp_path: Path, break_: Callable[[Path], object]
) -> None:
    for file in (tmp_path / "inference_log").rglob("*.parquet"):
        break_(file)

    (check,) = scene.judged(Expectation("dear", sql="price > 0"))

    assert check.status == "fail"
    assert "could not be read" in check.observed


def test_a_rule_that_rows_break_in_two_windows_opens_an_alert(scene: Scene) -> None:
    platform = scene.platform
    for hour, price in ((1, -1.0), (2, 1.0), (3, 1.0)):
        platform.answer([{"price": price, "city": "Lyon"}], [1], at=NOON + hour * HOUR)
    platform.now = NOON + 5 * HOUR
    platform.registry.found("shop", 1, BuildFound("python", "tested"))
    platform.registry.mark_ready("shop", 1)
    Collector(platform.world()).collect()
    store = SqlWatchStore(platform.engine)
    rules = (Expectation("dear", sql="price > 0"),)
    store.save_policy("shop", WatchPolicy(window_s=3_600, least_rows=1, expectations=rules))
    profiles, truths = SqlProfileStore(platform.engine), SqlTruthStore(platform.engine)

    watch(WatchWorld(platform.registry, profiles, truths, store, lambda: platform.now, expectations=scene.judge))

    alerts = [alert for alert in store.alerts(AlertQuery("shop")) if alert.check.name == "expectation:dear"]
    assert len(alerts) == 1
    assert alerts[0].check.evidence["n_kept"] == 0
    assert "price > 0" in alerts[0].check.expected


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"sql": "price > (SELECT 1)"}, "only an expression over the columns"),
        ({"sql": "price > 0", "function": "shop:dear"}, "either sql or function"),
        ({"function": "shop"}, "module:name"),
    ],
)
def test_a_policy_with_a_rule_that_could_not_be_judged_is_refused(rule: dict[str, Any], cause: str) -> None:
    with pytest.raises(InvalidDocument, match=cause):
        require_valid(WatchPolicy(expectations=(Expectation("r", **rule),)))
