"""What preprocessing does: clean candles, see that they are enough and new enough, and say what was mended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from crypto.candles import clean, cuts, iso, require_usable
from crypto.errors import InvalidParameter
from crypto.exchange.client import INTERVALS

logger = logging.getLogger(__name__)


def require_fillable(preprocessing: Mapping[str, Any]) -> None:
    """Raise InvalidParameter unless ``most_filled`` is 0 to half of a window: boucle fills no more when it serves."""
    found, length = preprocessing["most_filled"], preprocessing["sequence_length"]
    if not (isinstance(found, int) and 0 <= found <= length // 2):
        raise InvalidParameter(
            f"preprocessing.most_filled is {found!r}; with windows of {length} candles it is a whole number from 0 "
            f"(no hole is filled) to {length // 2}."
        )


def prepare_series(
    candles: pd.DataFrame, source: Mapping[str, Any], preprocessing: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return clean candles by the rules of `crypto.candles`, and the market that they are of.

    ``source``: what `fetch_candles` tells with them. The market is ``source`` with ``candles_from`` and
    ``candles_to`` (ISO 8601, beginnings of the first and last candle), ``n_candles``, ``n_cuts`` and ``mended``
    (sentences). Raises InvalidParameter, TooFewCandles and StaleCandles.
    """
    require_fillable(preprocessing)
    step, now = source["step"], datetime.fromisoformat(source["now"])
    series, mended = clean(candles, now, step, most_filled=preprocessing["most_filled"])
    for sentence in mended.sentences():
        logger.warning("%s: %s", source["pair"], sentence)
    steps = preprocessing["most_old_steps" if step is not None else "most_old_steps_closed"]
    require_usable(
        series,
        now,
        at_least=preprocessing["least_candles"],
        most_old_s=steps * INTERVALS[source["interval"]],
        what=f"{source['pair']} candles",
    )
    first, last = series["timestamp"].iloc[0], series["timestamp"].iloc[-1]
    logger.info("%s: %s clean candles, %s to %s.", source["pair"], f"{len(series):,}", iso(first), iso(last))
    market = {
        **source,
        "candles_from": first.isoformat(),
        "candles_to": last.isoformat(),
        "n_candles": len(series),
        "n_cuts": len(cuts(series, step)),
        "mended": mended.sentences(),
    }
    return series, market
