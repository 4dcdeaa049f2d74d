"""Rows of the log as files: under names that are free, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from boucle.adapters.delta_log import DeltaLog
from boucle.adapters.sql import SqlTruthStore
from boucle.core.table import Column, Table
from boucle.loop.collect import Collector
from boucle.loop.exploring import OWN, ExploreWorld, LogQuery, explore, told_names, write_table
from loop.collecting import ALL, Platform


def texts(*values: str) -> Column:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return Column("text", made)


def written(table: Table) -> str:
    file = io.BytesIO()
    write_table(table, "csv", file)
    return file.getvalue().decode()


def test_no_name_and_no_cell_of_a_csv_is_a_formula() -> None:
    link = '=HYPERLINK("http://evil.example";"look")'
    names = (link, "+a", "@b", "plain, old", "\n=c")
    table = Table({name: texts(*("=1+1", "\n=1+1", "\r=1+1", "\t=1+1", "1+1")) for name in names})

    header, *rows = csv.reader(io.StringIO(written(table), newline=""))

    assert header == [f"'{link}", "'+a", "'@b", "plain, old", "'\n=c"]
    assert [row[1] for row in rows] == ["'=1+1", "'\n=1+1", "'\r=1+1", "'\t=1+1", "1+1"]


def test_two_inputs_are_never_told_under_one_name() -> None:
    told = told_names(["at", "input_at", "input_input_at", "truth", "price"], OWN)

    assert told == {
        "at": "input_input_input_at",
        "input_at": "input_at",
        "input_input_at": "input_input_at",
        "truth": "input_truth",
        "price": "price",
    }


def test_an_empty_window_is_a_header(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    Collector(platform.world()).collect()
    world = ExploreWorld(platform.registry, DeltaLog(tmp_path / "inference_log"), SqlTruthStore(platform.engine))

    text = written(explore(world, LogQuery("shop", ALL)))

    assert text.splitlines()[0].startswith("prediction_id,at,version")
    assert len(text.splitlines()) == 1
