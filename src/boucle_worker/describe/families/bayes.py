"""Naive Bayes: the joint log likelihood of each class, shared out by a softmax."""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

from boucle_worker.describe.formulas import affine, beside, gather, refusing, softmax
from boucle_worker.describe.graph import Value
from boucle_worker.describe.writer import Answer, Predict, Writer

Likelihood = Callable[[Any, Value], Value]


def naive_bayes(likelihood: Likelihood) -> Predict:
    """Return the rule of a class from its joint log likelihood, ``(n, k)``."""

    def rule(writer: Writer, estimator: Any, x: Value) -> Answer:
        found = likelihood(estimator, x)
        return Answer(found.argmax(), softmax(found), classes=estimator.classes_)

    return rule


def gaussian(estimator: Any, x: Value) -> Value:
    """Return ``log prior - sum(log(2 pi var)) / 2 - sum((x - mean)^2 / var) / 2``."""
    means, variances = np.asarray(estimator.theta_), np.asarray(estimator.var_)
    distance = x.unsqueezed(1) - means[None]
    spread = (distance * distance / variances[None]).sum(2, keepdims=False)
    prior = np.log(np.asarray(estimator.class_prior_))
    height = np.array([-0.5 * np.sum(np.log(2.0 * np.pi * row)) for row in variances], variances.dtype)
    found: Value = height[None] - spread * 0.5
    return found + beside(found, prior)


def multinomial(estimator: Any, x: Value) -> Value:
    """Return ``X @ log probabilities + log prior``."""
    return affine(x, estimator.feature_log_prob_.T, estimator.class_log_prior_)


def complement(estimator: Any, x: Value) -> Value:
    """Return ``X @ weights``; the prior counts only where there is one class."""
    prior = estimator.class_log_prior_ if len(estimator.classes_) == 1 else None
    return affine(x, estimator.feature_log_prob_.T, prior)


def bernoulli(estimator: Any, x: Value) -> Value:
    """Return the log probabilities of what is there and of what is not, after ``x > binarize``."""
    if estimator.binarize is not None:
        for column in range(x.width):
            x.graph.mark(x, column, [estimator.binarize])
        x = (x > float(estimator.binarize)).astype(x.dtype)
    absent = np.log(1 - np.exp(estimator.feature_log_prob_))
    return affine(x, (estimator.feature_log_prob_ - absent).T, estimator.class_log_prior_ + absent.sum(axis=1))


def categorical(estimator: Any, x: Value) -> Value:
    """Return the log probabilities of each column's category, summed, plus the log prior.

    The graph fails on a category that the library refuses.
    """
    tables = [np.asarray(table).T for table in estimator.feature_log_prob_]
    sizes = np.array([len(table) for table in tables], np.int64)[None]
    category = x.astype(np.int64)
    category = refusing(category, (category < np.int64(0)) | (category >= sizes))
    places = category + (np.cumsum(sizes, axis=1) - sizes)
    found = gather(np.concatenate(tables), places).sum(1, keepdims=False)
    return found + np.asarray(estimator.class_log_prior_)[None]


PREDICTS: Dict[str, Predict] = {
    "BernoulliNB": naive_bayes(bernoulli),
    "CategoricalNB": naive_bayes(categorical),
    "ComplementNB": naive_bayes(complement),
    "GaussianNB": naive_bayes(gaussian),
    "MultinomialNB": naive_bayes(multinomial),
}
