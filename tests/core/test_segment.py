"""Frames of the inference log: what goes in comes out, and damage costs no more than what was damaged."""

from __future__ import annotations

import random

import pytest

from boucle.core.record import InferenceRecord
from boucle.core.segment import MAGIC, Packer, frame_size, pack, records, scan

ANSWER = InferenceRecord("answer", "churn", 3, "i" * 36, 5, 7, 40, 200, "csv", "json", "ann@x", b"age\n41\n", b"{}")
OTHERS = (
    InferenceRecord("truth", "bank", 0, "f", 1, 2, status=202, request=b"[]"),
    InferenceRecord("refusal", "bank", 2, "", 1, 2, 900, 422),
    InferenceRecord("gap", "bank", 2, "", 1, 2, n_lost=17),
)


def frame(record: InferenceRecord) -> bytes:
    return b"".join(pack(record))


@pytest.mark.parametrize("record", [ANSWER, *OTHERS], ids=lambda record: record.kind)
def test_a_record_comes_back_as_it_was(record: InferenceRecord) -> None:
    data = frame(record)

    assert records(data, 0) == ([record], len(data))


def test_the_short_way_of_an_answer_writes_the_same_bytes() -> None:
    short = Packer("churn", 3).answer("i" * 36, (5, 7, 40), (b"age\n41\n", "csv"), (b"{}", "json"), "ann@x")

    assert b"".join(short) == frame(ANSWER)


def test_reading_begins_at_a_position_and_tells_the_next() -> None:
    first, second = frame(ANSWER), frame(OTHERS[0])

    assert records(first + second, len(first)) == ([OTHERS[0]], len(first) + len(second))


@pytest.mark.parametrize("n_missing", range(1, len(frame(ANSWER))))
def test_a_record_cut_short_anywhere_is_waited_for(n_missing: int) -> None:
    data = frame(OTHERS[0]) + frame(ANSWER)[:-n_missing]

    assert scan(data, 0) == ([OTHERS[0]], len(frame(OTHERS[0])), 0)
    ended = scan(data, 0, is_end=True)
    assert (ended.records, ended.position) == ([OTHERS[0]], len(data))


@pytest.mark.parametrize("place", range(len(frame(ANSWER))))
def test_a_damaged_byte_anywhere_costs_its_record_alone(place: int) -> None:
    damaged = bytearray(frame(ANSWER))
    damaged[place] ^= 0x55
    data = frame(OTHERS[0]) + bytes(damaged) + frame(OTHERS[1])

    found = scan(data, 0, is_end=True)

    assert found.records == [OTHERS[0], OTHERS[1]]
    assert (found.position, found.skipped_bytes) == (len(data), len(damaged))


def test_a_length_that_was_damaged_is_not_waited_for() -> None:
    damaged = bytearray(frame(ANSWER))
    damaged[7] = 0x7F
    data = bytes(damaged) + frame(OTHERS[1])

    assert frame_size(data, 0) is None
    assert scan(data, 0).records == [OTHERS[1]]


def test_zeros_left_by_a_loss_of_power_are_skipped() -> None:
    data = frame(ANSWER) + bytes(500)

    assert scan(data, 0, is_end=True) == ([ANSWER], len(data), 500)


def test_a_request_that_holds_the_magic_is_a_request() -> None:
    sly = ANSWER._replace(request=MAGIC + frame(OTHERS[2]))

    assert records(frame(sly), 0)[0] == [sly]


def test_any_bytes_are_read_to_an_end() -> None:
    rng = random.Random(5)  # noqa: S311
    whole = b"".join(frame(record) for record in (ANSWER, *OTHERS))
    for _trial in range(300):
        data = bytearray(whole * 2)
        for _change in range(rng.randint(1, 8)):
            start = rng.randrange(len(data))
            data[start : start + rng.randint(0, 9)] = rng.randbytes(rng.randint(0, 9))
        found = scan(bytes(data), 0, is_end=True)
        assert found.position == len(data)
        assert set(found.records) <= {ANSWER, *OTHERS}
        assert sum(len(frame(record)) for record in found.records) + found.skipped_bytes == len(data)
