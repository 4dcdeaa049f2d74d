"""Dashboards read what there is: every metric of every panel and rule is one that we tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from boucle.gateway.metrics import Metrics
from boucle.gateway.recording import Recorder
from boucle.serving.fleet import Fleet
from boucle.serving.meter import Meters
from boucle.web.metrics import GAUGES
from deploy.real import DEPLOY

BOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
NAME = re.compile(r"\bboucle_[a-z0-9_]+")


def told(metrics: bytes) -> set[str]:
    """Return the names of samples that an exposition's families have."""
    found = set()
    for line in metrics.decode().splitlines():
        if line.startswith("# TYPE"):
            _hash, _type, name, kind = line.split()
            found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return found


def expressions(board: Any) -> Iterator[str]:
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (one["definition"] for one in board["templating"]["list"] if one["type"] == "query")


@pytest.fixture(scope="module")
def known() -> set[str]:
    meters = Meters()
    meters.of("churn", 1)
    return told(Metrics(meters, Fleet(cast("Any", None), meters), Recorder(None)).text()) | set(GAUGES)


def test_there_are_two_dashboards_with_fixed_addresses() -> None:
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in BOARDS]

    assert {board["uid"] for board in boards} == {"boucle-platform", "boucle-model"}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_leaves_the_source_of_its_data_open(path: Any) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    sources = re.findall(r'"uid": "(\$?[^"]+)"', path.read_text(encoding="utf-8"))

    assert board["templating"]["list"][0]["type"] == "datasource"
    assert set(sources) == {board["uid"], "${datasource}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_metric_of_a_dashboard_is_told(path: Any, known: set[str]) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    asked = {name for expression in expressions(board) for name in NAME.findall(expression)}

    assert len(asked) > 5
    assert asked - known == set()


def test_every_metric_of_a_rule_is_told(known: set[str]) -> None:
    rules = (DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    asked = {name for line in rules.splitlines() if "#" not in line for name in NAME.findall(line)}

    assert len(asked) > 5
    assert asked - known == set()


@pytest.mark.parametrize(
    "path", sorted((DEPLOY / "grafana" / "provisioning").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_provisioning_is_of_the_version_that_grafana_reads(path: Any) -> None:
    assert path.read_text(encoding="utf-8").startswith("apiVersion: 1\n")
