"""Tree and ensemble: sums of decision trees as one operator, TreeEnsemble of ai.onnx.ml 5.

Unlike its elders the operator takes, compares, adds and returns one dtype, so that in double it is exact. It is
written with numpy over the nodes of all trees at once: forests of millions of nodes take a moment.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np

from boucle_worker.describe.formulas import absolute, concat, floor, sign, where
from boucle_worker.describe.graph import Value

MOST_MARKS = 256  # thresholds of a column that parity is told; a forest has thousands
_MOST_READ = 100_000  # nodes that are looked through for these
_LESS_OR_EQUAL, _LESS, _MEMBER = 0, 1, 6
_NOBODY = 2**30  # stands in an empty set, which onnxruntime does not take
_LARGE = 1000  # nodes; smaller forests stay in the processor's nearest memory however they lie
_EXACT = {4: 2**24, 8: 2**53}  # whole numbers up to here are exact in a float of so many bytes


class Tree(NamedTuple):
    """A binary tree of m nodes; node 0 is its root. All arrays are ``(m,)``.

    ``feature`` int and ``threshold`` float say what an inner node asks, ``left`` and ``right`` int where it leads
    (-1: the node is a leaf), ``missing_left`` bool whether NaN goes left. ``value`` float is what a leaf gives.
    ``x <= threshold`` goes left, or ``x < threshold`` when ``is_strict``. ``categories`` holds per node None, or the
    numbers of which x must be one to go left: x must be whole there (see ``whole``), the numbers within 2**31.
    ``traffic`` says how many rows, or what weight of them, passed each node in training; it only buys speed.
    """

    feature: Any
    threshold: Any
    left: Any
    right: Any
    missing_left: Any
    value: Any
    is_strict: bool = False
    categories: Optional[Sequence[Optional[Any]]] = None
    traffic: Optional[Any] = None


class _Nodes(NamedTuple):
    """The nodes of several trees, one after the other; ``left`` and ``right`` count through all of them."""

    feature: Any
    threshold: Any
    left: Any
    right: Any
    missing_left: Any
    value: Any
    is_strict: Any
    categories: Dict[int, Any]
    roots: Any


def ensemble(x: Value, trees: Sequence[Tree], targets: Sequence[Union[int, Any]], n_targets: int) -> Value:
    """Return ``(n, n_targets)``: the sum of each target's trees in the order given, computed in the dtype of x.

    ``targets`` holds one target for each tree, or an array with one for each of its nodes (of which leaves count).
    """
    trees = [_rooted(tree) for tree in trees]
    goals = np.concatenate([np.broadcast_to(goal, len(t.left))[: len(t.left)] for goal, t in zip(targets, trees)])
    nodes = _joined(trees, x.dtype)
    if all(tree.traffic is not None for tree in trees) and x.width <= len(trees) and len(nodes.left) >= _LARGE:
        nodes = _turned(nodes, np.concatenate([np.asarray(tree.traffic) for tree in trees]), x.width)
        x = concat([x, -x])
    is_leaf = nodes.left < 0
    inner = np.flatnonzero(~is_leaf)
    place = np.where(is_leaf, np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1  # among its own kind
    left, right = nodes.left[inner], nodes.right[inner]
    modes, optional = _questions(nodes, inner)
    return x.graph.op(
        "TreeEnsemble",
        [x],
        x.dtype,
        (x.shape[0], n_targets),
        domain="ai.onnx.ml",
        aggregate_function=1,  # the sum
        n_targets=n_targets,
        tree_roots=place[nodes.roots],
        nodes_featureids=nodes.feature[inner],
        nodes_splits=nodes.threshold[inner],
        nodes_modes=modes,
        nodes_truenodeids=place[left],
        nodes_trueleafs=is_leaf[left].astype(np.int64),
        nodes_falsenodeids=place[right],
        nodes_falseleafs=is_leaf[right].astype(np.int64),
        leaf_targetids=goals[is_leaf].astype(np.int64),
        leaf_weights=nodes.value[is_leaf],
        **optional,
    )


def leaf_number(x: Value, tree: Tree) -> Value:
    """Return ``(n,)`` int32: which of the leaves of one tree, in their order, each row reaches."""
    return _numbered(x, [tree]).flat()


def leaf_numbers(x: Value, trees: Sequence[Tree]) -> Value:
    """Return ``(trees, n)`` int32: the leaf that each row reaches, counted through the leaves of all trees."""
    return x.graph.op("Transpose", [_numbered(x, trees)], np.int32, (len(trees), None), perm=[1, 0])


def _numbered(x: Value, trees: Sequence[Tree]) -> Value:
    counts = np.array([int((np.asarray(tree.left) < 0).sum()) for tree in trees])
    firsts = np.cumsum(counts) - counts
    if counts.sum() > _EXACT[x.dtype.itemsize]:
        x = x.astype(np.float64)
    numbered = [tree._replace(value=np.cumsum(tree.left < 0) - 1 + first) for tree, first in zip(trees, firsts)]
    return ensemble(x, numbered, range(len(trees)), len(trees)).astype(np.int32)


def whole(x: Value, columns: Sequence[int]) -> Value:
    """Return x with what follows the point cut off in some columns, as C casts to integers; NaN stays."""
    is_cut = np.isin(np.arange(x.width), columns)[None]
    return where(x.graph.constant(is_cut), sign(x) * floor(absolute(x)), x)


def mark_thresholds(x: Value, trees: Sequence[Tree]) -> None:
    """Tell parity at which numbers of the columns of x the trees decide: some of them where they are many."""
    is_inner = _column(trees, "left", np.int64) >= 0
    root = 0
    for tree in trees:
        for node, numbers in enumerate(tree.categories or ()):
            if numbers is not None:
                x.graph.mark(x, int(tree.feature[node]), numbers)
                is_inner[root + node] = False
        root += len(tree.left)
    nodes = np.flatnonzero(is_inner)
    nodes = nodes[:: len(nodes) // _MOST_READ + 1]
    feature = _column(trees, "feature", np.int64)[nodes]
    threshold = _column(trees, "threshold", np.float64)[nodes]
    for column in np.unique(feature):
        found = np.unique(threshold[feature == column])
        x.graph.mark(x, int(column), found[np.unique(np.linspace(0, len(found) - 1, MOST_MARKS).astype(int))])


def at_most(threshold: Any) -> Any:
    """Return thresholds as float32, such that the same float32 numbers are ``<=`` them as before.

    >>> at_most(np.array([0.1])) <= 0.1
    array([ True])
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinity, and then the largest number
        rounded = np.asarray(threshold).astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _rooted(tree: Tree) -> Tree:
    """Return a tree whose root is no leaf: one leaf alone becomes a question with one answer, as the operator asks."""
    if len(tree.left) > 1 or tree.left[0] >= 0:
        return tree
    value = np.repeat(np.asarray(tree.value)[:1], 2)
    sides = np.array([1, -1])
    zeros = np.zeros(2, np.int64)
    return Tree(zeros, zeros, sides, sides, zeros, value, tree.is_strict, traffic=zeros)


