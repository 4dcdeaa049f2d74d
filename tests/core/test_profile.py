"""Profiles are added, taken apart, packed; bytes that are not a profile are refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boucle.core.counting import count
from boucle.core.errors import InvalidDocument
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.table import Column, Table

GRID = Grid(
    (
        Part("age", "number", edges=(10.0, 20.0, 40.0)),
        Part("city", "level", levels=("Lyon", "Paris"), others=("Metz",)),
    )
)


def people(ages: list[float], cities: list[Any]) -> Table:
    column = np.empty(len(cities), dtype=object)
    column[:] = cities
    return Table({"age": Column("float", np.array(ages)), "city": Column("text", column)})


def assert_equal(one: Profile, other: Profile) -> None:
    assert one.n_rows == other.n_rows
    for name in ("counts", "sums", "missing", "squares", "low", "high"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
        assert getattr(one, name).dtype == getattr(other, name).dtype


@given(st.lists(st.tuples(st.floats(), st.sampled_from(["Lyon", "Metz", "Oslo", None])), max_size=300))
def test_a_packed_profile_is_read_as_it_was(rows: list[tuple[float, Any]]) -> None:
    profile = count(GRID, people([age for age, _city in rows], [city for _age, city in rows]))
    assert_equal(Profile.from_bytes(GRID, profile.to_bytes()), profile)


@pytest.mark.parametrize("n", [255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**40])
def test_counts_of_any_size_are_packed(n: int) -> None:
    profile = Profile.empty(GRID)
    profile.counts[1], profile.missing[0] = n, n
    assert_equal(Profile.from_bytes(GRID, profile.to_bytes()), profile)


def test_what_was_added_can_be_taken_back_even_below_nothing() -> None:
    one, other = (
        count(GRID, people([5, 15], ["Lyon", None])),
        count(GRID, people([15, 50, 60], ["Metz", "Rome", "Lyon"])),
    )
    assert (one + other - other).counts.tolist() == one.counts.tolist()
    less = one - other
    assert_equal(Profile.from_bytes(GRID, less.to_bytes()), less)
    assert less.n_rows == -1


def test_the_mean_and_variance_of_a_part_are_those_of_its_values() -> None:
    ages = [5.0, 15.0, 16.5, 80.0]
    profile = count(GRID, people([*ages, np.nan], ["Lyon"] * 5))
    assert profile.present(0) == 4
    assert profile.mean(0) == pytest.approx(np.mean(ages))
    assert profile.variance(0) == pytest.approx(np.var(ages))


def test_the_mean_and_variance_of_nothing_are_not_numbers() -> None:
    assert np.isnan(Profile.empty(GRID).mean(0))
    assert np.isnan(Profile.empty(GRID).variance(0))


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_bytes_cut_short_are_refused(length: int) -> None:
    packed = count(GRID, people([5, 15], ["Lyon", None])).to_bytes()
    with pytest.raises(InvalidDocument, match="profile: expected packed bytes of version 1"):
        Profile.from_bytes(GRID, packed[:length])


def test_damaged_bytes_are_never_read_as_another_profile() -> None:
    profile = count(GRID, people([5, 15], ["Lyon", None]))
    packed, n_refused = profile.to_bytes(), 0
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 0x10
        try:
            assert_equal(Profile.from_bytes(GRID, bytes(damaged)), profile)  # a bit that pads the stream
        except InvalidDocument:
            n_refused += 1
    assert n_refused >= len(packed) - 1


def test_bytes_too_many_are_refused() -> None:
    packed = count(GRID, people([5, 15], ["Lyon", None])).to_bytes()
    with pytest.raises(InvalidDocument):
        Profile.from_bytes(GRID, packed + b"\0")


@given(st.binary(max_size=40))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    for tail in (data, b"\x01P" + data):
        with pytest.raises(InvalidDocument):
            Profile.from_bytes(GRID, tail)


def test_the_profile_of_another_grid_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="2 parts, 8 bins; grid: 1 parts, 1 bins"):
        Profile.from_bytes(Grid((Part("age", "number"),)), Profile.empty(GRID).to_bytes())


def test_a_minute_of_few_rows_takes_little_room() -> None:
    grid = Grid(tuple(Part(f"x{i}", "number", edges=tuple(map(float, range(255)))) for i in range(18)))
    columns = {f"x{i}": Column("float", np.array([i + 0.5, i + 7.25])) for i in range(18)}
    assert len(Profile.empty(grid).to_bytes()) < 200
    assert len(count(grid, Table(columns)).to_bytes()) < 800
