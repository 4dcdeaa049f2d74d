"""A function of a notebook's own, in a file beside it."""

import pandas as pd


def parts(dates):
    return pd.DataFrame({"hour": dates["since"].dt.hour, "weekday": dates["since"].dt.day_of_week})
