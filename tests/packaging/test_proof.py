"""The proof of a graph: what passes, what it must catch, and what it says."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from boucle.core.errors import InvalidRows, ModelFailed, RowProblem
from boucle.core.table import Table
from boucle.packaging.boundary import boundary_rows
from boucle.packaging.limits import narrowed, with_limits
from boucle.packaging.ports import Predict
from boucle.packaging.proof import Proof, Terms, prove
from proving import Bench, bench, limited, opened
from tables import answers, floats, matrix, texts

ROWS = Table({"x": floats([float(i) for i in range(40)]), "city": texts(["Lyon"] * 40)})


def clock(step: float = 0.0) -> Callable[[], float]:
    ticks = itertools.count()
    return lambda: next(ticks) * step


def doubled(rows: Table) -> Table:
    return answers(prediction=floats(rows.columns["x"].values * 2))


def label(rows: Table, threshold: float = 20.0) -> Table:
    x = rows.columns["x"].values
    p = np.clip(x / 40, 0, 1)
    return answers(
        prediction=texts(["high" if value > threshold else "low" for value in x]),
        probabilities=matrix(np.column_stack([1 - p, p]).tolist()),
    )


def regression(model: Predict, graph: Predict, rows: Table = ROWS, **more: Any) -> Proof:
    return prove(model, graph, {"sample": rows}, Terms("regression", clock=clock(), **more))


def classification(model: Predict, graph: Predict, **groups: Table) -> Proof:
    return prove(model, graph, groups or {"sample": ROWS}, Terms("classification", clock=clock()))


def refusing(predict: Predict, which: Sequence[float]) -> Predict:
    """Refuse rows as a graph does, naming the first."""

    def refuse(rows: Table) -> Table:
        wrong = np.flatnonzero(np.isin(rows.columns["x"].values, which))
        if len(wrong):
            raise InvalidRows([RowProblem("missing-value", "x", "no", int(wrong[0]))], len(wrong))
        return predict(rows)

    return refuse


def raising(predict: Predict, which: Sequence[float]) -> Predict:
    """Raise on rows as a model does, all of a batch at once."""

    def fail(rows: Table) -> Table:
        if np.isin(rows.columns["x"].values, which).any():
            raise ModelFailed("Input X contains NaN.")
        return predict(rows)

    return fail


def test_equal_answers_are_proven_and_counted_by_group() -> None:
    proof = classification(label, label, sample=ROWS, reference=ROWS.take(slice(0, 7)), generated=ROWS)
    check = proof.check()
    assert proof.is_proven
    assert (check.name, check.status) == ("parity", "pass")
    assert check.observed == (
        "0 of 87 rows differ (40 of the sample, 7 of the reference, 40 generated on thresholds and edges); "
        "largest difference 0"
    )
    assert check.evidence["rows_generated"] == 40


def test_a_label_that_differs_is_a_warning_with_the_whole_row() -> None:
    proof = classification(lambda rows: label(rows, 20.0), lambda rows: label(rows, 19.0))
    check = proof.check()
    assert not proof.is_proven
    assert check.status == "warn"
    assert "1 of 40 rows differ" in check.observed
    assert "row 20 of the sample (x = 20.0, city = 'Lyon'): 'high' [0.5, 0.5] from the graph" in check.observed
    assert "'low' [0.5, 0.5] from the model" in check.observed
    assert check.evidence["labels_differing"] == 1
    assert check.evidence["worst_row"] == [["x", "20.0"], ["city", "'Lyon'"]]
    assert "answers from its own Python environment" in check.advice


@pytest.mark.parametrize(("off", "is_proven"), [(9e-7, True), (2e-6, False)])
def test_probabilities_may_differ_by_a_millionth(off: float, is_proven: bool) -> None:
    def shifted(rows: Table) -> Table:
        found = label(rows)
        found.columns["probabilities"].values[:, 0] += off
        return found

    assert classification(label, shifted).is_proven is is_proven


@pytest.mark.parametrize(
    ("size", "off", "is_single", "is_proven"),
    [
        (1e-6, 9e-10, False, True),  # of 1, since the answer is smaller
        (1e-6, 2e-9, False, False),
        (1e12, 900.0, False, True),
        (1e12, 2000.0, False, False),
        (1e12, 9e5, True, True),
        (1e12, 2e6, True, False),
    ],
)
def test_regressions_may_differ_by_a_billionth_of_their_size(
    size: float, off: float, is_single: bool, is_proven: bool
) -> None:
    def model(rows: Table) -> Table:
        return answers(prediction=floats([size] * rows.n_rows))

    def graph(rows: Table) -> Table:
        return answers(prediction=floats([size + off] * rows.n_rows))

    assert regression(model, graph, is_single=is_single).is_proven is is_proven


@pytest.mark.parametrize(
    ("one", "other", "is_proven"),
    [
        (np.nan, np.nan, True),
        (np.nan, 1.0, False),
        (np.inf, np.inf, True),
        (np.inf, -np.inf, False),
        (np.inf, 1, False),
    ],
)
def test_answers_that_are_no_finite_numbers_must_be_the_same(one: float, other: float, is_proven: bool) -> None:
    proof = regression(
        lambda rows: answers(prediction=floats([one] * rows.n_rows)),
        lambda rows: answers(prediction=floats([other] * rows.n_rows)),
    )
    assert proof.is_proven is is_proven
    assert proof.check().evidence["rows_differing"] == (0 if is_proven else 40)


def test_rows_that_both_refuse_agree() -> None:
    proof = regression(raising(doubled, [3.0, 17.0]), refusing(doubled, [3.0, 17.0]))
    assert proof.is_proven
    assert proof.check().evidence["rows"] == 40
    assert proof.check().evidence["rows_refused"] == 2


def test_a_row_that_only_the_graph_refuses_differs() -> None:
    check = regression(doubled, refusing(doubled, [3.0])).check()
    assert "1 of 40 rows differ" in check.observed
    assert "(x = 3.0, city = 'Lyon'): a refusal from the graph, 6.0 from the model" in check.observed


def test_a_row_that_only_the_model_refuses_is_found_among_all_and_differs() -> None:
    check = regression(raising(doubled, [3.0, 30.0]), doubled).check()
    assert "2 of 40 rows differ" in check.observed
    assert "6.0 from the graph, a refusal from the model" in check.observed
    assert check.evidence["rows"] == 40


def test_a_row_on_which_the_model_disagrees_with_itself_is_excused_and_told() -> None:
    def moody(rows: Table) -> Table:
        return label(rows, threshold=20.0 if rows.n_rows == 1 else 19.0)

    proof = classification(moody, lambda rows: label(rows, 20.0))
    check = proof.check()
    assert proof.is_proven
    assert check.status == "warn"  # 1 of 40 is more than 0.1 %
    assert "0 of 40 rows differ" in check.observed
    assert "on 1 more the model disagrees with itself, alone against together (2 % of the real rows)" in check.observed
    assert check.evidence["rows_excused"] == 1


def test_few_generated_rows_of_that_kind_pass() -> None:
    def moody(rows: Table) -> Table:
        return label(rows, threshold=20.0 if rows.n_rows == 1 else 19.0)

    real = ROWS.take(slice(0, 10))
    check = classification(moody, lambda rows: label(rows, 20.0), sample=real, generated=ROWS).check()
    assert check.status == "pass"
    assert "on 1 more the model disagrees with itself" in check.observed


def test_a_row_that_equals_neither_answer_of_a_moody_model_differs() -> None:
    def moody(rows: Table) -> Table:
        return answers(prediction=floats(rows.columns["x"].values + (1.0 if rows.n_rows == 1 else 2.0)))

    assert not regression(moody, doubled).is_proven


def test_answers_of_another_shape_prove_nothing() -> None:
    proof = classification(label, doubled)
    assert not proof.is_proven
    assert proof.check().status == "warn"
    assert "not proven: prediction is a number instead of text" in proof.check().observed


def test_a_graph_that_does_not_run_proves_nothing() -> None:
    def broken(rows: Table) -> Table:
        raise ModelFailed("The ONNX graph failed: indices out of bounds")

    assert "not proven: The ONNX graph failed" in regression(doubled, broken).check().observed


def test_no_row_at_all_proves_nothing() -> None:
    assert not regression(doubled, doubled, ROWS.take(slice(0, 0))).is_proven


def test_rows_that_there_is_no_time_for_are_told() -> None:
    many = ROWS.take(np.arange(4000) % 40)
    terms = Terms("regression", budget_s=3.0, clock=clock(2.0))
    proof = prove(doubled, doubled, {"sample": many, "reference": many}, terms)
    assert proof.is_proven
    assert [tally.rows for tally in proof.tallies] == [2000, 1000]
    assert "5000 left out for lack of time" in proof.check().observed


def test_at_most_five_thousand_rows_of_a_group_are_asked() -> None:
    assert regression(doubled, doubled, ROWS.take(np.arange(9000) % 40)).check().evidence["rows"] == 5000


# real models and wrong graphs -----------------------------------------------------------------------------------------
DICE = np.random.default_rng(11)
FRAME = pd.DataFrame(
    {
        "a": DICE.normal(size=400),
        "t": 1.7e9 + DICE.integers(0, 10**7, 400).astype(float),
        "i": DICE.integers(0, 50, 400),
        "city": DICE.choice(["Lyon", "Paris", "Rome"], 400),
    }
)
Y = np.where(FRAME.a + FRAME.i / 50 + (FRAME.city == "Paris") + DICE.normal(size=400) / 3 > 1, "yes", "no")
TREES = HistGradientBoostingClassifier(max_iter=10, random_state=0)


def pipeline(last: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    preparation = make_column_transformer((numbers, ["a", "t", "i"]), (texts, ["city"]))
    return make_pipeline(preparation, last).fit(FRAME[:300], Y[:300])


@pytest.fixture(scope="module")
def trees() -> Bench:
    return bench(pipeline(TREES), FRAME[:200])


def proven(bench: Bench, graph: Callable[[Table], Table] | None = None, **changed: Any) -> Proof:
    """Prove the graph of a model, or another one: limits found, rows generated, all asked."""
    terms = Terms(bench.signature.task, budget_s=60.0)
    told = {**bench.told, **changed.pop("told", {})}
    made = replace(bench, told=told).made({**bench.arrays, **changed})
    made = limited(made, with_limits(bench.predict, bench.rows, made.coding, clock()))
    groups = {"sample": bench.rows, "generated": boundary_rows(bench.made(), bench.rows)}
    return prove(bench.predict, graph or opened(made), groups, terms)


def test_the_graphs_of_trees_behind_a_scaler_are_proven(trees: Bench) -> None:
    proof = proven(trees)
    assert proof.is_proven, proof.check().observed
    assert proof.check().evidence["rows_generated"] > 1000


def test_the_graphs_of_linear_models_are_proven() -> None:
    proof = proven(bench(pipeline(LogisticRegression()), FRAME[:200]))
    assert proof.is_proven, proof.check().observed


def splits(trees: Bench) -> tuple[str, Any]:
    """The array of all thresholds of a graph of trees, by its name."""
    names = [node["tensors"]["nodes_splits"] for node in trees.told["nodes"] if "nodes_splits" in node["tensors"]]
    return names[0], trees.arrays[names[0]]


def test_a_threshold_off_by_one_double_is_caught(trees: Bench) -> None:
    name, thresholds = splits(trees)
    proof = proven(trees, **{name: np.nextafter(thresholds, np.inf)})
    assert not proof.is_proven
    assert {found.group for found in proof.differences} == {"generated"}  # no real row would have told


def test_one_threshold_among_all_off_by_one_double_is_caught(trees: Bench) -> None:
    name, thresholds = splits(trees)
    wrong = thresholds.copy()
    wrong[0] = np.nextafter(wrong[0], -np.inf)  # the root of the first tree
    assert not proven(trees, **{name: wrong}).is_proven


def test_a_graph_in_single_precision_is_caught(trees: Bench) -> None:
    def single(rows: Table) -> Table:
        columns = dict(rows.columns)
        for name in ("a", "t"):
            with np.errstate(over="ignore"):
                values = columns[name].values.astype(np.float32).astype(np.float64)
            columns[name] = columns[name]._replace(values=values)
        found: Table = exact(Table(columns))
        return found

    made = trees.made()
    exact = opened(limited(made, with_limits(trees.predict, trees.rows, made.coding, clock())))
    assert not proven(trees, single).is_proven


def test_a_swapped_category_is_caught(trees: Bench) -> None:
    swapped = {"city": ["Paris", "Lyon", "Rome"]}
    assert trees.told["vocabularies"]["city"] != swapped["city"]
    proof = proven(trees, told={"vocabularies": swapped})
    assert not proof.is_proven
    assert "'Paris'" in proof.check().observed or "'Lyon'" in proof.check().observed


def test_labels_of_the_wrong_classes_are_caught(trees: Bench) -> None:
    wrong = opened(replace(trees.made(), signature=replace(trees.made().signature, classes=("yes", "no"))))
    check = proven(trees, wrong).check()
    assert check.status == "warn"
    assert check.evidence["labels_differing"] > 100


def test_a_graph_that_answers_what_its_model_refuses_is_caught(trees: Bench) -> None:
    proof = proven(trees, opened(trees.made()))  # without the limits: infinity is answered
    assert not proof.is_proven
    assert "a refusal from the model" in proof.check().observed


def test_neighbours_are_proven_once_numbers_beyond_reason_are_refused() -> None:
    near = bench(pipeline(KNeighborsClassifier()), FRAME[:200])
    made = near.made()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coding = narrowed(with_limits(near.predict, near.rows, made.coding, clock()), near.rows)
        made = limited(made, coding)
        groups = {"sample": near.rows, "generated": boundary_rows(made, near.rows)}
        proof = prove(near.predict, opened(made), groups, Terms("classification", is_narrow=True, budget_s=60.0))
    assert proof.is_proven, proof.check().observed
    assert "numbers far beyond those of the sample are refused" in proof.check().observed
