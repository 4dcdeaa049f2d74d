"""From candles to what a network learns from: features, parts, scales, sequences. Pure functions.

One hour is one row everywhere. A *cut* is a hole in the series that was not filled (`crypto.candles` says which
ones are): no sequence reaches over one. ``step`` is the distance from row to row in seconds, 3600 for hourly
candles of a market that never closes; None for markets that do, where neighbouring rows are neighbours and nothing
is a cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.preprocessing import MinMaxScaler

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEATURES = (
    "day_of_week",
    "day_of_month",
    "week_of_year",
    "month",
    "open",
    "high",
    "low",
    "close",
    "close_change",
)
VOLUME_FEATURES = ("volume", "tb_base_av")
OHLC = ("open", "high", "low", "close")
SEQUENCE_LENGTH = 120
HOUR_S = 3600.0

Part = TypeVar("Part", pd.DataFrame, pd.Series)


def window_columns(*, with_volume: bool = False) -> tuple[str, ...]:
    """Return the columns of a raw window in their order: the four prices, with volumes `VOLUME_FEATURES` after them."""
    return (*OHLC, *VOLUME_FEATURES) if with_volume else OHLC


def extract_features_from_dataset(candles: pd.DataFrame, *, with_volume: bool = False) -> pd.DataFrame:
    """Return the nine features of each candle, float64, indexed by ``timestamp`` (the hour's beginning, UTC).

    ``day_of_week`` 0 (Monday) to 6, ``day_of_month`` 1 to 31, ``week_of_year`` 1 to 53 (ISO 8601), ``month`` 1 to 12;
    ``open``, ``high``, ``low``, ``close`` in the comparison currency; ``close_change``, this close less the one
    before, in the comparison currency: 0 in the first row, which has none before. ``with_volume`` adds
    ``volume`` and ``tb_base_av`` (bought by takers), both in the traded currency; the other two volumes of a candle
    are these times the price.

    Shape: (n_candles, 9), or (n_candles, 11) with volumes. No value is missing where none is in the candles.

    >>> candles = pd.DataFrame({"timestamp": pd.to_datetime(["2024-12-30 00:00", "2024-12-30 01:00"], utc=True),
    ...                         "open": [9.0, 10.0], "high": [12.0, 14.0], "low": [8.0, 9.0], "close": [10.0, 13.0]})
    >>> extract_features_from_dataset(candles).loc["2024-12-30 01:00+00:00"].to_dict()
    {'day_of_week': 0.0, 'day_of_month': 30.0, 'week_of_year': 1.0, 'month': 12.0, 'open': 10.0, 'high': 14.0,
     'low': 9.0, 'close': 13.0, 'close_change': 3.0}
    """
    times = pd.DatetimeIndex(candles["timestamp"], name="timestamp")
    close = candles["close"].to_numpy(np.float64)
    columns: dict[str, Any] = {
        "day_of_week": times.day_of_week,
        "day_of_month": times.day,
        "week_of_year": times.isocalendar()["week"].to_numpy(np.float64),
        "month": times.month,
        **{name: candles[name].to_numpy() for name in OHLC},
        "close_change": np.diff(close, prepend=close[:1]),
        **({name: candles[name].to_numpy() for name in VOLUME_FEATURES} if with_volume else {}),
    }
    return pd.DataFrame({name: np.asarray(values, np.float64) for name, values in columns.items()}, index=times)


def split_data(rows: Part, train_share: float = 0.9) -> tuple[Part, Part]:
    """Return the first 90 % of the rows, to train and validate, and the newest 10 %, to test.

    Rows are in order of time and stay so: nothing is shuffled, or the future would be known.

    >>> train, test = split_data(pd.Series(range(20)))
    >>> len(train), list(test)
    (18, [18, 19])
    """
    # The added hair keeps 0.9 of 10 rows at 9 whatever binary fractions make of it.
    n_train = int(len(rows) * train_share + 1e-9)
    return rows.iloc[:n_train], rows.iloc[n_train:]


@dataclass(frozen=True, eq=False)
class FeatureScaler:
    """The scale of each feature: its smallest and largest value in the training part go to -1 and 1.

    ``columns`` names the features in order; ``scaler`` is scikit-learn's MinMaxScaler fitted on them. A later value
    outside what training saw lies outside [-1, 1].
    """

    columns: tuple[str, ...]
    scaler: MinMaxScaler

    @property
    def minima(self) -> Floats:
        """The smallest value of each feature in the training part, raw units, (n_features,)."""
        return np.asarray(self.scaler.data_min_, np.float64)

    @property
    def maxima(self) -> Floats:
        """The largest value of each feature in the training part, raw units, (n_features,)."""
        return np.asarray(self.scaler.data_max_, np.float64)

    def transform(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return the features scaled, same index and columns; raises KeyError when a column is missing."""
        values = self.scaler.transform(features[list(self.columns)].to_numpy())
        return pd.DataFrame(values, index=features.index, columns=list(self.columns))

    def scaled(self, column: str, raw: npt.ArrayLike) -> Floats:
        """Return raw values of one column on its own scale, any shape; a constant column goes to -1."""
        at = self.columns.index(column)
        return np.asarray(np.asarray(raw, np.float64) * self.scaler.scale_[at] + self.scaler.min_[at])

    def raw(self, column: str, scaled: npt.ArrayLike) -> Floats:
        """Return scaled values of one column in its own raw units, any shape."""
        at = self.columns.index(column)
        return np.asarray((np.asarray(scaled, np.float64) - self.scaler.min_[at]) / self.scaler.scale_[at])

    def raw_close(self, scaled: npt.ArrayLike) -> Floats:
        """Return scaled closes in the comparison currency, by the scale of ``close`` and of no other column.

        >>> features = pd.DataFrame({"close": [40_000.0, 50_000.0], "close_change": [-250.0, 275.0]})
        >>> scaled, _test, scaler = scale_data(features, features)
        >>> float(scaler.raw_close(0.0))
        45000.0
        """
        return self.raw("close", scaled)


def scale_data(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, FeatureScaler]:
    """Return both parts scaled to [-1, 1], and the scaler, fitted on the training part only.

    ``train`` (n_train, n_features) spans [-1, 1] in each column; ``test`` (n_test, n_features) may leave it.

    >>> train, test = pd.DataFrame({"close": [1.0, 3.0]}), pd.DataFrame({"close": [5.0]})
    >>> scaled_train, scaled_test, scaler = scale_data(train, test)
    >>> scaled_train["close"].tolist(), scaled_test["close"].tolist(), scaler.raw_close([3.0]).tolist()
    ([-1.0, 1.0], [3.0], [5.0])
    """
    scaler = FeatureScaler(tuple(train.columns), MinMaxScaler(feature_range=(-1, 1)).fit(train.to_numpy()))
    return scaler.transform(train), scaler.transform(test), scaler


class Sequences(NamedTuple):
    """Windows of scaled features and the scaled close that follows each.

    ``x`` float32 (n, sequence_length, n_features); ``y`` float32 (n,), the close of the NEXT row on the scale of
    ``close``; ``timestamps`` int64 (n,), when that next row begins, milliseconds since 1970 UTC.
    """

    x: Singles
    y: Singles
    timestamps: Ints


def create_sequences(
    scaled: pd.DataFrame,
    scaler: FeatureScaler,
    sequence_length: int = SEQUENCE_LENGTH,
    *,
    step: float | None = HOUR_S,
    before: pd.DataFrame | None = None,
) -> Sequences:
    """Return each window of ``sequence_length`` rows, with the close of the NEXT row as its target.

    ``scaled``: a part from `scale_data`, indexed by time. ``before``: the part that comes before it in time; the
    first windows reach back into it, so that every row of ``scaled`` is a target exactly once and nothing is lost
    at the seam. Without it the first ``sequence_length`` rows are no target, and so are those after a cut, over
    which no window reaches.

    In each window the first ``close_change`` is 0 in raw units (the scaler's value of 0), as it is when a forecast is
    asked for: the window is all that is known then.

    >>> times = pd.date_range("2024-01-01", periods=5, freq="h", tz="UTC", name="timestamp")
    >>> features = pd.DataFrame({"close": [1.0, 2.0, 4.0, 3.0, 5.0], "close_change": [0.0, 1.0, 2.0, -1.0, 2.0]}, times)
    >>> train, test, scaler = scale_data(*split_data(features, 0.8))
    >>> x, y, timestamps = create_sequences(test, scaler, 2, before=train)
    >>> x.shape, scaler.raw_close(y).round(4).tolist()
    ((1, 2, 2), [5.0])
    >>> scaler.raw("close_change", x[0, :, 1]).round(4) + 0.0
    array([ 0., -1.])
    """
    rows = scaled if before is None else pd.concat([before.iloc[-sequence_length:], scaled])
    times = _milliseconds(rows.index)
    starts = _whole_starts(times, sequence_length + 1, step)
    values = rows.to_numpy(np.float32)
    x = _windows(values, sequence_length, starts)
    if len(x):
        x[:, 0, scaler.columns.index("close_change")] = scaler.scaled("close_change", 0.0)
    close = scaler.columns.index("close")
    return Sequences(x, values[starts + sequence_length, close], times[starts + sequence_length])


def split_train_and_val_sequences(sequences: Sequences, val_share: float = 0.2) -> tuple[Sequences, Sequences]:
    """Return the first 80 % of the sequences, to train, and the newest 20 %, to validate; chronological.

    A validation window may look back on rows that are training targets: they are past at that time. No target is
    in both.

    >>> ten = Sequences(np.zeros((10, 2, 1), np.float32), np.arange(10, dtype=np.float32), np.arange(10))
    >>> [part.y.tolist() for part in split_train_and_val_sequences(ten)]
    [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [8.0, 9.0]]
    """
    n_train = n_to_train(len(sequences.y), val_share)
    x, y, timestamps = sequences
    return Sequences(x[:n_train], y[:n_train], timestamps[:n_train]), Sequences(
        x[n_train:], y[n_train:], timestamps[n_train:]
    )


def n_to_train(n: int, val_share: float) -> int:
    """Return how many of ``n`` windows in order of time are to train; those after them validate.

    >>> n_to_train(7764, 0.2)
    6212
    """
    # The added hair keeps 0.2 of 10 windows at 2 whatever binary fractions make of it.
    return n - int(n * val_share + 1e-9)


class Windows(NamedTuple):
    """Raw windows, as the exported model takes them, and the close that follows each.

    ``timestamps`` int64 (n, sequence_length), milliseconds since 1970 UTC; ``ohlc`` float64
    (n, sequence_length, 4), open, high, low, close in the comparison currency, or (n, sequence_length, 6) with volume
    and tb_base_av, in the traded currency, after them; ``next_close`` float64 (n,).
    """

    timestamps: Ints
    ohlc: Floats
    next_close: Floats


def create_windows(
    candles: pd.DataFrame,
    sequence_length: int = SEQUENCE_LENGTH,
    step: float | None = HOUR_S,
    *,
    with_volume: bool = False,
    is_followed: bool = True,
) -> Windows:
    """Return each window of ``sequence_length`` raw candles that another candle follows, oldest first.

    ``candles``: the columns timestamp, open, high, low, close, in order of time, cleaned; ``with_volume`` also volume
    and tb_base_av. No window, its next candle included, reaches over a cut. Without cuts ``n = n_candles -
    sequence_length`` (none when that is negative), and window ``i`` holds candles ``i`` to
    ``i + sequence_length - 1``. With ``is_followed`` false the windows that no candle follows, the newest and those
    before a cut, are there too, and every ``next_close`` is NaN: windows to answer, not to learn from. Arrays are
    new, contiguous and may be written to.

    >>> times = pd.date_range("2024-01-01", periods=4, freq="h", tz="UTC").delete(1)
    >>> candles = pd.DataFrame({"timestamp": times, "open": 1.0, "high": 3.0, "low": 0.5, "close": [1.0, 2.0, 3.0]})
    >>> create_windows(candles, 1).next_close.tolist()  # nothing follows the first: the hour after it is missing
    [3.0]
    >>> create_windows(candles, 1, step=None).next_close.tolist()
    [2.0, 3.0]
    """
    times = _milliseconds(pd.DatetimeIndex(candles["timestamp"]))
    values = np.ascontiguousarray(candles[list(window_columns(with_volume=with_volume))].to_numpy(np.float64))
    starts = _whole_starts(times, sequence_length + int(is_followed), step)
    next_close = np.full(len(starts), np.nan)
    if is_followed:
        next_close = values[starts + sequence_length, OHLC.index("close")]
    return Windows(
        _windows(times[:, None], sequence_length, starts)[..., 0], _windows(values, sequence_length, starts), next_close
    )


def _milliseconds(times: pd.Index) -> Ints:
    return np.asarray(pd.DatetimeIndex(times).as_unit("ms").asi8, np.int64)


def _whole_starts(times: Ints, length: int, step: float | None) -> Ints:
    """Return where ``length`` rows begin that follow each other without a cut."""
    starts = np.arange(max(0, len(times) - length + 1), dtype=np.int64)
    if step is None or not len(starts):
        return starts
    is_cut = np.diff(times) != round(step * 1000)
    n_cuts = np.concatenate([[0], np.cumsum(is_cut)])
    whole: Ints = starts[n_cuts[starts + length - 1] == n_cuts[starts]]
    return whole


def _windows(values: npt.NDArray[Any], length: int, starts: Ints) -> npt.NDArray[Any]:
    """Return copies of the windows of rows that begin at ``starts``, (n, length, n_columns)."""
    if not len(starts):
        return np.empty((0, length, values.shape[1]), values.dtype)
    return np.ascontiguousarray(sliding_window_view(values, length, axis=0)[starts].transpose(0, 2, 1))
