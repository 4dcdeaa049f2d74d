"""Tests of boucle.monitoring.feeds: a broken feed is named; drift is not called one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boucle.core.check import Check
from boucle.core.counting import count
from boucle.core.freezing import freeze
from boucle.core.schema import Schema, infer
from boucle.core.table import Column, Table
from boucle.monitoring.feeds import feed_checks

ELECTRICITY = Path(__file__).resolve().parents[3] / "shared" / "data" / "electricity-drift" / "elec2.parquet"


def _rows(n: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "price": np.exp(rng.standard_normal(n) * 0.4 + 3),
        "celsius": rng.normal(15, 6, n),
        "balance": rng.gamma(3, 50, n),
        "age": rng.integers(18, 90, n).astype(float),
        "colour": np.array(["red", "green", "blue"], dtype=object)[rng.choice(3, n, p=[0.5, 0.3, 0.2])],
    }


def _table(columns: dict[str, Any]) -> Table:
    return Table({name: Column("text" if v.dtype == object else "float", v) for name, v in columns.items()})


def _bad(columns: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Check]:
    reference = _table(before or _rows(5_000, 0))
    schema: Schema = infer(reference)
    grid = freeze(reference, schema)
    checks = feed_checks(schema, count(grid, reference), count(grid, _table(columns)))
    return {check.name: check for check in checks if check.status != "pass"}


@pytest.mark.parametrize("n_rows", [100, 1_000])
@pytest.mark.parametrize("factor", [10.0, 100.0, 1000.0, 0.01, 0.001])
def test_a_column_in_another_unit_is_named_with_its_factor(factor: float, n_rows: int) -> None:
    now = _rows(n_rows, 1)
    now["price"] = now["price"] * factor

    found = _bad(now)

    assert list(found) == ["feed:price"]
    assert found["feed:price"].status == "fail"
    assert found["feed:price"].evidence["factor"] == pytest.approx(factor)


def test_a_factor_that_is_not_usual_is_named_about_right() -> None:
    now = _rows(2_000, 2)
    now["balance"] = now["balance"] * 37

    assert _bad(now)["feed:balance"].evidence["factor"] == pytest.approx(37, rel=0.1)


def test_degrees_fahrenheit_are_told_from_celsius() -> None:
    now = _rows(500, 3)
    now["celsius"] = now["celsius"] * 1.8 + 32

    assert _bad(now)["feed:celsius"].evidence["words"] == "°C → °F"


def test_a_flipped_sign_is_named() -> None:
    now = _rows(500, 4)
    now["balance"] = -now["balance"]

    assert _bad(now)["feed:balance"].evidence["kind"] == "sign"


def test_two_swapped_columns_name_each_other() -> None:
    now = _rows(500, 5)
    now["balance"], now["price"] = now["price"], now["balance"]

    found = _bad(now)

    assert found["feed:balance"].evidence["with"] == "price"
    assert found["feed:price"].evidence["with"] == "balance"


def test_a_renamed_category_is_told_from_a_new_one() -> None:
    now = _rows(500, 6)
    renamed = {**now, "colour": np.where(now["colour"] == "green", "Green", now["colour"])}
    fresh = {**now, "colour": np.where(np.arange(500) % 3 == 0, "violet", now["colour"])}

    assert _bad(renamed)["feed:colour"].evidence["levels"] == ["green"]
    assert _bad(fresh) == {}


def test_half_missing_is_named() -> None:
    now = _rows(500, 7)
    now["age"][::2] = np.nan

    assert _bad(now)["feed:age"].evidence["kind"] == "missing"


def test_a_column_of_nulls_is_missing_and_nothing_else() -> None:
    now = _rows(500, 7)
    now["age"][:] = np.nan

    assert list(_bad(now)) == ["feed:age"]


def test_a_frozen_column_warns() -> None:
    now = _rows(500, 8)
    now["price"][:] = 20.0

    assert _bad(now)["feed:price"].status == "warn"


def test_a_window_of_one_row_passes() -> None:
    assert _bad(_rows(1, 9)) == {}


@pytest.mark.parametrize("seed", range(20))
def test_drift_is_not_called_a_broken_feed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    now = _rows(500, 100 + seed)
    for name in ("price", "celsius", "balance", "age"):
        now[name] = now[name] * rng.uniform(0.7, 1.5) + rng.normal() * now[name].std()

    assert _bad(now) == {}


@pytest.mark.skipif(not ELECTRICITY.exists(), reason="the electricity data are not here")
@pytest.mark.parametrize("size", [300, 3_000])
def test_the_drift_of_the_electricity_market_is_not_called_a_broken_feed(size: int) -> None:
    import polars as pl

    frame = pl.read_parquet(ELECTRICITY)
    names = ["period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]
    table = Table({name: Column("float", frame[name].cast(pl.Float64).to_numpy().copy()) for name in names})
    reference = table.take(slice(17_424, 30_000))
    schema = infer(reference)
    grid = freeze(reference, schema)
    before = count(grid, reference)

    failed = [
        check.name
        for start in range(0, table.n_rows - size + 1, size)
        for check in feed_checks(schema, before, count(grid, table.take(slice(start, start + size))))
        if check.is_failed
    ]

    assert failed == []
