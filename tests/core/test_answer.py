"""Answers as tables."""

from __future__ import annotations

import numpy as np

from boucle.core.answer import Answer


def test_an_answer_of_groups_names_them_first() -> None:
    answer = Answer(np.array([1.5, 2.5]), intervals=np.array([[1.0, 2.0], [2.0, 3.0]]), groups=("BTC", "ETH"))
    frame = answer.to_pandas()
    assert list(frame.columns) == ["group", "prediction", "low", "high"]
    assert frame["group"].tolist() == ["BTC", "ETH"]


def test_an_answer_without_groups_has_no_such_column() -> None:
    assert list(Answer(np.array([1.5])).to_pandas().columns) == ["prediction"]
