"""Sums of trees as one operator answer as trees do that are walked node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.random import Generator, default_rng

from boucle.adapters.onnx_writer import assembled
from boucle_worker.describe.description import NUMBERS, Description, pruned
from boucle_worker.describe.families import tree_ensemble
from boucle_worker.describe.families.tree_ensemble import (
    Tree,
    at_most,
    ensemble,
    leaf_number,
    leaf_numbers,
    mark_thresholds,
    whole,
)
from boucle_worker.describe.frame import Codes
from boucle_worker.describe.graph import Graph, Value
from boucle_worker.frames import Column
from faithful import answers

WIDTH = 3
HUGE = [1e30, -1e30, np.inf, -np.inf, 2.0**31, 2.0**32 + 1, 2.0**63]
LEAF = Tree(
    feature=np.array([-2]),
    threshold=np.array([-2.0]),
    left=np.array([-1]),
    right=np.array([-1]),
    missing_left=np.array([0]),
    value=np.array([7.0]),
)
STUMP = Tree(
    feature=np.array([0, 0, 0]),
    threshold=np.array([1.5, 0.0, 0.0]),
    left=np.array([1, -1, -1]),
    right=np.array([2, -1, -1]),
    missing_left=np.array([0, 0, 0]),
    value=np.array([0.0, 10.0, 20.0]),
)


@pytest.fixture
def numbers() -> Value:
    """The input of a graph: WIDTH columns of double."""
    return Graph().input(NUMBERS, np.float64, (None, WIDTH))


def described(out: Value) -> Description:
    columns = {NUMBERS: [str(j) for j in range(WIDTH)]}
    return pruned(out.graph, columns, {"value": out}, Codes(out.graph, {}, {}))


def ran(out: Value, rows: Any) -> Any:
    """Return what the graph computes of rows ``(n, WIDTH)``."""
    description = described(out)
    file = assembled(description.header(), description.arrays)
    return answers(file, description, {str(j): Column("float", rows[:, j].astype(float)) for j in range(WIDTH)})[
        "value"
    ]


def leaf_of(tree: Tree, row: Any) -> int:
    """Return the node where a row ends, by the words of ``Tree``."""
    node = 0
    while tree.left[node] >= 0:
        x, numbers = row[tree.feature[node]], tree.categories[node] if tree.categories else None
        if np.isnan(x):
            goes_left = bool(tree.missing_left[node])
        elif numbers is not None:
            goes_left = bool((numbers == x).any())
        else:
            goes_left = x < tree.threshold[node] if tree.is_strict else x <= tree.threshold[node]
        node = (tree.left if goes_left else tree.right)[node]
    return node


def grown(rng: Generator, depth: int, *, n_categories: int = 0, is_strict: bool = False, dtype: Any = float) -> Tree:
    """Return a random tree; every other question is for categories when there are any."""
    nodes: list[list[Any]] = []

    def grow(depth: int) -> int:
        place = len(nodes)
        threshold = dtype(rng.choice(np.array([rng.normal(), rng.integers(0, 4)])))
        nodes.append([rng.integers(WIDTH), threshold, -1, -1, rng.integers(2), rng.normal(), None, rng.integers(99)])
        if depth and rng.random() < 0.9:
            if n_categories and rng.random() < 0.5:
                nodes[place][6] = rng.permutation(n_categories)[: rng.integers(n_categories)].astype(float)
            nodes[place][2] = grow(depth - 1)
            nodes[place][3] = grow(depth - 1)
        return place

    grow(depth)
    *columns, categories, traffic = zip(*nodes, strict=True)
    tree = Tree._make([*map(np.array, columns), is_strict, None, np.array(traffic)])
    return tree._replace(categories=list(categories)) if n_categories else tree


def rows_for(rng: Generator, trees: list[Tree], n_categories: int, dtype: Any) -> Any:
    """Return rows that stand on thresholds, on categories and beside them, NaN and huge ones among them."""
    rows = rng.integers(-2, n_categories + 3, size=(60, WIDTH)).astype(dtype)
    if not n_categories:
        rows = np.where(rng.random(rows.shape) < 0.5, rows, rng.normal(size=rows.shape)).astype(dtype)
        for tree in trees:
            near = tree.threshold[0] if rng.random() < 0.5 else np.nextafter(dtype(tree.threshold[0]), dtype(9))
            rows[rng.integers(60), tree.feature[0]] = near
    rows[rng.random(rows.shape) < 0.1] = np.nan
    is_huge = rng.random(rows.shape) < 0.05
    rows[is_huge] = rng.choice(HUGE, size=is_huge.sum())
    return rows


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("is_turned", [False, True], ids=["as they are", "turned"])
@pytest.mark.parametrize("is_strict", [False, True], ids=["at most", "less"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_categories", [0, 8, 31, 70, 300])
def test_an_ensemble_is_the_sum_of_the_leaves_in_the_order_of_the_trees(
    n_categories: int, dtype: Any, is_strict: bool, is_turned: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = default_rng(seed)
    monkeypatch.setattr(tree_ensemble, "_LARGE", 1 if is_turned else 10**9)
    trees = [
        grown(rng, int(depth), n_categories=n_categories, is_strict=is_strict, dtype=dtype)
        for depth in rng.integers(0, 6, size=rng.integers(WIDTH, 12))
    ]
    targets = rng.integers(3, size=len(trees)).tolist()
    rows = rows_for(rng, trees, n_categories, dtype)
    x = Graph().input(NUMBERS, np.float64, (None, WIDTH)).astype(dtype)

    got = ran(ensemble(x, trees, targets, 3), rows)

    wanted = np.zeros((len(rows), 3), dtype)
    for tree, target in zip(trees, targets, strict=True):
        wanted[:, target] += [dtype(tree.value[leaf_of(tree, row)]) for row in rows]
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, wanted)


def test_turning_the_busier_side_changes_the_nodes(numbers: Value, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_ensemble, "_LARGE", 1)
    ensemble(numbers, [STUMP._replace(traffic=np.array([9, 6, 3]))] * WIDTH, [0] * WIDTH, 1)

    assert [node["op"] for node in numbers.graph.nodes] == ["Neg", "Concat", "TreeEnsemble"]


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_a_busy_side_of_an_infinite_threshold_is_left_alone(
    numbers: Value, infinite: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_ensemble, "_LARGE", 1)
    tree = STUMP._replace(threshold=np.array([infinite, 0, 0]), traffic=np.array([9, 6, 3]))
    rows = np.array([[np.inf] * WIDTH, [-np.inf] * WIDTH, [0.0] * WIDTH, [np.nan] * WIDTH])

    got = ran(ensemble(numbers, [tree] * WIDTH, [0] * WIDTH, 1), rows)

    assert got[:, 0].tolist() == [3 * tree.value[leaf_of(tree, row)] for row in rows]


def test_one_leaf_alone_answers_every_row(numbers: Value) -> None:
    assert ran(ensemble(numbers, [LEAF, STUMP], [0, 1], 2), np.full((2, WIDTH), np.nan)).tolist() == [[7, 20]] * 2


def test_targets_may_differ_from_leaf_to_leaf(numbers: Value) -> None:
    rows = np.array([[1.5, 0, 0], [1.6, 0, 0]])

    got = ran(ensemble(numbers, [STUMP, LEAF], [np.array([0, 2, 1]), 0], 3), rows)

    assert got.tolist() == [[7, 0, 10], [7, 20, 0]]


def test_an_empty_set_of_categories_sends_all_numbers_right(numbers: Value) -> None:
    tree = STUMP._replace(categories=[np.array([]), None, None])

    assert ran(ensemble(numbers, [tree], [0], 1), np.array([[-1.0] * 3, [0.0] * 3, [40.0] * 3])).ravel().tolist() == [
        20.0,
        20.0,
        20.0,
    ]


def test_leaves_are_numbered_through_all_trees(numbers: Value) -> None:
    rows = np.array([[1.0, 0, 0], [2.0, 0, 0]])

    assert ran(leaf_numbers(numbers, [STUMP, LEAF, STUMP]), rows).tolist() == [[0, 1], [2, 2], [3, 4]]


def test_the_leaves_of_one_tree_are_numbered_in_their_order(numbers: Value) -> None:
    assert ran(leaf_number(numbers, STUMP), np.array([[2.0, 0, 0], [1.0, 0, 0]])).tolist() == [1, 0]


def test_whole_cuts_towards_zero_in_the_columns_named(numbers: Value) -> None:
    rows = np.array([[1.7, 1.7, -1.7], [np.nan, 0.5, -0.5], [-np.inf, 0.1, 1e300]])

    got = ran(whole(numbers, [0, 2]), rows)

    np.testing.assert_array_equal(got, np.column_stack([np.trunc(rows[:, 0]), rows[:, 1], np.trunc(rows[:, 2])]))


def test_single_precision_thresholds_divide_single_precision_numbers_as_before() -> None:
    rng = default_rng(0)
    numbers = rng.normal(size=500).astype(np.float32)
    thresholds = np.concatenate([numbers.astype(float), (numbers[1:].astype(float) + numbers[:-1]) / 2, [np.inf]])
    thresholds = np.concatenate([thresholds, np.nextafter(thresholds, -np.inf), np.nextafter(thresholds, np.inf)])

    same = (numbers[:, None] <= at_most(thresholds)) == (numbers[:, None].astype(float) <= thresholds)

    assert same.all()


def test_marks_are_the_thresholds_and_the_categories(numbers: Value) -> None:
    tree = STUMP._replace(feature=np.array([2, 0, 0]), categories=[np.array([4, 5]), None, None])

    mark_thresholds(numbers, [STUMP, LEAF, tree])

    assert sorted((mark.column, mark.thresholds.tolist()) for mark in numbers.graph.marks) == [(0, [1.5]), (2, [4, 5])]


def test_of_many_thresholds_some_are_marked_the_ends_among_them(numbers: Value) -> None:
    stumps = [STUMP._replace(threshold=np.array([float(i), 0, 0])) for i in range(5000)]

    mark_thresholds(numbers, stumps)

    (mark,) = numbers.graph.marks
    assert len(mark.thresholds) <= tree_ensemble.MOST_MARKS
    assert (mark.thresholds[0], mark.thresholds[-1]) == (0.0, 4999.0)


def test_the_file_is_valid_and_holds_each_array_once(numbers: Value) -> None:
    description = described(ensemble(numbers, [STUMP], [0], 1))
    model = onnx.load_from_string(assembled(description.header(), description.arrays))

    onnx.checker.check_model(model)
    assert not model.graph.initializer
