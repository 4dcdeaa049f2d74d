"""A local module beside a notebook, which itself needs another one beside it."""

import numpy as np
import pandas as pd
from client_calendar import days_since_2000
from sklearn.base import BaseEstimator, TransformerMixin


class Age(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Turn a column of dates into days since 2000; a missing date is 0 days."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "Age":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> "np.ndarray":
        """Return shape (n_rows, n_dates), in days."""
        return np.column_stack([days_since_2000(X[name]) for name in X])
