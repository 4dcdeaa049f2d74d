"""The commands with window models and gates, and the list of models."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import boucle
from boucle.cli import models
from boucle.cli.files import answer_lines
from boucle.cli.listing import age_text, listing_lines
from boucle.core.answer import Answer
from boucle.core.check import Check
from cli.shell import Shell, shell_of
from client.platform import PASSING, Platform, running

CSV = "close,at\n" + "".join(f"{100 + hour},2024-01-01T{hour:02}:00:00Z\n" for hour in range(24))
LAST = '{"rows": 3, "order_by": "at", "step": 3600}'
DEPLOY = ("deploy", "last.onnx", "btc", "--example", "hours.csv", "--date", "at", "--window", LAST)
GATED = (*DEPLOY, "--metric", "naive_ratio=12.1", "--gate", "naive_ratio <= 1.005")


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """A platform whose builds see a gate that is not kept."""
    with running() as found:
        found.script = (*PASSING, Check("gate", "warn", "naive_ratio 12.1 > 1.005"))
        yield found


@pytest.fixture(scope="module")
def shell(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Run command lines against it, in a folder with a forecaster and hours."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "hours.csv").write_text(CSV)
    (folder / "long.csv").write_text("close,at\n" + "".join(f"{hour},{hour}\n" for hour in range(12_000)))
    node = helper.make_node("Identity", ["close"], ["prediction"])
    shapes = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 3]) for name in ("close", "prediction")]
    onnx.save(helper.make_model(helper.make_graph([node], "last", shapes[:1], shapes[1:])), folder / "last.onnx")
    run = shell_of(platform, folder)
    done = run(*GATED, "--tensors", '{"close": "close"}', "--interval-level", "0.9")
    assert done.returncode == 0, done.stderr
    assert "not promoted: naive_ratio 12.1 > 1.005; promote it yourself with: boucle promote btc 1" in done.stderr
    assert done.stdout.startswith("btc version 1: ready (worse than naive)\n")
    assert "one answer per 3 rows, in the order of at" in done.stdout
    return run


def test_the_manifest_is_what_the_options_tell(shell: Shell, platform: Platform) -> None:
    manifest = platform.registry.version("btc", 1).manifest
    assert manifest.schema.window is not None
    assert (manifest.schema.window.rows, manifest.schema.window.step) == (3, 3600.0)
    assert manifest.signature.interval_level == 0.9
    assert manifest.gate is not None
    assert ([str(bound) for bound in manifest.gate.bounds], manifest.gate.promotes) == (["naive_ratio <= 1.005"], False)


def test_json_tells_the_alias_and_the_label(shell: Shell) -> None:
    told = json.loads(shell(*GATED, "--tensors", '{"close": "close"}', "--interval-level", "0.9", "--json").stdout)
    assert (told["version"], told["aliases"], told["worse_than_naive"]) == (1, ["challenger"], True)


def test_several_bounds_and_promotion_by_gate(shell: Shell, platform: Platform) -> None:
    shell(*DEPLOY[:2], "gated", *DEPLOY[3:], "--gate", "loss<=0.5", "--gate", "auc >=0.8", "--promotion", "by-gate")
    gate = platform.registry.version("gated", 1).manifest.gate
    assert gate is not None
    assert ([str(bound) for bound in gate.bounds], gate.promotes) == (["loss <= 0.5", "auc >= 0.8"], True)


def test_the_schema_tells_the_window(shell: Shell) -> None:
    assert shell("promote", "btc", "1").returncode == 0
    assert "one answer per 3 rows, in the order of at" in shell("schema", "btc").stdout


def test_the_history_tells_a_promotion_despite_the_gate(shell: Shell) -> None:
    shell("promote", "btc", "1")
    assert "despite its gate" in shell("history", "btc").stdout


def test_of_a_long_file_only_the_newest_rows_are_asked(shell: Shell, platform: Platform) -> None:
    shell("promote", "btc", "1")
    done = shell("predict", "btc", "long.csv")
    assert done.stdout == "prediction\n11997\n11998\n11999\n"
    assert len(platform.asked) == 1


def test_the_models_are_listed_for_people_and_for_machines(shell: Shell) -> None:
    shell("promote", "btc", "1")
    line = next(line for line in shell("models").stdout.splitlines() if line.startswith("btc"))
    assert line.split() == ["btc", "1", "python", "just", "now", "worse", "than", "naive"]
    listed = {model["name"]: model for model in json.loads(shell("models", "--json").stdout)["models"]}
    assert (listed["btc"]["champion"], listed["btc"]["worse_than_naive"]) == (1, True)
    age = dt.datetime.now(dt.UTC).timestamp() - listed["btc"]["champion_created_at"] / 1e6
    assert 0 <= age < 60


def test_an_empty_platform_lists_no_models_and_says_how_to_make_one(tmp_path: Path) -> None:
    with running() as empty:
        done = shell_of(empty, tmp_path)("models")
    assert done.stdout == "There is no model yet. Make one with: boucle deploy MODEL NAME --example FILE\n"


def test_the_version_of_boucle_is_told(shell: Shell) -> None:
    assert shell("--version").stdout == f"boucle {boucle.__version__}\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--window", "120"), "--window 120 is not understood. Expected a JSON object"),
        (("--window", "{rows: 3}"), "--window {rows: 3} is not understood"),
        (("--tensors", "close"), "--tensors close is not understood"),
        (("--gate", "loss < 0.5"), '--gate loss < 0.5 is not understood. Expected "METRIC <= LIMIT"'),
        (("--gate", "loss <= low"), "The gate of 'loss' is '<= low'"),
        (("--gate", "loss <= 1", "--gate", "loss >= 0"), "--gate loss >= 0 is not understood"),
        (("--promotion", "by-luck"), "promotion is 'by-luck', expected one of: by-hand, by-gate"),
        (("--interval-level", "90"), "interval_level is 90.0, expected a share between 0 and 1"),
    ],
)
def test_an_option_that_is_not_understood_is_named(shell: Shell, options: tuple[str, ...], told: str) -> None:
    done = shell(*DEPLOY, *options)
    assert done.returncode == 1
    assert told in done.stderr.partition("Error: ")[2]
    assert "Traceback" not in done.stderr


def answer(**more: Any) -> Answer:
    return Answer(np.array([10.0, 2.0]), ids=("p:0", "p:1"), model="coins", version=1, **more)


def test_groups_come_first_and_intervals_last() -> None:
    told = answer(groups=("BTC", None), intervals=np.array([[9.0, 12.0], [1.0, 3.0]]))
    assert list(answer_lines(told)) == [
        ["group", "prediction", "low", "high"],
        ["BTC", "10.0", "9.0", "12.0"],
        ["", "2.0", "1.0", "3.0"],
    ]
    assert models._told(told)["groups"] == ("BTC", None)


def test_a_model_without_champion_is_listed_with_what_waits() -> None:
    row: dict[str, Any] = {"name": "btc", "champion": None, "aliases": {"challenger": 2}, "runtime": None}
    row |= {"champion_created_at": None, "worse_than_naive": False}
    lines = listing_lines([row], dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    assert lines[1] == ["btc", "–", "challenger 2", "", "", ""]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "just now"), (59, "just now"), (60, "1 min ago"), (3 * 3600 + 59, "3 h ago"), (86_400 * 40, "40 d ago")],
)
def test_an_age_is_told_in_its_largest_whole_unit(seconds: int, told: str) -> None:
    assert age_text(dt.timedelta(seconds=seconds)) == told


class OfPerson:
    """Where a person reads: a terminal."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def test_a_person_who_asks_a_model_worse_than_naive_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, int]] = []

    class Version:
        class manifest:  # noqa: N801  # what predict reads of a version
            is_worse_than_naive = True

    class Asked:
        def version(self, name: str, number: int) -> Any:
            asked.append((name, number))
            return Version

    monkeypatch.setattr(models, "Client", Asked)
    monkeypatch.setattr("boucle.cli.files.predict_file", lambda *_arguments: answer())
    monkeypatch.setattr("sys.stdout", OfPerson())
    models.predict("coins", "-", None, as_json=False)
    assert asked == [("coins", 1)]
    assert capsys.readouterr().err == "coins version 1: worse than naive\n"
