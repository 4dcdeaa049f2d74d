"""Scores of blocks against scipy's tests."""

import math

import numpy as np
import pytest
from scipy import stats

from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.monitoring.signals import Family, grouping, groupings, score, tallies


def test_several_groups_are_judged_by_the_chi_square_of_homogeneity() -> None:
    block, base = [20.0, 18.0, 12.0], [500.0, 300.0, 200.0]
    p = stats.chi2_contingency([block, base], correction=False).pvalue
    assert score(block, base) == pytest.approx(stats.norm.isf(p), abs=1e-6)


@pytest.mark.parametrize("errors", [0, 3, 9, 20])
def test_errors_are_judged_by_the_exact_upper_tail_at_its_middle(errors: int) -> None:
    tail = stats.hypergeom(1_050, 60 + errors, 50)
    p = tail.sf(errors) + tail.pmf(errors) / 2
    assert score([50.0 - errors, errors], [940.0, 60.0], rises=True) == pytest.approx(stats.norm.isf(p), abs=1e-6)


def test_many_rows_are_judged_as_the_exact_tail_judges_them() -> None:
    tail = stats.hypergeom(60_000, 6_200, 10_000)
    p = tail.sf(1_100) + tail.pmf(1_100) / 2
    assert score([8_900, 1_100], [44_900, 5_100], rises=True) == pytest.approx(stats.norm.isf(p), abs=0.05)


def test_absolute_errors_are_judged_by_the_rank_sum() -> None:
    block, base = [5.0, 10.0, 15.0, 20.0], [250.0, 250.0, 250.0, 250.0]
    ranks = [np.repeat(np.arange(4), np.array(counts, dtype=int)) for counts in (block, base)]
    p = stats.mannwhitneyu(*ranks, alternative="greater", use_continuity=False, method="asymptotic").pvalue
    assert score(block, base, rises=True) == pytest.approx(stats.norm.isf(p), abs=1e-6)
    assert score([20.0, 15.0, 10.0, 5.0], base, rises=True) < -2


def test_scores_are_capped() -> None:
    assert score([0, 50], [5_000, 5], rises=True) == 8.0
    assert score([0, 0, 50], [5_000, 5_000, 5_000]) == pytest.approx(8.0)


def test_nothing_to_compare_gives_no_score() -> None:
    assert math.isnan(score([0, 0], [5, 5]))
    assert math.isnan(score([5, 5], [0, 0]))
    assert math.isnan(score([50, 0, 0], [500, 0, 0]))


def test_numbers_are_grouped_in_order_with_five_rows_expected_in_each() -> None:
    part = Part("price", "number", edges=tuple(range(255)))
    found = grouping(part, "input", [10] * 256, 0, block_rows=50)
    assert list(found.groups[:-1]) == sorted(found.groups[:-1])
    shares = np.bincount(found.groups[:-1]) / 256
    assert found.n_groups <= 8
    assert shares.min() * 50 >= 5


def test_a_constant_column_stands_against_all_that_is_new() -> None:
    part = Part("unit", "level", levels=("kg",))
    found = grouping(part, "input", [1_000, 0, 0], 0, block_rows=50)
    assert found.groups == (0, 1, 1, 1)
    assert score(found.tally([40, 0, 10], 0), found.tally([1_000, 0, 0], 0)) > 6


def test_missing_cells_are_a_group_when_the_reference_has_many() -> None:
    part = Part("age", "number", edges=(1.0, 2.0))
    assert grouping(part, "input", [40, 40, 40], 60, block_rows=50).groups == (0, 1, 2, 3)


def test_wrong_answers_are_the_upper_group_of_the_part_correct() -> None:
    found = grouping(Part("correct", "number", edges=(0.5,)), "error", [0, 0], 0, block_rows=50)
    assert found.tally([7, 43], missing=3) == [43.0, 7.0]


def test_profiles_give_the_counts_of_the_named_parts() -> None:
    grid = Grid((Part("x", "number", edges=(0.0,)), Part("t", "level", "keywords", levels=("a",)), Part("y", "number")))
    profile = Profile.empty(grid)
    profile.counts[:2] = 30, 70
    families: dict[str, Family] = {"x": "input", "t": "input"}
    found = groupings(grid, profile, families, 50)
    assert [part.name for part in found] == ["x"]
    assert tallies(profile, found) == {"x": [30.0, 70.0]}
