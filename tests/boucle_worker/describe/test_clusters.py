"""Graphs of clusters give what these give: labels, distances to centres, probabilities of mixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import AffinityPropagation, Birch, BisectingKMeans, KMeans, MeanShift, MiniBatchKMeans
from sklearn.linear_model import Ridge
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from boucle_worker.describe import Cannot
from faithful import compared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 4)) * [1, 2, 3, 4] + RANDOM.integers(0, 3, (300, 1)) * 4
OTHERS = RANDOM.normal(size=(300, 4)) * [5, 2, 3, 4]
CLUSTERS = [
    KMeans(5, n_init=1, random_state=0),
    MiniBatchKMeans(6, n_init=1, random_state=0),
    BisectingKMeans(7, random_state=0),
    BisectingKMeans(2, random_state=0),
    Birch(n_clusters=4),
    Birch(n_clusters=None, threshold=2.0),
    MeanShift(bandwidth=6.0),
    AffinityPropagation(damping=0.9, random_state=0),
]


@pytest.mark.parametrize("cluster", CLUSTERS, ids=str)
def test_rows_fall_into_the_same_clusters(cluster: Any) -> None:
    model = make_pipeline(StandardScaler(), cluster).fit(ROWS)
    found = compared(model, ROWS, OTHERS, OTHERS * 1e6)
    assert found.labels == 0
    assert found.description.outputs["value"]["dtype"] == "int64"


@pytest.mark.parametrize("cluster", CLUSTERS[:5], ids=str)
def test_distances_to_the_centres_are_the_same(cluster: Any) -> None:
    model = make_pipeline(cluster, Ridge()).fit(ROWS, ROWS[:, 0])
    assert compared(model, OTHERS).is_exact


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize(
    "mixture",
    [
        GaussianMixture,
        BayesianGaussianMixture,
        lambda **settings: BayesianGaussianMixture(
            weight_concentration_prior_type="dirichlet_distribution", **settings
        ),
    ],
    ids=["fixed", "process", "distribution"],
)
def test_mixtures_share_rows_alike(mixture: Any, kind: str) -> None:
    model = mixture(n_components=3, covariance_type=kind, random_state=0, max_iter=20).fit(ROWS)
    found = compared(model, ROWS, OTHERS)
    assert found.labels == 0
    assert found.probabilities < 1e-9


def test_single_precision_mixtures_are_refused() -> None:
    model = GaussianMixture(2, random_state=0).fit(ROWS.astype(np.float32))
    with pytest.raises(Cannot, match="float32 rows in float32"):
        compared(model, ROWS.astype(np.float32))


def test_single_precision_rows_fall_into_the_same_clusters() -> None:
    rows, others = ROWS.astype(np.float32), OTHERS.astype(np.float32)
    for cluster in CLUSTERS:
        assert compared(cluster.fit(rows), rows, others).labels == 0
