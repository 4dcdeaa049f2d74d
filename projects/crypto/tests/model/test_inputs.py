"""What the networks see: the same numbers in training, in serving and by pandas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crypto.features import (
    create_sequences,
    create_windows,
    extract_features_from_dataset,
    scale_data,
    split_data,
    split_train_and_val_sequences,
)
from crypto.model.data import CryptoDataset, LSTMDataLoader, fit_inputs, split_windows
from crypto.model.inputs import LevelInputs, ReturnInputs
from crypto.model.moves import fit_expected_move, tensors
from crypto.model.parameters import ModelParameters
from series import real
from windows import TINY, TINY_LEVEL, hours, parts, traded, walk


@pytest.mark.parametrize("with_volume", [False, True], ids=["prices", "volumes"])
def test_the_level_sees_what_the_chain_in_pandas_makes(with_volume: bool) -> None:
    """The functions that the README names describe what the graph does inside."""
    candles = traded()
    train, test = split_data(extract_features_from_dataset(candles, with_volume=with_volume))
    scaled, scaled_test, scaler = scale_data(train, test)
    expected_train, expected_val = split_train_and_val_sequences(create_sequences(scaled, scaler))
    expected_test = create_sequences(scaled_test, scaler, before=scaled)
    told = split_windows(candles, with_volume=with_volume)
    inputs = fit_inputs(told, TINY_LEVEL)
    assert inputs.number_of_features == expected_train.x.shape[-1] == (11 if with_volume else 9)
    assert inputs.with_volume is with_volume

    for windows, expected in zip(told[:3], (expected_train, expected_val, expected_test), strict=True):
        dataset = CryptoDataset(windows, inputs)

        assert np.allclose(dataset.x, expected.x, atol=1e-6)
        assert np.allclose(dataset.y, expected.y, atol=1e-6)


def test_a_year_of_hours_makes_the_parts_of_the_original() -> None:
    sizes = [len(part.next_close) for part in split_windows(walk(8760))[:3]]

    assert sizes == [6212, 1552, 876]


def test_every_candle_of_the_test_part_is_a_target_once() -> None:
    candles = walk()

    told = parts()

    assert told.test.next_close.tolist() == candles["close"].iloc[-130:].tolist()


def test_forty_five_thousand_comes_back_as_forty_five_thousand() -> None:
    minima, maxima = np.arange(9.0), np.arange(9.0) + 100
    minima[7], maxima[7] = 20_000, 60_000  # close
    inputs = LevelInputs(minima, maxima, 120)
    ohlc = torch.full((1, 120, 4), 44_000.0, dtype=torch.float64)
    times = torch.from_numpy(hours("2024-01-01"))[None]

    scaled = inputs.target(times, ohlc, torch.tensor([45_000.0], dtype=torch.float64))

    assert scaled.item() == 0.25  # (45 - 20) / 40 of the way from -1 to 1
    assert inputs.price(times, ohlc, scaled[:, None]).item() == 45_000.0


def test_the_price_level_is_nothing_to_the_return() -> None:
    told = parts()
    inputs = fit_inputs(told, TINY)
    timestamp, ohlc, next_close = tensors(told.test)

    assert torch.allclose(inputs(timestamp, ohlc), inputs(timestamp, ohlc * 1000), atol=1e-5)
    assert torch.allclose(
        inputs.target(timestamp, ohlc, next_close), inputs.target(timestamp, ohlc * 7, next_close * 7), atol=1e-5
    )


def test_the_target_of_the_return_is_undone_by_its_price() -> None:
    told = parts()
    inputs = fit_inputs(told, TINY)
    timestamp, ohlc, next_close = tensors(told.test)

    target = inputs.target(timestamp, ohlc, next_close)
    price = inputs.price(timestamp, ohlc, torch.stack([target, target], dim=1))

    assert torch.allclose(price, next_close, rtol=1e-6)


def test_training_rows_are_standardised_and_the_test_rows_are_not_looked_at() -> None:
    candles = walk()
    bent = candles.copy()
    bent.loc[bent.index[-130:], ["open", "high", "low", "close"]] *= 3
    inputs = fit_inputs(split_windows(candles), TINY)
    assert isinstance(inputs, ReturnInputs)

    rows = CryptoDataset(split_windows(candles).train, inputs).x
    again = fit_inputs(split_windows(bent), TINY)
    assert isinstance(again, ReturnInputs)

    assert torch.allclose(rows.mean(dim=(0, 1)), torch.zeros(7), atol=1e-4)
    assert torch.equal(inputs.means, again.means)


@pytest.mark.parametrize("price", [1e-6, 40_000.0])
def test_prices_that_never_move_are_finite(price: float) -> None:
    told = parts()
    inputs = fit_inputs(told, TINY)
    ohlc = torch.full((1, 120, 4), price, dtype=torch.float64)

    assert torch.isfinite(inputs(torch.from_numpy(hours("2024-02-28"))[None], ohlc)).all()


def test_the_expected_move_by_hand() -> None:
    candles = walk(300)
    candles[["open", "high", "low", "close"]] = 100.0
    candles.loc[candles.index[-1], "close"] = 110.0
    calm = create_windows(walk(300))
    expected = fit_expected_move(calm, span=3.0)
    expected.factors[:] = 1.0
    expected.floor.zero_()
    timestamp = torch.from_numpy(calm.timestamps[:1])
    ohlc = torch.from_numpy(candles[["open", "high", "low", "close"]].to_numpy()[None, -120:].copy())

    # span 3: weights fall by half, so the newest return has 1/2 of them (to within 2^-119)
    assert expected(timestamp, ohlc).item() == pytest.approx(np.log(1.1) / 2)


def test_the_hour_of_the_day_is_learned_and_applied_to_the_coming_hour() -> None:
    candles = walk(3000)
    n = np.arange(3000)
    step = np.where(n % 24 == 16, 0.04, 0.01) * np.where(n % 2 == 0, 1, -1)
    candles["close"] = 100 * np.exp(np.cumsum(step))
    told = create_windows(candles)
    expected = fit_expected_move(told, 12.0)

    moves = expected(*tensors(told)[:2])
    coming = (told.timestamps[:, -1] // 3_600_000 + 1) % 24

    assert moves[coming == 16].numpy() == pytest.approx(0.04, rel=1e-6)
    assert moves[coming != 16].numpy() == pytest.approx(0.01, rel=1e-6)


def test_the_volume_features_by_hand() -> None:
    inputs = fit_inputs(split_windows(traded(), with_volume=True), TINY)
    assert isinstance(inputs, ReturnInputs)
    rows = torch.full((1, 120, 6), 100.0, dtype=torch.float64)
    rows[..., 4], rows[..., 5] = 1.0, 0.25
    rows[:, 0, 4] += 60  # so that the mean of the window is 1.5, seen also where only the newest rows are read
    rows[:, -1, 4:] = 0.0
    rows[:, -2, 4:] = torch.tensor([2.0, 2.0])

    found = inputs.features(torch.from_numpy(hours("2024-01-01"))[None], rows)[0, -3:, 7:]

    volume, share = [1 / 1.5, 2 / 1.5, 0.0], [0.25, 1.0, 0.5]
    assert found[:, 0].tolist() == pytest.approx(np.log(np.array(volume) + 0.01))
    assert found[:, 1].tolist() == pytest.approx(share)


@pytest.mark.parametrize("parameters", [TINY, TINY_LEVEL], ids=["return", "level"])
def test_hours_in_which_nobody_traded_are_finite(parameters: ModelParameters) -> None:
    inputs = fit_inputs(split_windows(traded(), with_volume=True), parameters)
    rows = torch.full((1, 120, 6), 40_000.0, dtype=torch.float64)
    rows[..., 4:] = 0.0

    found = inputs(torch.from_numpy(hours("2024-02-28"))[None], rows)

    assert found.shape[-1] == inputs.number_of_features
    assert torch.isfinite(found).all()


def test_prices_are_seen_as_without_volumes() -> None:
    plain, more = (split_windows(traded(), with_volume=with_volume) for with_volume in (False, True))

    without = CryptoDataset(plain.test, fit_inputs(plain, TINY))
    together = CryptoDataset(more.test, fit_inputs(more, TINY))

    assert torch.equal(together.x[..., :7], without.x)
    assert torch.equal(together.y, without.y)


@pytest.mark.parametrize("with_volume", [False, True], ids=["prices", "volumes"])
def test_real_candles_have_finite_inputs_throughout(with_volume: bool) -> None:
    told = split_windows(real("ETHUSDT").iloc[:2000], step=None, with_volume=with_volume)

    for parameters in (TINY, TINY_LEVEL):
        assert torch.isfinite(CryptoDataset(told.train, fit_inputs(told, parameters)).x).all()


def test_batches_hold_each_window_once() -> None:
    told = parts()
    inputs = fit_inputs(told, TINY)
    train = CryptoDataset(told.train, inputs)
    loader = LSTMDataLoader(train, CryptoDataset(told.validation, inputs), TINY)

    seen = torch.cat([y for _x, y in loader.train_dataloader()])
    in_order = torch.cat([y for _x, y in loader.val_dataloader()])

    assert torch.equal(seen.sort().values, train.y.sort().values)
    assert torch.equal(in_order, loader.validation.y)
    assert torch.equal(train[3][0], train.__getitems__([3])[0][0])
