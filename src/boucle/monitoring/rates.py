"""Are two rates equal, and what is left of many p-values when they are judged together."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special


def holm(p_values: Any) -> Any:
    """Return p-values adjusted for their number, shape kept (Holm 1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1))
    out = np.empty(len(order))
    out[order] = np.minimum(stepped, 1.0)
    return out


def rate_p(reference: tuple[Any, Any], current: tuple[Any, Any], one_sided: bool = False) -> Any:
    """Return the p-value that two rates are equal; each is (hits, trials), arrays or numbers.

    Normal where each window expects 25 hits and 25 misses. Elsewhere the conditional test of two Poisson rates
    (Przyborowski and Wilenski 1940), a little careful for rates that are not small; of hits or of misses, whichever
    are rarer. ``one_sided`` asks only whether the current rate is greater.
    """
    (r, n_r), (c, n_c) = ([np.asarray(x, float) for x in pair] for pair in (reference, current))
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (r + c) / (n_r + n_c)
        z = (c / n_c - r / n_r) / np.sqrt(rate * (1 - rate) * (1 / n_r + 1 / n_c))
    normal = special.ndtr(-z) if one_sided else 2 * special.ndtr(-np.abs(z))
    mostly = rate > 0.5
    rare_r, rare_c = np.where(mostly, n_r - r, r), np.where(mostly, n_c - c, c)
    share = n_c / np.maximum(n_r + n_c, 1)
    more, fewer = _poisson_tails(rare_r, rare_c, share)
    more, fewer = np.where(mostly, fewer, more), np.where(mostly, more, fewer)
    exact = more if one_sided else 2 * np.minimum(more, fewer)
    is_large = np.minimum(rate, 1 - rate) * np.minimum(n_r, n_c) >= 25
    p = np.where(is_large, normal, exact)
    return np.where((n_r > 0) & (n_c > 0), np.clip(np.nan_to_num(p, nan=1.0), 0.0, 1.0), 1.0)


def _poisson_tails(r: Any, c: Any, share: Any) -> tuple[Any, Any]:
    """P(at least c) and P(at most c) of Binomial(r + c, share), by the incomplete beta function."""
    more = np.where(c > 0, special.betainc(np.maximum(c, 1e-9), r + 1, share), 1.0)
    fewer = np.where(r > 0, special.betaincc(c + 1, np.maximum(r, 1e-9), share), 1.0)
    return more, fewer
