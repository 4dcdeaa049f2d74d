"""What every ProfileStore does, with the collector's transaction that writes to it."""

import numpy as np
import pytest

from boucle.core.errors import Conflict
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.monitoring.ports import Key, Mark
from watched_cases import ALL, DAY, GRID, HOUR, MINUTE, REFERENCE, T0, Watched, break_off, rows, same

EVER = Span(0, 2 * T0)


@pytest.fixture
def kept(watched: Watched) -> Watched:
    watched.profiles.keep_reference("churn", 1, REFERENCE)
    return watched


def added(stores: Watched, *profiles: tuple[Key, int, Profile]) -> None:
    with stores.collect.collecting() as tx:
        tx.add({(key, at): profile for key, at, profile in profiles})


def steps(stores: Watched, key: Key = ALL, window: Span = EVER) -> list[tuple[int, int]]:
    return [(at, profile.n_rows) for at, profile in stores.profiles.series(key, window).steps]


def test_a_reference_is_kept_once_and_is_read_back_equal(watched: Watched) -> None:
    assert watched.profiles.reference("churn", 1) is None
    other = Reference({"features": Grid((Part("x", "number", edges=(3.0,)),))})

    first = watched.profiles.keep_reference("churn", 1, REFERENCE)
    second = watched.profiles.keep_reference("churn", 1, other)

    for found in (first, second, watched.profiles.reference("churn", 1)):
        assert found is not None
        assert found.grids == {"features": GRID, "traffic": GRID}
        assert same(found.profiles["features"], Profile.empty(GRID))
    assert watched.profiles.reference("churn", 2) is None


def test_profiles_of_a_minute_are_added_up_and_read_back_to_the_last_bit(kept: Watched) -> None:
    added(kept, (ALL, T0, rows(low=2, high=1)), (ALL, T0 + MINUTE, rows(middle=1, missing=3)))
    added(kept, (ALL, T0, rows(middle=5)))

    series = kept.profiles.series(ALL, EVER)

    assert series.times == (T0, T0 + MINUTE)
    found = [profile for _at, profile in series.steps]
    assert same(found[0], rows(2, 5, 1))
    assert same(found[1], rows(middle=1, missing=3))


def test_what_is_taken_back_is_taken_back_exactly(kept: Watched) -> None:
    added(kept, (ALL, T0, rows(low=2, high=1)))
    added(kept, (ALL, T0, Profile.empty(GRID) - rows(low=1)))
    assert same(kept.profiles.series(ALL, EVER).within(EVER), rows(low=1, high=1))


def test_a_window_holds_its_begin_and_not_its_end(kept: Watched) -> None:
    added(kept, *((ALL, T0 + i * MINUTE, rows(low=i + 1)) for i in range(4)))
    assert steps(kept, window=Span(T0 + MINUTE, T0 + 3 * MINUTE)) == [(T0 + MINUTE, 2), (T0 + 2 * MINUTE, 3)]


def test_keys_do_not_mix_and_are_all_named(kept: Watched) -> None:
    kept.profiles.keep_reference("risk", 12, REFERENCE)
    sliced, traffic = Key("churn", 1, "features", "city=Besançon"), Key("churn", 1, "traffic")
    risk = Key("risk", 12, "features")
    added(kept, *((key, T0, rows(low=n)) for n, key in enumerate((ALL, sliced, traffic, risk), 1)))

    assert [steps(kept, key) for key in (ALL, sliced, traffic, risk)] == [[(T0, n)] for n in (1, 2, 3, 4)]
    assert kept.profiles.keys() == (ALL, sliced, traffic, risk)
    assert kept.profiles.keys("risk") == (risk,)
    assert kept.profiles.keys("nobody") == ()


def test_the_newest_minute_is_the_last_one_that_holds_rows(kept: Watched) -> None:
    assert kept.profiles.newest(ALL) is None
    added(kept, (ALL, T0, rows(low=1)), (ALL, T0 + MINUTE, rows(low=1)), (ALL, T0 + 2 * MINUTE, Profile.empty(GRID)))
    assert kept.profiles.newest(ALL) == T0 + MINUTE


def test_a_version_without_reference_has_an_empty_series_and_takes_no_profiles(watched: Watched) -> None:
    assert (watched.profiles.series(ALL, EVER).times, watched.profiles.keys()) == ((), ())
    with pytest.raises(Conflict, match="Version 1 of model churn has no reference: keep one before its profiles"):
        added(watched, (ALL, T0, rows(low=1)))
    assert watched.profiles.keys() == ()


