"""Exporting: the windows that boucle cuts, the network's answers to them, and what is removed at the end."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import boucle
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from boucle.client.capture.rows import read_rows
from boucle.core.cutting import sliding
from boucle.core.window import Window, require_window

from crypto.features import OHLC, VOLUME_FEATURES
from crypto.model.fitting import fit
from crypto.pipelines.exporting.nodes import (
    MOST_ANSWERS,
    WORKING,
    Proof,
    clean_files,
    make_proof,
    model_name,
    newest_windows,
    tensors_of,
    upload_files,
    window_of,
)
from windows import TINY, parts, walk

CONF = Path(__file__).resolve().parents[2] / "conf" / "base"
FIGURES: dict[str, Any] = yaml.safe_load((CONF / "parameters.yaml").read_text(encoding="utf-8"))
MARKET = {"step": 3600.0}
DEPLOYED = {"name": "btcusdt", "version": 3}


def figures(block: str = "preprocessing", **changes: Any) -> dict[str, Any]:
    return {**FIGURES, block: {**FIGURES[block], **changes}}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, in which the test takes place."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def left(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name, encoding="utf-8")


class TestWindows:
    def test_the_newest_window_ends_with_the_last_candle_and_nothing_is_known_to_follow(self) -> None:
        series = walk(130)

        windows = newest_windows(series, 120, 3600.0)

        assert len(windows.ohlc) == 11
        assert windows.ohlc[-1].tolist() == series[list(OHLC)].iloc[-120:].to_numpy().tolist()
        assert windows.timestamps[-1, -1] == series["timestamp"].iloc[-1].value // 1_000_000
        assert np.isnan(windows.next_close).all()

    def test_there_are_at_most_a_thousand(self) -> None:
        assert len(newest_windows(walk(1300), 120, 3600.0).ohlc) == MOST_ANSWERS == 1000

    @pytest.mark.parametrize("step", [3600.0, None], ids=["hourly", "closes"])
    @pytest.mark.parametrize("gone", [[], range(600, 610), [*range(400, 410), *range(900, 940)]], ids=[0, 1, 2])
    @pytest.mark.parametrize("with_volume", [False, True], ids=["prices", "volumes"])
    def test_they_are_those_that_boucle_cuts(self, gone: Any, step: float | None, with_volume: bool) -> None:
        """A window that ends before a cut is answered too, or answers would stand beside the wrong windows."""
        told = figures(with_volume=with_volume)
        columns = [*OHLC, *(VOLUME_FEATURES if with_volume else ())]
        series = walk(1100).drop(index=list(gone)).reset_index(drop=True)
        table = read_rows(series[["timestamp", *columns]]).table

        ours = newest_windows(series, 120, step, with_volume=with_volume)
        theirs = sliding(table, Window(**window_of({"step": step}, told)))

        cut = np.stack([theirs.table.columns[name].values for name in columns], axis=1).reshape(theirs.n, 120, -1)
        assert len(ours.ohlc) == min(theirs.n, MOST_ANSWERS)
        assert np.array_equal(ours.ohlc, cut[-len(ours.ohlc) :])


class TestProof:
    def test_the_network_itself_answers_the_windows_of_the_candles(self, tmp_path: Path) -> None:
        model = fit(parts(700), TINY, tmp_path).model
        series = walk(700)

        proof = make_proof(model, series, MARKET, FIGURES)

        newest = newest_windows(series, 120, 3600.0)
        with torch.no_grad():
            prediction, intervals = model(torch.from_numpy(newest.timestamps[-1:]), torch.from_numpy(newest.ohlc[-1:]))
        assert list(proof.candles) == ["timestamp", *OHLC]
        assert len(proof.candles) == 700
        assert (proof.prediction.shape, proof.intervals.shape) == ((581,), (581, 2))
        assert proof.prediction[-1] == pytest.approx(prediction.item())
        assert proof.intervals[-1].tolist() == pytest.approx(intervals[0].tolist())
        assert proof.window == window_of(MARKET, FIGURES)


class TestWindowOf:
    def test_holes_are_filled_as_the_series_was(self) -> None:
        assert window_of(MARKET, FIGURES) == {
            "rows": 120,
            "order_by": "timestamp",
            "step": 3600.0,
            "gaps": "fill",
            "fill": {"open": "close", "high": "close", "low": "close"},
            "most_filled": 6,
        }

    @pytest.mark.parametrize("changes", [{"most_filled": 0}, {"with_volume": True}], ids=["none filled", "volumes"])
    def test_holes_are_refused_where_they_cannot_be_filled_as_in_training(self, changes: dict[str, Any]) -> None:
        expected = {"rows": 120, "order_by": "timestamp", "step": 3600.0, "gaps": "refuse"}

        assert window_of(MARKET, figures(**changes)) == expected

    def test_a_market_that_closes_has_no_holes(self) -> None:
        assert window_of({"step": None}, FIGURES) == {"rows": 120, "order_by": "timestamp"}

    @pytest.mark.parametrize("most_filled", [0, 1, 6, 60])
    def test_every_figure_that_preprocessing_takes_is_one_that_boucle_takes(self, most_filled: int) -> None:
        kinds = {"timestamp": "datetime", **dict.fromkeys(OHLC, "float")}

        require_window(Window(**window_of(MARKET, figures(most_filled=most_filled))), kinds)


class TestUpload:
    def test_boucle_is_told_what_the_graph_takes_and_until_when_it_was_trained(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: dict[str, Any] = {}

        def deploy(model: bytes, name: str, **options: Any) -> types.SimpleNamespace:
            told.update(options, model=model, name=name)
            return types.SimpleNamespace(name=name, version=3, aliases=("champion",))

        monkeypatch.setattr(boucle, "deploy", deploy)
        params = {"pair": "BTCUSDT", "interval": "1h", "target": "return"}
        report = {"params": params, "metrics": {"loss": 1.7}, "trained_until": "2024-02-01T10:00:00+00:00"}
        proof = Proof(walk(130)[["timestamp", *OHLC]], window_of(MARKET, FIGURES), np.ones(11), np.ones((11, 2)))

        deployed = upload_files(b"graph", report, proof, FIGURES)

        assert deployed == {"name": "btcusdt", "version": 3, "aliases": ["champion"]}
        assert (told["model"], told["name"], told["window"]) == (b"graph", "btcusdt", proof.window)
        assert told["params"] == {**params, "trained_until": "2024-02-01T10:00:00+00:00"}
        assert told["tensors"] == {"timestamp": ("timestamp", "ms"), "ohlc": ["open", "high", "low", "close"]}
        assert told["gate"] == {"loss": "<= 2.5", "naive_ratio": "<= 1.005"}
        assert (told["interval_level"], told["promotion"]) == (0.9, "by-gate")

    def test_volumes_are_sent_after_the_prices(self) -> None:
        candles = pd.DataFrame(columns=["timestamp", *OHLC, *VOLUME_FEATURES])

        assert tensors_of(candles)["ohlc"] == ["open", "high", "low", "close", "volume", "tb_base_av"]

    def test_the_model_bears_the_name_of_its_pair_unless_another_is_given(self) -> None:
        assert model_name({"pair": "BTCUSDT"}, FIGURES) == "btcusdt"
        assert model_name({"pair": "BTCUSDT"}, figures("exporting", name="mine")) == "mine"


class TestCleaning:
    def test_what_the_pipelines_left_is_removed(self, here: Path) -> None:
        left(*map(str, WORKING))

        clean_files(DEPLOYED, FIGURES)

        assert list(here.rglob("*")) == [here / "data"]

    def test_the_list_is_that_of_the_catalog_and_the_checkpoint(self) -> None:
        catalog = yaml.safe_load((CONF / "catalog.yml").read_text(encoding="utf-8"))
        named = [entry["filepath"] for name, entry in catalog.items() if "{" not in name]

        assert [path.as_posix() for path in WORKING] == [*named, "data/training/best.ckpt"]

    def test_nothing_of_the_user_is_touched(self, here: Path) -> None:
        kept = [
            "data/notes.md",
            "data/candles.parquet",
            "data/candles.source.json",
            "data/mine/model.onnx",
            "data/training/notes.md",
            "candles/btc.csv",
            "mlflow.db",
            "mlruns/1/meta.yaml",
            "wandb/run/files.txt",
        ]
        left(*map(str, WORKING), *kept)

        clean_files(DEPLOYED, FIGURES)

        assert sorted(path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()) == sorted(kept)

    def test_stored_candles_stay_even_under_the_name_of_a_working_file(self, here: Path) -> None:
        left("data/series.parquet", "data/market.json")

        clean_files(DEPLOYED, figures("fetching", store="data/series.parquet"))

        assert [path.name for path in (here / "data").iterdir()] == ["series.parquet"]

    def test_all_stays_when_the_user_wants_the_files(self, here: Path) -> None:
        left("data/model.onnx")

        clean_files(DEPLOYED, figures("exporting", keep_files=True))

        assert Path("data/model.onnx").exists()

    def test_nothing_there_is_no_error(self, here: Path) -> None:
        clean_files(DEPLOYED, FIGURES)