def _joined(trees: Sequence[Tree], dtype: Any) -> _Nodes:
    sizes = np.array([len(tree.left) for tree in trees])
    roots = np.cumsum(sizes) - sizes
    shift = np.repeat(roots, sizes)
    left, right = _column(trees, "left", np.int64), _column(trees, "right", np.int64)
    categories: Dict[int, Any] = {}
    for root, tree in zip(roots, trees):
        for node, numbers in enumerate(tree.categories or ()):
            if numbers is not None:
                categories[int(root) + node] = np.asarray(numbers if len(numbers) else [_NOBODY], dtype)
    return _Nodes(
        _column(trees, "feature", np.int64),
        _column(trees, "threshold", dtype),
        np.where(left < 0, -1, left + shift),
        np.where(left < 0, -1, right + shift),
        _column(trees, "missing_left", np.int64),
        _column(trees, "value", dtype),
        np.repeat([tree.is_strict for tree in trees], sizes),
        categories,
        roots,
    )


def _column(trees: Sequence[Tree], name: str, dtype: Any) -> Any:
    return np.concatenate([np.asarray(getattr(tree, name)) for tree in trees]).astype(dtype, copy=False)


def _turned(nodes: _Nodes, traffic: Any, width: int) -> _Nodes:
    """Return the nodes with the busier side on the right, which onnxruntime lays next to its parent in memory.

    ``x <= t`` turns into its contrary ``x > t``, asked of the column of ``-x`` that stands ``width`` further on, so
    that all nodes go on asking alike: nodes that ask differently are slow. It takes a tenth off large forests.
    """
    is_turned = (nodes.left >= 0) & (traffic[nodes.left] > traffic[nodes.right]) & np.isfinite(nodes.threshold)
    is_turned[list(nodes.categories)] = False
    towards = np.where(nodes.is_strict, np.inf, -np.inf).astype(nodes.threshold.dtype)
    return nodes._replace(
        feature=np.where(is_turned, nodes.feature + width, nodes.feature),
        threshold=np.where(is_turned, np.nextafter(-nodes.threshold, towards), nodes.threshold),
        left=np.where(is_turned, nodes.right, nodes.left),
        right=np.where(is_turned, nodes.left, nodes.right),
        missing_left=np.where(is_turned, 1 - nodes.missing_left, nodes.missing_left),
    )


def _questions(nodes: _Nodes, inner: Any) -> Any:
    """Return what the inner nodes ask, as bytes, and the attributes that not every ensemble needs."""
    optional: Dict[str, Any] = {}
    modes = np.where(nodes.is_strict, _LESS, _LESS_OR_EQUAL).astype(np.uint8)
    if nodes.missing_left.any():
        optional["nodes_missing_value_tracks_true"] = nodes.missing_left[inner]
    if nodes.categories:
        modes[list(nodes.categories)] = _MEMBER
        end = np.array([np.nan], nodes.threshold.dtype)
        sets: List[Any] = []
        for node in sorted(nodes.categories):
            sets += [nodes.categories[node], end]
        optional["membership_values"] = np.concatenate(sets)
    return modes[inner], optional
