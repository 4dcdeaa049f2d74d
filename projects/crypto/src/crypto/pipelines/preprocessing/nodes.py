"""What preprocessing does: clean candles, see that they are enough and new enough, and say what was mended."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from crypto.candles import clean, cuts, iso, require_usable
from crypto.exchange.client import INTERVALS

logger = logging.getLogger(__name__)


def prepare_series(
    candles: pd.DataFrame, source: Mapping[str, Any], preprocessing: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return clean candles by the rules of `crypto.candles`, and the market that they are of.

    ``source``: what `fetch_candles` tells with them. The market is ``source`` with ``candles_from`` and
    ``candles_to`` (ISO 8601, beginnings of the first and last candle), ``n_candles``, ``n_cuts`` and ``mended``
    (sentences). Raises TooFewCandles and StaleCandles.
    """
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
