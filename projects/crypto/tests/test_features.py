"""Features, parts, scales and sequences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.candles import clean
from crypto.features import (
    FEATURES,
    FeatureScaler,
    Sequences,
    create_sequences,
    create_windows,
    extract_features_from_dataset,
    scale_data,
    split_data,
    split_train_and_val_sequences,
)
from series import HOUR_MS, hourly, real


def prepared(
    candles: pd.DataFrame, length: int, *, step: float | None = 3600.0
) -> tuple[Sequences, Sequences, FeatureScaler]:
    train, test = split_data(extract_features_from_dataset(candles))
    scaled_train, scaled_test, scaler = scale_data(train, test)
    return (
        create_sequences(scaled_train, scaler, length, step=step),
        create_sequences(scaled_test, scaler, length, step=step, before=scaled_train),
        scaler,
    )


class TestFeatures:
    def test_nine_features_in_the_order_of_the_original(self) -> None:
        features = extract_features_from_dataset(hourly([10, 11, 13]))

        assert tuple(features.columns) == FEATURES
        assert len(FEATURES) == 9
        assert (features.dtypes == "float64").all()

    def test_the_first_close_change_is_zero_and_the_others_are_differences(self) -> None:
        features = extract_features_from_dataset(hourly([10, 11, 13, 9]))

        assert features["close_change"].tolist() == [0, 1, 2, -4]

    @pytest.mark.parametrize(
        ("day", "expected"),
        [
            ("2021-01-03", (6, 3, 53, 1)),  # a Sunday, in week 53 of 2020
            ("2024-12-30", (0, 30, 1, 12)),  # a Monday, in week 1 of 2025
            ("2024-02-29", (3, 29, 9, 2)),
        ],
    )
    def test_the_calendar_is_that_of_iso_8601(self, day: str, expected: tuple[int, ...]) -> None:
        candles = hourly([10]).assign(timestamp=pd.to_datetime([day], utc=True))

        assert tuple(extract_features_from_dataset(candles).iloc[0, :4]) == expected

    def test_volumes_are_added_when_asked_for(self) -> None:
        features = extract_features_from_dataset(hourly([10, 11]), with_volume=True)

        assert features.shape == (2, 11)
        assert features["volume"].tolist() == [10, 10]
        assert features["tb_base_av"].tolist() == [4, 4]


class TestSplit:
    @pytest.mark.parametrize(("n", "n_train"), [(8760, 7884), (10, 9), (0, 0), (1, 0)])
    def test_nine_tenths_come_first(self, n: int, n_train: int) -> None:
        train, test = split_data(pd.Series(range(n)))

        assert len(train) == n_train
        assert [*train, *test] == list(range(n))

    def test_one_year_gives_the_windows_of_the_original(self) -> None:
        """Facts: 6,212 to train, 1,552 to validate, 876 to test."""
        candles = hourly((100 + np.sin(np.arange(8760) / 50)).tolist())
        train, test, _scaler = prepared(candles, 120)

        parts = [*split_train_and_val_sequences(train), test]

        assert [len(part.y) for part in parts] == [6212, 1552, 876]

    def test_validation_is_the_newest_fifth(self) -> None:
        train, _test, _scaler = prepared(hourly(list(range(10, 130))), 5)

        first, last = split_train_and_val_sequences(train)

        assert first.timestamps.max() < last.timestamps.min()
        assert len(last.y) == int(0.2 * len(train.y))


class TestScale:
    def test_the_training_part_alone_fits_the_scale(self) -> None:
        train, test = split_data(extract_features_from_dataset(hourly([*range(10, 19), 100])))

        scaled_train, scaled_test, _scaler = scale_data(train, test)

        assert scaled_train["close"].iloc[[0, -1]].tolist() == [-1, 1]
        assert scaled_test["close"].iloc[0] == pytest.approx(2 * (100 - 10) / (18 - 10) - 1)

    def test_a_close_of_45_000_comes_back_as_45_000(self) -> None:
        """The original inverted the close with the scale of the close change: 45 000 came back as 262."""
        candles = hourly([40_000, 39_750, 45_000, 44_800, 45_062, 50_000])
        train, test = split_data(extract_features_from_dataset(candles), 0.99)
        scaled, _test, scaler = scale_data(train, test)

        back = scaler.raw_close(scaled["close"])

        assert back == pytest.approx(train["close"].to_numpy(), abs=1e-9)
        assert scaler.raw("close_change", scaled["close"].iloc[2]) < 6_000  # what the wrong column would tell

    def test_a_column_comes_back_by_its_own_scale_whatever_the_order_of_columns(self) -> None:
        features = extract_features_from_dataset(hourly([10, 12, 9, 15]))
        shuffled = features[sorted(features.columns)]
        scaled, _test, scaler = scale_data(shuffled, shuffled)

        for column in FEATURES:
            assert scaler.raw(column, scaled[column]) == pytest.approx(shuffled[column].to_numpy())
            assert scaler.scaled(column, shuffled[column]) == pytest.approx(scaled[column].to_numpy())

    def test_a_constant_column_is_no_division_by_zero(self) -> None:
        features = extract_features_from_dataset(hourly([10, 10, 10]))

        scaled, _test, scaler = scale_data(features, features)

        assert np.isfinite(scaled.to_numpy()).all()
        assert scaler.raw_close(scaled["close"]).tolist() == [10, 10, 10]


class TestSequences:
    def test_the_target_is_the_close_of_the_next_hour(self) -> None:
        candles = hourly([float(price) for price in range(10, 40)])
        train, _test, scaler = prepared(candles, 3)

        assert scaler.raw_close(train.y) == pytest.approx(np.arange(13, 37), abs=1e-4)
        assert train.timestamps[0] == candles["timestamp"].iloc[3].value // 1_000_000
        last_seen = scaler.raw_close(train.x[:, -1, FEATURES.index("close")])
        assert last_seen == pytest.approx(np.arange(12, 36), abs=1e-4)

    def test_the_first_close_change_of_every_window_is_zero(self) -> None:
        train, test, scaler = prepared(hourly([10, 13, 9, 15, 11, 18, 12, 20, 16, 14, 19, 17]), 3)

        for x in (train.x, test.x):
            changes = scaler.raw("close_change", x[:, :, FEATURES.index("close_change")])
            assert changes[:, 0] == pytest.approx(0, abs=1e-6)
            closes = scaler.raw_close(x[:, :, FEATURES.index("close")])
            assert changes[:, 1:] == pytest.approx(np.diff(closes, axis=1), abs=1e-5)

    def test_every_test_row_is_a_target_exactly_once(self) -> None:
        candles = hourly(list(range(10, 110)))
        _train, test, _scaler = prepared(candles, 7)

        rows = candles["timestamp"].iloc[90:].dt.as_unit("ms").astype("int64")
        assert test.timestamps.tolist() == rows.tolist()

    def test_no_window_reaches_over_a_cut(self) -> None:
        candles = pd.concat(
            [hourly([10.0 + i for i in range(50)]), hourly([20.0 + i for i in range(50)], first_hour=60)]
        )
        train, _test, _scaler = prepared(candles, 5)

        hours = (train.timestamps - train.timestamps.min()) // HOUR_MS + 5
        assert hours.tolist() == [*range(5, 50), *range(65, 100)]

    def test_markets_that_close_have_no_cuts(self) -> None:
        candles = pd.concat(
            [hourly([10.0 + i for i in range(50)]), hourly([20.0 + i for i in range(50)], first_hour=60)]
        )
        train, test, _scaler = prepared(candles, 5, step=None)

        assert len(train.y) + len(test.y) == 95

    def test_too_few_rows_give_no_sequence(self) -> None:
        train, test, _scaler = prepared(hourly([10, 11, 12]), 5)

        assert train.x.shape == (0, 5, 9)
        assert len(test.y) == 0


class TestWindows:
    def test_raw_windows_hold_what_the_exported_model_takes(self) -> None:
        candles = hourly([10, 11, 13, 12])

        windows = create_windows(candles, 2)

        assert windows.timestamps.dtype == np.int64
        assert windows.timestamps[0].tolist() == [1_704_067_200_000, 1_704_070_800_000]
        assert windows.ohlc.shape == (2, 2, 4)
        assert windows.ohlc[1].tolist() == [[10, 12, 9, 11], [11, 14, 10, 13]]
        assert windows.next_close.tolist() == [13, 12]

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(1, 3), min_size=1, max_size=40), st.integers(1, 6))
    def test_windows_are_those_that_a_loop_finds(self, gaps: list[int], length: int) -> None:
        """The expected windows come from the definition, one row at a time."""
        hours = np.cumsum(gaps)
        candles = hourly([10.0 + i for i in range(int(hours[-1]) + 1)]).iloc[hours]
        closes = candles["close"].tolist()
        expected = [
            closes[i + length]
            for i in range(len(hours) - length)
            if all(hours[j + 1] - hours[j] == 1 for j in range(i, i + length))
        ]

        assert create_windows(candles, length).next_close.tolist() == expected
        assert len(create_windows(candles, length, None).next_close) == max(0, len(hours) - length)

    def test_too_few_candles_give_no_window(self) -> None:
        windows = create_windows(hourly([10, 11]), 120)

        assert windows.timestamps.shape == (0, 120)
        assert windows.ohlc.shape == (0, 120, 4)

    def test_the_year_of_the_outage_has_all_its_windows(self) -> None:
        rows = real()
        candles, _mended = clean(rows, pd.Timestamp("2025-01-01", tz="UTC"), 3600)

        windows = create_windows(candles, 120)

        assert len(windows.next_close) == 26_304 - 120
        assert (np.diff(windows.timestamps, axis=1) == HOUR_MS).all()
        filled = candles["close"].to_numpy()
        assert (windows.next_close == filled[120:]).all()
        assert (windows.ohlc[1:, -1, 3] == windows.next_close[:-1]).all()
