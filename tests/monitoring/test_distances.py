"""Tests of boucle.monitoring.distances: beside scipy on the raw rows, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from boucle.core.counting import count
from boucle.core.freezing import freeze
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.schema import infer
from boucle.core.table import Column, Table
from boucle.monitoring.distances import Distances, distances


def _between(reference: Any, current: Any) -> Distances:
    kind = "text" if reference.dtype == object else "float"
    table = Table({"x": Column(kind, reference)})
    grid = freeze(table, infer(table))
    return distances(count(grid, table), count(grid, Table({"x": Column(kind, current)})))


def _levels(*counts: int) -> Profile:
    grid = Grid((Part("x", "level", levels=tuple("abcdef"[: len(counts)])),))
    empty = Profile.empty(grid)
    held = np.array([*counts, 0, 0])
    return Profile(grid, sum(counts), held, empty.sums, empty.missing, empty.squares, empty.low, empty.high)


@pytest.mark.parametrize("n_rows", [100, 2_000])
@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("law", ["normal", "lognormal", "few values"])
def test_wasserstein_and_kolmogorov_agree_with_scipy_on_the_rows(law: str, shift: float, n_rows: int) -> None:
    rng = np.random.default_rng(int(shift * 10) + n_rows)
    both = [rng.standard_normal(5_000), rng.standard_normal(n_rows) + shift]
    if law == "lognormal":
        both = [np.exp(x) for x in both]
    if law == "few values":
        both = [np.round(x * 2) for x in both]

    found = _between(*both)

    wasserstein = stats.wasserstein_distance(*both) / both[0].std()
    assert found.wasserstein[0] == pytest.approx(wasserstein, abs=0.008)  # the tail of a lognormal is one wide bin
    assert found.ks[0] == pytest.approx(stats.ks_2samp(*both).statistic, abs=1.5 / 256 + 0.5 / n_rows)


def test_wasserstein_is_exact_when_all_moved_far_beyond_the_grid() -> None:
    x = np.random.default_rng(0).standard_normal(1_000)

    assert _between(x, x * 1 + 1e6).wasserstein[0] == pytest.approx(1e6 / x.std(), rel=1e-9)


def test_jensen_shannon_of_levels_agrees_with_scipy() -> None:
    found = distances(_levels(50, 30, 20), _levels(10, 0, 90))

    assert found.jensen_shannon[0] == pytest.approx(jensenshannon([0.5, 0.3, 0.2], [0.1, 0, 0.9], base=2), abs=1e-12)


def test_psi_of_levels_agrees_with_the_sum_made_by_hand() -> None:
    found = distances(_levels(50, 50), _levels(60, 40))

    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5)
    assert found.psi[0] == pytest.approx(0.0182322 + 0.0223144, abs=1e-6)


def test_psi_of_numbers_is_over_tenths_of_the_reference() -> None:
    x = np.random.default_rng(1).standard_normal(20_000)
    found = _between(x, x + 0.5)

    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    shares = np.diff(np.concatenate([[0], stats.norm.cdf(edges - 0.5), [1]]))
    assert found.psi[0] == pytest.approx(float(((shares - 0.1) * np.log(shares / 0.1)).sum()), rel=0.05)


def test_a_sample_lies_at_no_distance_from_itself() -> None:
    x = np.random.default_rng(2).standard_normal(3_000)
    found = _between(x, x)

    assert [float(v[0]) for v in (found.wasserstein, found.ks, found.psi)] == pytest.approx([0, 0, 0], abs=1e-12)
    assert found.jensen_shannon[0] == pytest.approx(0.0, abs=1e-7)


def test_an_empty_window_has_no_distance() -> None:
    x = np.random.default_rng(3).standard_normal(300)
    found = _between(x, np.full(10, np.nan))

    assert all(np.isnan(v[0]) for v in (found.wasserstein, found.ks, found.psi, found.jensen_shannon))


def test_a_constant_reference_has_no_normed_wasserstein() -> None:
    assert np.isnan(_between(np.full(200, 0.1), np.full(50, 0.2)).wasserstein[0])
