"""What a build warns of, on rows in which it is there and on rows in which it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from boucle.core.coding import Coding
from boucle.core.signature import Signature
from boucle.core.table import Column, Table
from boucle.packaging.ports import Converted
from boucle.packaging.suspects import Looked, _area, suspects_check

N = 1000
DICE = np.random.default_rng(5)
AGE = DICE.normal(50, 10, N)
LEFT = DICE.random(N) < 0.3


def table(**columns: Any) -> Table:
    kinds = {"f": "float", "i": "int", "b": "bool", "O": "text"}
    return Table({name: Column(kinds[values.dtype.kind], values) for name, values in columns.items()})


def texts(values: Any) -> Any:
    return np.array([str(value) for value in values], dtype=object)


def told(rows: Table, target: str | None = "left", made: Converted | None = None) -> list[str]:
    names = [name for name in rows.names if name != target]
    check = suspects_check(Looked(rows, rows.select(names), target), made)
    found: list[str] = check.evidence["suspects"]
    assert check.status == ("warn" if found else "pass")
    return found


def converted(vocabulary: tuple[str, ...] = (), **more: Any) -> Converted:
    signature = Signature("pandas", (), "classification", "bool")
    return Converted(b"", signature, Coding({"city": vocabulary} if vocabulary else {}), **more)


def test_ordinary_rows_are_not_suspect() -> None:
    rows = table(age=AGE, city=texts(DICE.integers(0, 5, N)), left=LEFT)
    assert told(rows) == []


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_number_that_tells_the_target_by_itself_is_named(noise: float) -> None:
    refund = LEFT * 10.0 + DICE.normal(0, noise + 1e-9, N)
    (found,) = told(table(age=AGE, refund=refund, left=LEFT))
    assert found.startswith("column 'refund' alone gives the target away (1.0000 of 1)")


def test_a_category_that_tells_the_target_by_itself_is_named() -> None:
    reason = texts(np.where(LEFT, DICE.integers(0, 3, N), DICE.integers(3, 6, N)))
    (found,) = told(table(age=AGE, reason=reason, left=LEFT))
    assert "'reason'" in found


def test_missing_cells_of_a_number_do_not_hide_it() -> None:
    refund = np.where(DICE.random(N) < 0.5, np.nan, LEFT * 10.0)
    assert len(told(table(refund=refund, left=LEFT))) == 1


def test_an_amount_that_is_another_unit_of_the_target_is_named() -> None:
    price = DICE.lognormal(3, 1, N)
    (found,) = told(table(age=AGE, cents=price * 100 + DICE.normal(0, 1, N), price=price), "price")
    assert "'cents'" in found


def test_a_good_column_is_not_a_leak() -> None:
    score = LEFT * 2.0 + DICE.normal(0, 1, N)
    assert roc_auc_score(LEFT, score) > 0.9
    assert told(table(score=score, left=LEFT)) == []


def test_the_area_under_the_curve_is_scikit_learn_s_ties_included() -> None:
    number = DICE.integers(0, 20, N).astype(float)
    expected = roc_auc_score(LEFT, number)
    assert _area(number, LEFT) == pytest.approx(max(expected, 1 - expected), abs=1e-12)


def test_categories_that_were_seen_once_are_counted() -> None:
    city = texts([*DICE.integers(0, 10, N - 20), *range(100, 120)])
    (found,) = told(table(age=AGE, city=city, left=LEFT), made=converted(tuple(sorted(set(city)))))
    assert found.startswith("20 of 30 categories of column 'city' were seen once")


def test_free_text_is_no_category() -> None:
    words = texts(range(N))
    assert told(table(words=words, left=LEFT)) == []


def test_columns_whose_scales_drown_one_another_are_named() -> None:
    rows = table(age=AGE, balance=AGE * 0 + DICE.normal(0, 1e7, N), left=LEFT)

    def inside(columns: Any) -> Any:
        return {"t1": np.column_stack([columns["age"].values, columns["balance"].values])}

    (found,) = told(rows, made=converted(inside=inside, joined=(("t1", "SVC"),)))
    assert "its SVC takes have very different scales ('balance' spreads 10" in found


def test_an_encoder_fitted_on_the_target_is_told() -> None:
    (found,) = told(table(age=AGE, left=LEFT), made=converted(supervised=("TargetEncoder",)))
    assert found.startswith("its TargetEncoder was fitted on the target")


def test_without_a_target_only_what_needs_none_is_looked_at() -> None:
    assert told(table(age=AGE, refund=LEFT * 10.0), None) == []


def test_a_number_that_tells_three_labels_is_named() -> None:
    kind = DICE.integers(0, 3, N)
    (found,) = told(table(age=AGE, stage=kind * 5.0 + DICE.normal(0, 0.1, N), left=texts(kind)))
    assert "'stage'" in found


def test_a_leak_of_a_rare_label_is_named() -> None:
    rare = np.zeros(N, bool)
    rare[::180] = True
    (found,) = told(table(age=AGE, refund=rare * 3.0, left=rare))
    assert "'refund'" in found
