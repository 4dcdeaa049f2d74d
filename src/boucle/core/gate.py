"""Gate: what the metrics of a version must keep for it to be promoted without a person's word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from boucle.core.errors import InvalidRequest, shown
from boucle.core.i18n import _

NAIVE_RATIO = "naive_ratio"  # the metric: error of the model / error of the naive forecast, on the same rows
WORSE_THAN_NAIVE = 1.005  # a ratio above this is labelled so wherever the version is shown
_BOUND = re.compile(r"\s*(<=|>=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*\Z")


@dataclass(frozen=True)
class Bound:
    """``metric`` must be there and lie within what is stated; a bound that is None is none.

    >>> Bound("loss", at_most=0.5).holds(0.4)
    True
    """

    metric: str
    at_most: Optional[float] = None
    at_least: Optional[float] = None

    def holds(self, value: Optional[float]) -> bool:
        """True for a value within the bound; never for None or NaN."""
        if value is None or value != value:
            return False
        is_low = self.at_most is None or value <= self.at_most
        return is_low and (self.at_least is None or value >= self.at_least)

    def __str__(self) -> str:
        """Return the bound as it is written in ``deploy``: ``loss <= 0.5``."""
        sign, limit = ("<=", self.at_most) if self.at_most is not None else (">=", self.at_least)
        return f"{self.metric} {sign} {limit:g}"


@dataclass(frozen=True)
class Gate:
    """The bounds of a version. ``promotes``: a version that keeps them all becomes champion without being asked."""

    bounds: tuple[Bound, ...]
    promotes: bool = False

    def broken(self, metrics: Mapping[str, float]) -> tuple[Bound, ...]:
        """Return the bounds that the metrics do not keep; a metric that is not there keeps none."""
        return tuple(bound for bound in self.bounds if not bound.holds(metrics.get(bound.metric)))


def read_gate(bounds: Mapping[str, str], promotes: bool = False) -> Gate:
    """Return the gate that ``deploy(gate={"loss": "<= 0.5", "auc": ">= 0.8"})`` means.

    Raises InvalidRequest for a bound that cannot be read.

    >>> str(read_gate({"loss": "<= 0.5"}).bounds[0])
    'loss <= 0.5'
    """
    return Gate(tuple(_bound(metric, text) for metric, text in bounds.items()), promotes)


def is_worse_than_naive(metrics: Mapping[str, float]) -> bool:
    """True when a forecaster's error is over 1.005 times that of the naive forecast, or its ratio is no number."""
    ratio = metrics.get(NAIVE_RATIO)
    return ratio is not None and not ratio <= WORSE_THAN_NAIVE


def _bound(metric: str, text: Any) -> Bound:
    found = _BOUND.match(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidRequest(
            "unusual-gate",
            _("The gate of {metric} is {found}, expected a text such as '<= 0.5' or '>= 0.8'.").format(
                metric=shown(metric), found=shown(text)
            ),
        )
    limit = float(found.group(2))
    return Bound(metric, at_most=limit) if found.group(1) == "<=" else Bound(metric, at_least=limit)