def test_minutes_are_rolled_up_to_hours_and_days_without_losing_a_count(kept: Watched) -> None:
    sliced = Key("churn", 1, "features", "city=Paris")
    at = [T0 + 61 * i * MINUTE for i in range(30)]  # 29 of them in a day, one in each hour but the last
    added(kept, *((key, time, rows(low=1, missing=i)) for i, time in enumerate(at) for key in (ALL, sliced)))

    with kept.collect.collecting() as tx:
        tx.roll_up("churn", T0 + 2 * HOUR + HOUR // 2, 3_600)
    assert steps(kept)[:3] == [(T0, 1), (T0 + HOUR, 2), (T0 + 122 * MINUTE, 3)]

    with kept.collect.collecting() as tx:
        tx.roll_up("churn", T0 + DAY, 86_400)
    total = kept.profiles.series(ALL, EVER)
    in_day = [i for i, time in enumerate(at) if time < T0 + DAY]
    assert [total.times[0], *total.times[1:]] == [T0, *(time for time in at if time >= T0 + DAY)]
    assert same(next(iter(total.steps))[1], rows(low=len(in_day), missing=sum(in_day)))
    assert steps(kept, sliced) == steps(kept)


def test_rolling_up_again_changes_nothing(kept: Watched) -> None:
    added(kept, (ALL, T0, rows(low=1)), (ALL, T0 + MINUTE, rows(low=1)))
    for _ in range(2):
        with kept.collect.collecting() as tx:
            tx.roll_up("churn", T0 + HOUR, 3_600)
    assert steps(kept) == [(T0, 2)]


def test_what_comes_late_joins_the_hour_or_day_that_its_minute_was_rolled_up_into(kept: Watched) -> None:
    added(kept, (ALL, T0, rows(low=1)), (ALL, T0 + HOUR, rows(low=1)))
    with kept.collect.collecting() as tx:
        tx.roll_up("churn", T0 + HOUR, 3_600)
    added(kept, (ALL, T0 + MINUTE, rows(low=1)), (ALL, T0 + 2 * MINUTE, rows(high=1)), (ALL, T0 + HOUR, rows(low=4)))
    assert steps(kept) == [(T0, 3), (T0 + HOUR, 5)]

    with kept.collect.collecting() as tx:
        tx.roll_up("churn", T0 + DAY, 86_400)
    added(kept, (ALL, T0 + 5 * HOUR, rows(low=2)))
    assert steps(kept) == [(T0, 10)]


def test_a_roll_up_that_breaks_off_leaves_the_minutes_as_they_were(kept: Watched) -> None:
    added(kept, (ALL, T0, rows(low=1)), (ALL, T0 + MINUTE, rows(low=1)))
    with pytest.raises(RuntimeError, match="power"):
        break_off(kept, lambda tx: tx.roll_up("churn", T0 + HOUR, 3_600))
    assert steps(kept) == [(T0, 1), (T0 + MINUTE, 1)]


def test_old_steps_of_one_model_are_forgotten_and_its_empty_keys_with_them(kept: Watched) -> None:
    kept.profiles.keep_reference("risk", 1, REFERENCE)
    sliced, risk = Key("churn", 1, "features", "city=Paris"), Key("risk", 1, "features")
    added(kept, *((key, T0, rows(low=1)) for key in (ALL, sliced, risk)), (ALL, T0 + HOUR, rows(low=1)))
    with kept.collect.collecting() as tx:
        tx.roll_up("churn", T0 + HOUR, 3_600)
        tx.forget("churn", T0 + HOUR - 1)
    assert len(steps(kept)) == 2

    with kept.collect.collecting() as tx:
        tx.forget("churn", T0 + HOUR)
        tx.add({(sliced, T0 + DAY): rows(low=7)})

    assert (steps(kept), steps(kept, risk)) == ([(T0 + HOUR, 1)], [(T0, 1)])
    assert steps(kept, sliced) == [(T0 + DAY, 7)]
    with kept.collect.collecting() as tx:
        tx.forget("churn", T0 + 2 * DAY)
    assert kept.profiles.keys() == (risk,)


def test_many_keys_and_minutes_at_once_are_each_where_they_belong(kept: Watched) -> None:
    keys = [Key("churn", 1, "features", f"city={i}") for i in range(40)]
    counted = np.random.default_rng(5).integers(1, 9, size=(40, 30))
    batch = {(k, T0 + m * MINUTE): rows(low=int(counted[i, m])) for i, k in enumerate(keys) for m in range(30)}
    for _ in range(2):
        with kept.collect.collecting() as tx:
            tx.add(batch)
    for i in (0, 17, 39):
        assert [n for _at, n in steps(kept, keys[i])] == (2 * counted[i]).tolist()


def test_a_mark_moves_with_every_change_and_says_from_where_on(kept: Watched) -> None:
    store = kept.profiles
    assert store.mark(ALL, 0) == Mark(0, 0)
    added(kept, (ALL, T0, rows(low=1)), (ALL, T0 + MINUTE, rows(low=1)))
    first = store.mark(ALL, 0)
    added(kept, (Key("churn", 1, "traffic"), T0, rows(low=1)))
    assert (first.n_steps, first.first) == (2, T0)
    assert store.mark(ALL, 0, first.revision) == Mark(2, first.revision)
    assert store.mark(ALL, T0 + MINUTE).n_steps == 1

    added(kept, (ALL, T0 + MINUTE, Profile.empty(GRID) - rows(low=1)))
    second = store.mark(ALL, 0, first.revision)
    assert (second.n_steps, second.first) == (2, T0 + MINUTE)
    assert second.revision > first.revision

    with kept.collect.collecting() as tx:
        tx.roll_up("churn", T0 + DAY, 3_600)
    third = store.mark(ALL, 0, second.revision)
    assert (third.n_steps, third.first) == (1, T0 // HOUR * HOUR)
    assert third.revision > second.revision
