"""Collecting what has waited: in the order in which it was told, and again what a loss of power took from the log."""

from __future__ import annotations

import shutil
from pathlib import Path

from boucle.adapters.segments import SegmentJournal, SegmentOptions
from boucle.loop.collect import Collector, collect
from loop.collecting import Platform

ROW = {"price": 1.0, "city": "Lyon"}


def test_a_correction_told_to_the_next_gateway_outlives_what_waited_in_the_segments_of_the_last(
    tmp_path: Path,
) -> None:
    platform = Platform(tmp_path)
    platform.journal = SegmentJournal(tmp_path / "segments", SegmentOptions(segment_bytes=1))  # one record each
    first = platform.answer([ROW], [1])
    platform.tell((f"{first}:0", 0))
    platform.end_stream()
    platform.tell((f"{first}:0", 1))

    collector = Collector(platform.world())
    while not collector.collect().is_nothing:
        pass

    assert platform.truths() == {f"{first}:0": 1}
    assert platform.counted("quality").n_rows == 1


def test_rows_that_a_loss_of_power_took_from_the_log_alone_are_collected_again(tmp_path: Path) -> None:
    platform = Platform(tmp_path)
    first = platform.answer([ROW, ROW], [1, 0])
    collect(platform.world())
    shutil.rmtree(tmp_path / "inference_log")  # the database was on the disk, the log was not yet
    platform.end_stream()

    collector = Collector(platform.world())
    while not collector.collect().is_nothing:
        pass

    assert [id_ for id_, *_rest in platform.logged()] == [f"{first}:0", f"{first}:1"]
    assert platform.counted("features").n_rows == 2
