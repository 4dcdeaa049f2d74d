"""A transformer of one's own, in a file beside the script: it travels with the model, by source."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Season(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Place each date on the circle of the year: columns of dates in, (cosine, sine) of each out."""

    def fit(self, X: pd.DataFrame, y: object = None) -> "Season":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return two columns for each date, shape (n_rows, 2 x n_dates); a missing date gives zeros."""
        turns = [2 * np.pi * X[name].dt.dayofyear.to_numpy(dtype=float) / 365.25 for name in X]
        circle = np.column_stack([f(turn) for turn in turns for f in (np.cos, np.sin)])
        return np.asarray(np.nan_to_num(circle))

    def get_feature_names_out(self, names: object = None) -> np.ndarray:
        """Return the names of the columns given by transform."""
        return np.array([f"season_{i}" for i in range(2 * self.n_features_in_)], dtype=object)
