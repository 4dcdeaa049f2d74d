"""What a loss of power leaves of a stream and of the log: each row that is still there is collected, exactly once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from boucle.adapters.segments import SegmentJournal, SegmentOptions
from boucle.core.segment import pack
from boucle.loop.collect import Collector
from loop.collecting import MINUTE, NOON, Platform, answered

N_RECORDS, N_ROWS = 12, 2
CITY = "Lyon"


class Written:
    """A stream of answers, two rows each, whose prices are their numbers; its gateway is gone."""

    def __init__(self, root: Path, segment_bytes: int = 1 << 20) -> None:
        self.platform = Platform(root)
        self.sizes: list[int] = []
        self.ids: list[str] = []
        self.prices: list[float] = []
        journal = SegmentJournal(root / "segments", SegmentOptions(segment_bytes=segment_bytes))
        for number in range(N_RECORDS):
            price = float(number)
            record = answered([{"price": price, "city": CITY}] * N_ROWS, [0, 1], NOON)
            self.sizes.append(journal.append(pack(record)))
            self.ids.append(record.prediction_id)
            self.prices.append(price)
        self.position = journal.position
        self.end = journal.close
        self.segments = sorted((root / "segments" / journal.stream).glob("*.seg"))

    def starts(self, number: int) -> int:
        """Return the byte at which a record begins."""
        return sum(self.sizes[:number])

    def check(self, numbers: list[int]) -> None:
        """Collect all there is and see that it is the rows of these records, in the log and in the profiles."""
        collector = Collector(self.platform.world())
        for _pass in range(4 * N_RECORDS):
            collector.collect()
        expected = sorted(f"{self.ids[number]}:{row}" for number in numbers for row in range(N_ROWS))
        assert sorted(id_ for id_, *_rest in self.platform.logged()) == expected
        features = self.platform.counted("features")
        assert features.n_rows == len(expected)
        if expected:
            price = features.part(features.grid.index("price"))
            assert features.sums[price].sum() == N_ROWS * sum(self.prices[number] for number in numbers)
        assert self.platform.counted("traffic").n_rows == len(numbers)

    def is_gone(self) -> bool:
        """Tell whether the stream was deleted; the collector waits some time between deletions."""
        self.platform.now += MINUTE
        Collector(self.platform.world()).collect()
        return not self.segments[0].parent.exists()


def write_at(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)


@pytest.mark.parametrize("kept", ["one byte", "half", "all but one byte"])
def test_a_torn_tail_costs_the_torn_record_alone(tmp_path: Path, kept: str) -> None:
    written = Written(tmp_path)
    written.end()
    last = written.starts(N_RECORDS - 1)
    size = {"one byte": 1, "half": written.sizes[-1] // 2, "all but one byte": written.sizes[-1] - 1}[kept]
    with written.segments[0].open("r+b") as file:
        file.truncate(last + size)

    written.check(list(range(N_RECORDS - 1)))
    assert written.is_gone()


def test_a_torn_tail_that_is_collected_before_its_gateway_ends_is_waited_for(tmp_path: Path) -> None:
    written = Written(tmp_path)
    with written.segments[0].open("r+b") as file:
        data = file.read()
        file.truncate(len(data) - 7)
    written.check(list(range(N_RECORDS - 1)))
    write_at(written.segments[0], len(data) - 7, data[-7:])

    written.check(list(range(N_RECORDS)))
    written.end()
    assert written.is_gone()


def within_a_record(written: Written) -> tuple[int, int]:
    return written.starts(5) + 40, written.starts(5) + 60


def two_halves(written: Written) -> tuple[int, int]:
    return written.starts(4) + 100, written.starts(6) + 100


def whole_records(written: Written) -> tuple[int, int]:
    return written.starts(4), written.starts(7)


def the_length_of_one(written: Written) -> tuple[int, int]:
    return written.starts(5) + 4, written.starts(5) + 8


def the_beginning(written: Written) -> tuple[int, int]:
    return 0, written.starts(2) + 1


def the_end(written: Written) -> tuple[int, int]:
    return written.starts(9) + 30, written.position


@pytest.mark.parametrize("max_bytes", [16 * 1024 * 1024, 100], ids=["at once", "in small pieces"])
@pytest.mark.parametrize(
    ("zeroed", "gone"),
    [
        (within_a_record, {5}),
        (two_halves, {4, 5, 6}),
        (whole_records, {4, 5, 6}),
        (the_length_of_one, {5}),
        (the_beginning, {0, 1, 2}),
        (the_end, {9, 10, 11}),
    ],
)
def test_bytes_that_a_loss_of_power_left_as_zeros_cost_the_records_they_lie_in_and_no_others(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    zeroed: Callable[[Written], tuple[int, int]],
    gone: set[int],
    max_bytes: int,
) -> None:
    written = Written(tmp_path)
    written.end()
    written.platform.max_bytes = max_bytes
    start, stop = zeroed(written)
    write_at(written.segments[0], start, bytes(stop - start))

    with caplog.at_level(logging.ERROR, "boucle.segments"):
        written.check([number for number in range(N_RECORDS) if number not in gone])

    assert "damaged bytes of the inference log were skipped" in caplog.text
    assert written.is_gone()


def test_a_segment_cut_short_in_the_middle_of_a_stream_costs_its_own_last_records(tmp_path: Path) -> None:
    written = Written(tmp_path, segment_bytes=1_500)
    written.end()
    assert len(written.segments) > 2
    second = int(written.segments[1].stem)
    first_in_second = next(n for n in range(N_RECORDS) if written.starts(n) == second)
    with written.segments[1].open("r+b") as file:
        file.truncate(written.sizes[first_in_second] + 10)
    third = int(written.segments[2].stem)
    first_in_third = next(n for n in range(N_RECORDS) if written.starts(n) == third)
    assert first_in_third - first_in_second > 1

    written.check([n for n in range(N_RECORDS) if not first_in_second < n < first_in_third])
    assert written.is_gone()


def test_a_stream_shorter_than_what_was_collected_of_it_is_left_as_it_was_collected(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.check(list(range(N_RECORDS)))
    with written.segments[0].open("r+b") as file:
        file.truncate(written.starts(3))
    written.end()

    written.check(list(range(N_RECORDS)))
    assert written.is_gone()


def test_a_pass_that_died_between_the_log_and_the_database_is_counted_once_and_logged_once(tmp_path: Path) -> None:
    written = Written(tmp_path)
    died = Collector(written.platform.world())
    pieces, _is_behind = died._read()
    died._world.log.append(died._decoded(pieces).rows, {piece.stream: piece.move for piece in pieces})
    assert len(written.platform.logged()) == N_RECORDS * N_ROWS
    assert written.platform.counted("features").n_rows == 0
    written.end()

    written.check(list(range(N_RECORDS)))
    assert written.is_gone()
