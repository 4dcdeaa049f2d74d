"""What every CollectStore does: positions, profiles and ground truth are written at once, one collector at a time."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from boucle.core.errors import Conflict
from boucle.core.report import Span
from boucle.labels.truth import Truth
from watched_cases import ALL, REFERENCE, T0, Watched, break_off, collect, rows, sql_watched

EVER = Span(0, 2 * T0)


def position(stores: Watched, stream: str = "s1") -> int:
    with stores.collect.collecting() as tx:
        return tx.position(stream)


def advance(stores: Watched, to: int, stream: str = "s1") -> None:
    with stores.collect.collecting() as tx:
        tx.position(stream)
        tx.advance(stream, to)


def test_a_stream_is_counted_from_its_begin_and_each_has_its_own_position(watched: Watched) -> None:
    assert position(watched) == 0
    advance(watched, 5_000_000_000)
    advance(watched, 7, "s2")
    assert (position(watched), position(watched, "s2"), position(watched, "s3")) == (5_000_000_000, 7, 0)


def test_a_stream_may_stay_and_go_on_twice_in_one_transaction(watched: Watched) -> None:
    with watched.collect.collecting() as tx:
        tx.position("s1")
        tx.advance("s1", 10)
        tx.advance("s1", 10)
        tx.advance("s1", 20)
        assert tx.position("s1") == 20
    assert position(watched) == 20


def test_a_stream_does_not_go_back(watched: Watched) -> None:
    advance(watched, 10)
    with pytest.raises(Conflict, match="Stream s1 is counted up to 10: it cannot go back to 9"):
        advance(watched, 9)
    assert position(watched) == 10


def test_a_stream_is_not_moved_by_who_has_not_read_where_it_is(watched: Watched) -> None:
    position(watched)
    with pytest.raises(Conflict, match="moved to 10, but its position was not read in this transaction"):
        break_off(watched, lambda tx: tx.position("another"), lambda tx: tx.advance("s1", 10))
    assert position(watched) == 0


def test_an_exception_undoes_all_of_it(watched: Watched) -> None:
    watched.profiles.keep_reference("churn", 1, REFERENCE)
    told = Truth("churn", "p1:0", 1, T0, T0)
    with pytest.raises(RuntimeError, match="power"):
        break_off(
            watched,
            lambda tx: tx.advance("s1", tx.position("s1") + 10),
            lambda tx: tx.add({(ALL, T0): rows(low=1)}),
            lambda tx: tx.keep([told]),
        )

    assert position(watched) == 0
    assert watched.profiles.keys() == ()
    with watched.collect.collecting() as tx:
        assert tx.waiting(10) == ()
        tx.add({(ALL, T0): rows(low=1)})
    assert watched.profiles.series(ALL, EVER).times == (T0,)


def test_readers_see_nothing_of_a_transaction_that_is_under_way(watched: Watched) -> None:
    watched.profiles.keep_reference("churn", 1, REFERENCE)
    with watched.collect.collecting() as tx:
        tx.add({(ALL, T0): rows(low=1)})
        assert watched.profiles.keys() == ()
    assert watched.profiles.keys() == (ALL,)


def test_collectors_in_threads_lose_no_addition(watched: Watched) -> None:
    watched.profiles.keep_reference("churn", 1, REFERENCE)
    collectors = [threading.Thread(target=collect, args=(watched, 15)) for _ in range(3)]
    for collector in collectors:
        collector.start()
    for collector in collectors:
        collector.join()

    assert position(watched) == 450
    assert [profile.n_rows for _at, profile in watched.profiles.series(ALL, EVER).steps] == [45, 45]


COLLECTOR = """
import sys
sys.path.insert(0, sys.argv[2])
from boucle.adapters.sql import open_database
from watched_cases import collect, sql_watched
sys.stdin.read()  # until all are here
collect(sql_watched(open_database(sys.argv[1])), 15)
"""


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_collectors_in_processes_lose_no_addition(name: str, database: Callable[[str], sa.Engine]) -> None:
    engine = database(name)
    stores = sql_watched(engine)
    stores.profiles.keep_reference("churn", 1, REFERENCE)
    tests = str(Path(__file__).resolve().parents[1])
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", COLLECTOR, url, tests]
    collectors = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(2)]
    for collector in collectors:
        collector.communicate(timeout=60)

    assert [collector.returncode for collector in collectors] == [0, 0]
    assert position(stores) == 300
    assert [profile.n_rows for _at, profile in stores.profiles.series(ALL, EVER).steps] == [30, 30]
