"""Tests of boucle.monitoring.data_tests and windows: what a window's columns come to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from boucle.core.check import Check
from boucle.core.counting import count
from boucle.core.freezing import freeze
from boucle.core.profile import Profile
from boucle.core.schema import infer
from boucle.core.table import Column, Table
from boucle.core.watching import WatchPolicy
from boucle.monitoring.data_tests import data_tests, failures, freshness, refusals, volume
from boucle.monitoring.drift import drift
from boucle.monitoring.drift_checks import drift_checks
from boucle.monitoring.windows import Judged, column_reports, histogram

SECOND = 1_000_000


def _rows(n: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n).astype(float)
    age[rng.random(n) < 0.05] = np.nan
    return {
        "price": rng.uniform(10, 20, n),
        "age": age,
        "colour": np.array(["red", "green", "blue"], dtype=object)[rng.choice(3, n, p=[0.5, 0.3, 0.2])],
    }


def _table(columns: dict[str, Any]) -> Table:
    return Table({name: Column("text" if v.dtype == object else "float", v) for name, v in columns.items()})


def _profiles(now: dict[str, Any]) -> tuple[Any, Profile, Profile]:
    table = _table(_rows(5_000, 0))
    schema = infer(table)
    grid = freeze(table, schema)
    return schema, count(grid, table), count(grid, _table(now))


def _judge(now: dict[str, Any]) -> dict[str, Check]:
    checks = data_tests(*_profiles(now), WatchPolicy())
    return {check.name: check for check in checks}


def _bad(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.status for name, check in checks.items() if check.status != "pass"}


def test_an_ordinary_window_passes_all_tests() -> None:
    checks = _judge(_rows(1_000, 1))

    assert set(checks) == {
        *("missing:price", "missing:age", "missing:colour"),
        *("range:price", "range:age", "categories:colour"),
        *("constant:price", "constant:age", "constant:colour"),
    }
    assert _bad(checks) == {}


@pytest.mark.parametrize("value", [-999.0, 1e6])
def test_a_value_far_out_of_range_warns_and_many_fail(value: float) -> None:
    one, many = _rows(1_000, 2), _rows(1_000, 2)
    one["price"][0] = value
    many["price"][:50] = value

    assert _bad(_judge(one)) == {"range:price": "warn"}
    assert _bad(_judge(many)) == {"range:price": "fail"}
    assert _judge(many)["range:price"].evidence["share_outside"] == pytest.approx(0.05)


def test_a_value_just_beyond_the_range_is_within_the_slack() -> None:
    now = _rows(1_000, 3)
    now["price"][0] = 20.9  # a tenth of the range of 10 is allowed

    assert _bad(_judge(now)) == {}


def test_new_categories_are_told_with_their_share() -> None:
    now = _rows(1_000, 4)
    now["colour"][:20] = "violet"
    checks = _judge(now)

    assert _bad(checks) == {"categories:colour": "warn"}
    assert checks["categories:colour"].evidence["unseen_rate"] == pytest.approx(0.02)


@pytest.mark.parametrize(("n_missing", "status"), [(8, "pass"), (40, "fail")])
def test_a_missing_rate_is_judged_against_chance(n_missing: int, status: str) -> None:
    now = _rows(200, 5)
    now["age"] = np.where(np.arange(200) < n_missing, np.nan, 30.0 + np.arange(200) % 40)

    assert _judge(now)["missing:age"].status == status


def test_a_column_that_became_constant_warns() -> None:
    now = _rows(200, 6)
    now["price"][:], now["colour"][:] = 12.0, "red"

    assert _bad(_judge(now)) == {"constant:price": "warn", "constant:colour": "warn"}


@pytest.mark.parametrize("n", [0, 1])
def test_a_minute_with_one_row_or_none_raises_no_word(n: int) -> None:
    now = _rows(n, 7)
    now["price"][:] = -1e9

    assert _bad(_judge(now)) == {}


def test_a_column_of_nulls_is_told_as_missing_only() -> None:
    now = _rows(200, 8)
    now["price"][:] = np.nan

    assert _bad(_judge(now)) == {"missing:price": "fail"}


def test_silence_volume_refusals_and_failures_are_told_by_their_numbers() -> None:
    assert [freshness(at * SECOND, 0, 3_600).status for at in (60, 3_600, 3_601)] == ["pass", "pass", "fail"]
    assert [volume(500, usual).status for usual in (900, 2_500, 5_000, 90)] == ["pass", "pass", "warn", "warn"]
    for judge in (refusals, failures):
        assert [judge(1_000, n).status for n in (2, 9, 10, 99, 100)] == ["pass", "pass", "warn", "warn", "fail"]
        assert judge(2, 2).status == "pass"


def test_a_clock_that_runs_backwards_makes_no_row_late() -> None:
    assert freshness(0, 9_000 * SECOND, 60).status == "pass"


def test_columns_are_reported_worst_first_with_both_histograms() -> None:
    now = _rows(1_000, 10)
    now["price"] = now["price"] + 5
    schema, reference, current = _profiles(now)
    found = drift(reference, current)
    checks = (*drift_checks(found), *data_tests(schema, reference, current, WatchPolicy()))

    reports = column_reports(reference, current, Judged(found, checks, {"price": 7}))

    assert reports[0].name == "price"
    assert (reports[0].status, reports[0].since) == ("fail", 7)
    assert {check.name for check in reports[0].checks} >= {"drift:price", "range:price"}
    for report in reports:
        assert report.histogram is not None
        assert len(report.histogram.labels) <= 20
        assert sum(report.histogram.current) + report.missing_rate * (report.name != "colour") == pytest.approx(1.0)


def test_a_histogram_of_numbers_has_round_bounds_and_the_shares_of_the_rows() -> None:
    _schema, reference, current = _profiles(_rows(5_000, 11))

    found = histogram(reference, current, reference.grid.index("price"))

    assert found.edges[0] == 10.0
    assert found.edges[-1] == 20.0
    assert found.reference == pytest.approx([1 / len(found.labels)] * len(found.labels), abs=0.02)


def test_a_histogram_of_levels_ends_with_what_is_unseen() -> None:
    now = _rows(1_000, 12)
    now["colour"][:100] = "violet"
    _schema, reference, current = _profiles(now)

    found = histogram(reference, current, reference.grid.index("colour"))

    assert found.labels == ("red", "green", "blue", "unseen")
    assert found.current[-1] == pytest.approx(0.1)
