"""Answer: what a model says about some rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional


@dataclass(frozen=True, eq=False)
class Answer:
    """The predictions of n rows, in the order of the rows.

    ``predictions`` has shape ``(n,)``; ``classes`` are the labels in the order of the columns of
    ``probabilities``, shape ``(n, len(classes))``, or None; ``intervals`` has shape ``(n, 2)`` (low, high) or is
    None; ``ids`` names each row for feedback (``<prediction id>:<row>``).
    """

    predictions: Any
    classes: Optional[list[Any]] = None
    probabilities: Any = None
    intervals: Any = None
    ids: tuple[str, ...] = ()
    model: str = ""
    version: int = 0

    def __len__(self) -> int:
        """Return the number of rows answered."""
        return len(self.predictions)

    def to_pandas(self) -> Any:
        """Return a DataFrame: ``prediction``, one ``probability_<class>`` each, ``low``, ``high``, index ``id``."""
        import pandas as pd

        columns = {"prediction": self.predictions}
        for i, label in enumerate(self.classes or [] if self.probabilities is not None else []):
            columns[f"probability_{label}"] = self.probabilities[:, i]
        if self.intervals is not None:
            columns["low"], columns["high"] = self.intervals[:, 0], self.intervals[:, 1]
        return pd.DataFrame(columns, index=pd.Index(self.ids, name="id") if self.ids else None)
