"""Found by boucle because client_features imports it."""

from typing import Any

import pandas as pd


def days_since_2000(dates: "pd.Series[Any]") -> Any:
    """Return days, 0 where missing."""
    return ((dates - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)).fillna(0.0).to_numpy()
