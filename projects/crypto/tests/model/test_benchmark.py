"""The benchmark: which hours it tests, and when it says that the bar is met."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crypto.model.benchmark import HEAD, TEST, YEAR, Measured, summary, windows
from windows import walk

GOOD = Measured("BTCUSDT", "2024-01-01", 1.0, 0.9, 0.85, "lstm", keeps_change=True, epochs=8, seconds=5.0)


def rows(**changes: object) -> list[Measured]:
    times = [dataclasses.replace(GOOD, tested_from=f"2024-01-{day:02d}") for day in range(1, 10)]
    return [*times[:-1], dataclasses.replace(times[-1], **changes)]  # type: ignore[arg-type] # of the caller's


def test_every_hour_is_tested_once_from_the_first_test_hour_on() -> None:
    series = walk(YEAR + 2 * TEST)

    tested = np.concatenate([parts.test.next_close for parts in windows(series)])

    assert tested.tolist() == series["close"].iloc[-3 * TEST :].tolist()


def test_the_bar_is_met_when_every_window_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert summary(rows())
    assert "NOT MET" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"naive_ratio": 1.0051}, "NOT MET MAE at most 1.005 x naive on each window (largest 1.0051)"),
        ({"coverage": 0.82}, "NOT MET coverage 0.83 to 0.97 on each window (0.820 to 0.900)"),
        ({"winkler_ratio": 1.5}, "NOT MET mean Winkler at most 0.90 of constant width, each pair (0.922)"),
    ],
    ids=["error", "coverage", "winkler"],
)
def test_one_window_can_break_the_bar(
    changes: dict[str, float], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not summary(rows(**changes))
    assert sentence in capsys.readouterr().out


def test_skill_is_claimed_by_the_paired_test_alone(capsys: pytest.CaptureFixture[str]) -> None:
    summary(rows())
    out = capsys.readouterr().out

    assert "naive_ratio: no window differs from the last close" in out
    assert "winkler_ratio: better than constant width, lower in 9 of 9 windows, p = 0.002 (Wilcoxon)" in out


def test_few_windows_claim_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    summary(rows()[:3])

    assert "winkler_ratio: 3 windows of time are too few for a paired test, which takes 8" in capsys.readouterr().out


def test_the_columns_of_the_table_stand_under_their_names() -> None:
    assert len(str(GOOD)) == len(HEAD)
