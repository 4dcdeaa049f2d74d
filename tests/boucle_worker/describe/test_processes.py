"""Graphs of Gaussian processes answer as the processes do, kernel by kernel."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime as ort
import pytest
from scipy.special import erf as wanted_erf
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)

from boucle.adapters.onnx_writer import assembled
from boucle_worker.describe import Cannot
from boucle_worker.describe.description import pruned
from boucle_worker.describe.formulas import erf
from boucle_worker.describe.frame import Codes
from boucle_worker.describe.graph import Graph
from fitted import CLASSES, NUMBER, ROWS, TWO, UNSEEN, gaps

KERNELS = [
    None,
    RBF(2.0) + WhiteKernel(),
    2.0 * Matern(nu=0.5),
    Matern(2.0, nu=1.5) + WhiteKernel(),
    ConstantKernel(2.0) * Matern(2.0, nu=2.5),
    Matern(nu=math.inf),
    RationalQuadratic(alpha=0.7) * ConstantKernel(2.0),
    ExpSineSquared(3.0, 20.0),
    DotProduct() + RBF(2.0),
    DotProduct() ** 2,
    PairwiseKernel(metric="laplacian", gamma=0.1),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_the_mean_is_that_of_the_process(kernel: object) -> None:
    model = GaussianProcessRegressor(kernel, alpha=1.0, optimizer=None, normalize_y=True)

    assert gaps(model, NUMBER, ROWS[:, :1], UNSEEN[:300, :1]).value < 1e-10


def test_each_column_has_its_length() -> None:
    model = GaussianProcessRegressor(RBF([1.0, 3.0, 1.0, 1.0, 2.0]), alpha=1.0, optimizer=None)

    assert gaps(model, NUMBER).value < 1e-11


def test_several_targets_share_the_kernel() -> None:
    model = GaussianProcessRegressor(alpha=1.0, normalize_y=True)

    assert gaps(model, np.column_stack([NUMBER, ROWS[:, 2]])).value < 1e-11


@pytest.mark.parametrize("kernel", [None, DotProduct() + RBF(2.0)], ids=repr)
def test_the_mean_of_rows_in_single_precision_is_that_of_the_process(kernel: object) -> None:
    model = GaussianProcessRegressor(kernel, alpha=1.0, optimizer=None)

    assert gaps(model, NUMBER, unseen=UNSEEN[:300], dtype="float32").value < 1e-6


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("kernel", [None, 2.0 * RBF(2.0) + DotProduct(), 3.0 * Matern(2.0, nu=1.5)], ids=repr)
def test_probabilities_of_classes_are_those_of_the_process(kernel: object, classes: str) -> None:
    found = gaps(GaussianProcessClassifier(kernel, optimizer=None), CLASSES[classes], unseen=UNSEEN[:300])

    assert found.labels == 0
    assert found.probabilities < 1e-9


def test_a_kernel_that_needs_a_bessel_function_is_refused() -> None:
    with pytest.raises(Cannot, match=r"it holds a Matern kernel with nu=0\.7"):
        gaps(GaussianProcessClassifier(Matern(nu=0.7), optimizer=None), TWO)


def test_the_error_function_is_exact_to_fifteen_digits() -> None:
    graph = Graph()
    x = np.concatenate([np.linspace(-7, 7, 200_001), [0.0, 1e-300, -1e-10, 1e300, -1e300, np.nan]])[:, None]
    found = erf(graph.input("numbers", np.float64, (None, 1)))
    told = pruned(graph, {"numbers": ["x"]}, {"value": found}, Codes(graph, {}, {}))
    session = ort.InferenceSession(assembled(told.header(), told.arrays, ("value",)))

    np.testing.assert_allclose(session.run(None, {"numbers": x})[0], wanted_erf(x), rtol=0, atol=1e-15)
