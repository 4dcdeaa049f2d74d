"""Answer: what a model says about some rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional


@dataclass(frozen=True, eq=False)
class Answer:
    """The predictions of n rows, in the order of the rows; of a window model those of n windows.

    ``predictions`` has shape ``(n,)``; ``classes`` are the labels in the order of the columns of
    ``probabilities``, shape ``(n, len(classes))``, or None; ``intervals`` has shape ``(n, 2)`` (low, high) or is
    None; ``ids`` names each row for feedback (``<prediction id>:<row>``); ``groups`` are the groups that the
    windows belong to, one for each prediction, or None.
    """

    predictions: Any
    classes: Optional[list[Any]] = None
    probabilities: Any = None
    intervals: Any = None
    ids: tuple[str, ...] = ()
    model: str = ""
    version: int = 0
    groups: Optional[tuple[Any, ...]] = None

    def __len__(self) -> int:
        """Return the number of rows answered."""
        return len(self.predictions)

    def to_pandas(self) -> Any:
        """Return a DataFrame: ``group``, ``prediction``, ``probability_<class>``, ``low``, ``high``; index ``id``.

        Only the columns that the answer has are there.
        """
        import pandas as pd

        columns: dict[str, Any] = {} if self.groups is None else {"group": list(self.groups)}
        columns["prediction"] = self.predictions
        for i, label in enumerate(self.classes or [] if self.probabilities is not None else []):
            columns[f"probability_{label}"] = self.probabilities[:, i]
        if self.intervals is not None:
            columns["low"], columns["high"] = self.intervals[:, 0], self.intervals[:, 1]
        return pd.DataFrame(columns, index=pd.Index(self.ids, name="id") if self.ids else None)
