"""A forecaster's metrics beside what they must be read against: the naive forecast, and an interval of one width."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from boucle.core.gate import NAIVE_RATIO
from boucle.core.i18n import N_, _
from boucle.core.version import Version
from boucle.web.pages.names import metric_words, target_words, width_words

_WEEK = re.compile(r"naive_ratio_week_(\d{1,3})\Z")
_COMPARED = (
    ("mae", "naive_mae", NAIVE_RATIO, N_("Mean absolute error"), N_("naive: the last close")),
    ("winkler", "winkler_constant", "winkler_ratio", N_("Interval score (Winkler)"), N_("a constant width")),
)


@dataclass(frozen=True)
class Compared:
    """One score of the model beside another's; less is better, so ``ratio`` is better under 1."""

    title: str
    model: float | None
    other: float | None
    other_title: str
    ratio: float | None


@dataclass(frozen=True)
class Skill:
    """``weeks`` are (number of the week since training, error relative to naive of that week)."""

    compared: tuple[Compared, ...]
    coverage: float | None
    level: float | None
    width: str
    target: str
    weeks: tuple[tuple[int, float], ...]
    others: dict[str, float] = field(default_factory=dict)


def skill_of(version: Version) -> Skill | None:
    """Return how a forecaster compares; None for a model that was not measured against naive."""
    metrics, params = dict(version.manifest.metrics), version.manifest.params
    if NAIVE_RATIO not in metrics:
        return None
    compared = tuple(
        Compared(_(title), metrics.pop(own, None), metrics.pop(other, None), _(against), metrics.pop(ratio, None))
        for own, other, ratio, title, against in _COMPARED
        if ratio in metrics
    )
    weeks = {int(found[1]): metrics.pop(found[0]) for found in map(_WEEK.match, list(metrics)) if found}
    coverage = metrics.pop("coverage", None)
    return Skill(
        compared,
        coverage,
        (version.signature or version.manifest.signature).interval_level,
        width_words(str(params["width"])) if "width" in params else "",
        target_words(str(params["target"])) if "target" in params else "",
        tuple(sorted(weeks.items())),
        {metric_words(name): value for name, value in sorted(metrics.items())},
    )


def headline(version: Version) -> dict[str, float]:
    """Return the two metrics that a list of versions shows: for a forecaster those that tell its worth."""
    metrics = version.manifest.metrics
    if NAIVE_RATIO not in metrics:
        return dict(sorted(metrics.items())[:2])
    told = {NAIVE_RATIO: _("error to naive"), "winkler_ratio": _("interval to constant"), "coverage": _("coverage")}
    return dict([(words, metrics[name]) for name, words in told.items() if name in metrics][:2])
