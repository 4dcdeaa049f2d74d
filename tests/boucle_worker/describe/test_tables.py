"""Tables of codes: many columns and many values are asked for together, and answer as the model does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from boucle_worker.describe import Cannot, probes
from faithful import compared

UNSEEN = "seen by nobody"


def _rows(n_columns: int, n_values: int, *, is_holed: bool = False) -> pd.DataFrame:
    """Return columns of texts, each with all of its values, and a column of numbers."""
    random = np.random.default_rng(0)
    n_rows = max(60, 2 * n_values)
    drawn = [np.append(np.arange(n_values), random.integers(0, n_values, n_rows - n_values)) for _ in range(n_columns)]
    rows = pd.DataFrame({f"c{j}": [f"v{value}" for value in values] for j, values in enumerate(drawn)}, dtype=object)
    if is_holed:
        rows.iloc[-5:] = None
    return rows.assign(number=random.normal(size=n_rows))


def _unseen(rows: pd.DataFrame) -> pd.DataFrame:
    other = rows.iloc[::-1].reset_index(drop=True)
    other.loc[:10, "c0"] = UNSEEN
    other.loc[5:20, "c1"] = UNSEEN
    return other


def _fitted(rows: pd.DataFrame, encoder: Any, *, is_apart: bool = False) -> Any:
    texts = [name for name in rows if name != "number"]
    groups = [[name] for name in texts] if is_apart else [texts]
    steps = [
        (f"s{i}", make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), g) for i, g in enumerate(groups)
    ]
    columns = ColumnTransformer([*steps, ("scaled", StandardScaler(), ["number"])])
    target = np.resize([0, 1, 1], len(rows))
    return make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(rows, target)


def _count(monkeypatch: pytest.MonkeyPatch, kind: Any) -> list[int]:
    """Return the list that gets the number of rows of each call of a class's ``transform``."""
    calls: list[int] = []
    was = kind.transform

    def counting(self: Any, rows: Any) -> Any:
        calls.append(len(rows))
        return was(self, rows)

    monkeypatch.setattr(kind, "transform", counting)
    return calls


@pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])
@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
    ids=["sparse", "rare", "ordinal"],
)
def test_many_columns_of_texts_are_exact(encoder: Any, *, is_apart: bool) -> None:
    rows = _rows(25, 6, is_holed=True)

    found = compared(_fitted(rows, encoder, is_apart=is_apart), rows, _unseen(rows))

    assert found.is_exact, found
    assert not found.description.refused


@pytest.mark.parametrize("is_apart", [False, True], ids=["together", "apart"])
def test_the_number_of_calls_does_not_grow_with_the_columns(monkeypatch: pytest.MonkeyPatch, *, is_apart: bool) -> None:
    rows = _rows(40, 3)
    model = _fitted(rows, OneHotEncoder(handle_unknown="ignore"), is_apart=is_apart)
    calls = _count(monkeypatch, OneHotEncoder)

    description = compared(model, rows).description

    assert all(len(values) == 3 for values in description.vocabularies.values())
    assert len(calls) <= (5 if not is_apart else 5 * 40)  # one encoder for each column: a few calls of each


@pytest.mark.parametrize("is_sparse", [True, False], ids=["sparse", "dense"])
def test_a_thousand_values_of_a_column_are_exact(*, is_sparse: bool) -> None:
    rows = _rows(2, 1000)

    found = compared(
        _fitted(rows, OneHotEncoder(handle_unknown="ignore", sparse_output=is_sparse)), rows, _unseen(rows)
    )

    assert found.is_exact, found
    assert sum(array.size for array in found.description.arrays.values()) < 20_000  # no table of codes by codes


def test_refused_values_are_named_by_a_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(3, 200).drop(columns="number")
    model = make_pipeline(OneHotEncoder(), LogisticRegression(max_iter=2000)).fit(rows, np.resize([0, 1], len(rows)))
    calls = _count(monkeypatch, OneHotEncoder)

    found = compared(model, rows)

    assert found.is_exact, found
    assert found.description.refused == {name: [200, 201] for name in rows}
    assert len(calls) <= 12


def test_a_value_that_is_refused_among_those_of_the_vocabulary_is_found_by_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = pd.Categorical(np.resize([f"v{i}" for i in range(64)], 200), categories=[f"v{i}" for i in range(65)])
    rows = pd.DataFrame({"c0": texts})
    model = make_pipeline(OneHotEncoder(), LogisticRegression(max_iter=2000)).fit(rows, np.resize([0, 1], len(rows)))
    calls = _count(monkeypatch, OneHotEncoder)

    found = compared(model, rows)

    assert found.is_exact, found
    assert found.description.refused["c0"][0] == 64
    assert len(calls) <= 30


def test_a_dense_table_of_too_many_values_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TABLE_CELLS", 1000)
    rows = _rows(2, 40)

    with pytest.raises(Cannot, match=r"column 'c0' has 40 values: too many for an exact table"):
        compared(_fitted(rows, OneHotEncoder(handle_unknown="ignore", sparse_output=False)), rows)
