"""Tests of boucle.monitoring.drift and its checks: calibrated, powerful, and calm about oddities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from boucle.core.counting import count
from boucle.core.freezing import freeze
from boucle.core.profile import Profile
from boucle.core.report import Span
from boucle.core.schema import Schema, infer
from boucle.core.table import Column, Table
from boucle.monitoring.drift import Drift, drift
from boucle.monitoring.drift_checks import drift_checks, untested
from boucle.monitoring.rates import holm, rate_p

DAY = 86_400 * 1_000_000


def _table(columns: dict[str, Any]) -> Table:
    kinds = {"O": "text", "f": "float", "i": "int", "b": "bool", "M": "datetime"}
    return Table({name: Column(kinds[values.dtype.kind], values) for name, values in columns.items()})


def _reference(columns: dict[str, Any]) -> tuple[Profile, Schema]:
    table = _table(columns)
    schema = infer(table)
    schema = replace(
        schema, columns=tuple(replace(c, type="category") if c.type == "text" else c for c in schema.columns)
    )
    return count(freeze(table, schema), table), schema


def _judge(before: dict[str, Any], now: dict[str, Any], **options: Any) -> Drift:
    reference, _schema = _reference(before)
    return drift(reference, count(reference.grid, _table(now)), **options)


def _draw(n: int, rng: Any, n_levels: int = 200) -> dict[str, Any]:
    names = np.array([f"level {i}" for i in range(n_levels)], dtype=object)
    weights = 1 / np.arange(1, n_levels + 1)
    missing = rng.standard_normal(n)
    missing[rng.random(n) < 0.05] = np.nan
    return {
        "normal": rng.standard_normal(n),
        "few": rng.poisson(2, n),
        "mostly_zero": np.where(rng.random(n) < 0.8, 0.0, rng.standard_normal(n)),
        "some_missing": missing,
        "levels": names[rng.choice(n_levels, n, p=weights / weights.sum())],
        "flag": rng.random(n) < 0.02,
    }


@pytest.mark.parametrize(("n_reference", "n"), [(50, 100), (2_000, 100), (2_000, 5_000)])
def test_windows_without_drift_are_flagged_in_about_one_of_a_hundred_at_most(n_reference: int, n: int) -> None:
    rng = np.random.default_rng(n_reference + n)
    flagged, windows = 0, 0
    for _ in range(10 if n_reference + n > 5_000 else 30):
        reference, _schema = _reference(_draw(n_reference, rng))
        for _ in range(4):
            flagged += drift(reference, count(reference.grid, _table(_draw(n, rng)))).is_drifted
            windows += 1

    # what is allowed, and four standard errors
    assert flagged <= 0.01 * windows + 4 * (0.01 * windows) ** 0.5


@pytest.mark.parametrize("n", [100, 1_000, 5_000])
@pytest.mark.parametrize(
    "column", ["normal", "mostly_zero", "levels", "flag", "some_missing"], ids=lambda name: f"moved {name}"
)
def test_a_column_that_moved_is_named(column: str, n: int) -> None:
    rng = np.random.default_rng(n)
    now = _draw(n, rng)
    now[column] = {
        "normal": now["normal"] + 1,
        "mostly_zero": now["mostly_zero"] + 1,
        "levels": now["levels"][::-1]
        if column != "levels"
        else np.where(rng.random(n) < 0.4, "level 3", now["levels"]),
        "flag": rng.random(n) < 0.3,
        "some_missing": np.where(rng.random(n) < 0.4, np.nan, now["some_missing"]),
    }[column]

    found = _judge(_draw(20_000, rng), now)

    assert [part.name for part in found.flagged] == [column]


def test_a_burst_of_unseen_levels_is_caught_though_the_reference_expects_none() -> None:
    rng = np.random.default_rng(1)
    now = _draw(300, rng, n_levels=20)
    now["levels"][:30] = "never seen"

    found = _judge(_draw(5_000, rng, n_levels=20), now)

    assert [(part.name, part.cause) for part in found.flagged] == [("levels", "unseen")]


def test_a_constant_column_that_becomes_another_constant_is_caught() -> None:
    found = _judge({"x": np.full(1_000, 5.0)}, {"x": np.full(100, 4.0)})

    assert found.flagged[0].cause == "unseen"


def test_a_change_too_small_to_matter_is_not_flagged_however_certain() -> None:
    rng = np.random.default_rng(2)
    reference, _schema = _reference({"x": rng.standard_normal(200_000)})
    current = count(reference.grid, _table({"x": rng.standard_normal(400_000) + 0.04}))

    found = drift(reference, current)

    assert found.parts[0].p_value < 1e-6
    assert not found.is_drifted


@pytest.mark.parametrize("n", [0, 1, 5, 19])
def test_a_window_of_a_few_rows_is_never_flagged(n: int) -> None:
    rng = np.random.default_rng(3)
    now = {"x": rng.standard_normal(n) + 1e9, "c": np.array(["new"] * n, dtype=object)}

    assert not _judge({"x": rng.standard_normal(500), "c": np.array(["a", "b"] * 250, dtype=object)}, now).is_drifted


def test_columns_without_values_are_compared_by_their_missing_cells() -> None:
    empty, full = np.full(200, np.nan), np.random.default_rng(4).standard_normal(200)

    assert not _judge({"x": empty}, {"x": empty}).is_drifted
    assert _judge({"x": full}, {"x": empty}).flagged[0].cause == "missing"
    assert _judge({"x": empty}, {"x": full}).flagged[0].cause == "missing"


def test_keywords_that_became_frequent_are_caught() -> None:
    rng = np.random.default_rng(5)
    words = np.array(["red", "green", "blue", "wide", "long", "old"])

    def texts(n: int) -> Any:
        return np.array([" ".join(rng.choice(words, 3)) + f" {rng.integers(900)}" for _ in range(n)], dtype=object)

    before = _table({"title": texts(2_000)})
    grid = freeze(before, infer(before))
    now = texts(300)
    moved = np.array([text + " wide" for text in now], dtype=object)

    assert not drift(count(grid, before), count(grid, _table({"title": now}))).is_drifted
    names = [p.name for p in drift(count(grid, before), count(grid, _table({"title": moved}))).flagged]
    assert "title.keywords" in names


@pytest.mark.parametrize(
    ("r", "c"), [((50, 1_000), (80, 1_000)), ((500, 1_000), (430, 1_000)), ((300, 900), (50, 100))]
)
def test_the_rate_test_of_large_counts_is_the_two_sample_chi_square(r: Any, c: Any) -> None:
    table = [[r[0], r[1] - r[0]], [c[0], c[1] - c[0]]]

    assert float(rate_p(r, c)) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-6)


@pytest.mark.parametrize("hits", [1, 3, 10])
def test_the_rate_test_of_rare_hits_is_near_fishers(hits: int) -> None:
    fisher = stats.fisher_exact([[hits, 200 - hits], [4, 20_000 - 4]], alternative="greater").pvalue

    assert float(rate_p((4, 20_000), (hits, 200), one_sided=True)) == pytest.approx(fisher, rel=0.15)


def test_holm_agrees_with_the_example_made_by_hand() -> None:
    # sorted 0.01, 0.02, 0.03, 0.5: times 4, 3, 2, 1, never falling
    assert holm(np.array([0.5, 0.02, 0.03, 0.01])).tolist() == pytest.approx([0.5, 0.06, 0.06, 0.04])


def test_hours_are_tested_against_whole_days_and_dates_never() -> None:
    at = np.datetime64("2026-01-01", "us") + np.arange(500) * np.timedelta64(30, "m")
    reference, schema = _reference({"at": at})

    assert untested(schema, reference.grid, Span(0, DAY // 2)) == {"at", "at.hour", "at.weekday"}
    assert untested(schema, reference.grid, Span(0, DAY)) == {"at", "at.weekday"}
    assert untested(schema, reference.grid, Span(0, 7 * DAY)) == {"at"}


def test_a_large_change_fails_and_a_smaller_one_warns() -> None:
    rng = np.random.default_rng(6)
    before = {"near": rng.standard_normal(5_000), "far": rng.standard_normal(5_000), "calm": rng.standard_normal(5_000)}
    now = {name: rng.standard_normal(1_000) for name in before}
    now["near"], now["far"] = now["near"] + 0.3, now["far"] + 2

    checks = {check.name: check for check in drift_checks(_judge(before, now))}

    assert {name: check.status for name, check in checks.items()} == {
        "drift:near": "warn",
        "drift:far": "fail",
        "drift:calm": "pass",
        "drift": "fail",
    }
    assert checks["drift"].observed == "2 of 3 columns moved: far, near"
    assert checks["drift:far"].evidence["wasserstein"] == pytest.approx(2.0, abs=0.1)
    assert checks["drift:far"].advice


def test_what_leaves_a_constant_reference_is_told_by_its_share() -> None:
    before = {"x": np.full(2_000, 7.0), "y": np.arange(2_000.0)}
    now = {"x": np.where(np.arange(400) % 5 < 2, 9.0, 7.0), "y": np.arange(400.0) * 5}

    (constant, _moving, _overall) = drift_checks(_judge(before, now))

    assert constant.name == "drift:x"
    assert constant.status == "fail"
    assert "40.0% of the values lie outside" in constant.observed
    assert (constant.evidence["jensen_shannon"], constant.evidence["psi"]) == (None, None)
    assert constant.evidence["ks"] == pytest.approx(0.4)
