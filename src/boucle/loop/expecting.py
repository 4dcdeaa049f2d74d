"""Expecting: the author's own rules, judged on the rows of a window as they were asked and answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from boucle.core.check import Check
from boucle.core.errors import BoucleError
from boucle.core.i18n import _
from boucle.core.passing import passing_folder
from boucle.core.report import Span
from boucle.core.version import Version
from boucle.core.watching import Expectation, WatchPolicy
from boucle.loop.exploring import ExploreWorld, LogQuery, explore, frame_of
from boucle.loop.ports import Artifacts
from boucle.monitoring.expectations import Kept, RowJudge, advice_on, expectation_check

MOST_ROWS = 200_000  # the newest of the window
RULES_S, MOST_RULE_S, LEAST_RULE_S = 120.0, 60.0, 1.0  # rules must not hold the watching of other models
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expecting:
    """Judges the expectations of a policy. ``judges`` makes what judges rows, given the seconds of each rule.

    Rules see what ``boucle log`` shows: each input under its own name, ``prediction``, ``truth`` where it is known, and
    the rest; a masked column is null, and a null keeps a rule. A function finds the modules that the model was deployed
    with.
    """

    world: ExploreWorld
    artifacts: Artifacts
    judges: Callable[[float], RowJudge]

    def __call__(self, version: Version, policy: WatchPolicy, window: Span) -> tuple[Check, ...]:
        """Return a Check for each rule, () without rules or rows. What cannot be judged is a failed one; never raises.

        Of a larger window the newest 200,000 rows are judged.
        """
        rules = policy.expectations
        if not rules:
            return ()
        try:
            table = explore(self.world, LogQuery(version.name, window, version.number, MOST_ROWS))
            if not table.n_rows:
                return ()
            rows = frame_of(table)
            with self._code(version, rules) as folder:
                checks = self.judges(seconds_each(len(rules))).judge(rows, rules, folder)
        except BaseException as error:  # a broken file of the log must not end the watching of all models
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise  # polars panics beside Exception
            log.exception("the expectations of %s could not be judged", version.name)
            return tuple(expectation_check(rule, Kept(error=_cause(error))) for rule in rules)
        return tuple(_with_ids(check, rows) for check in checks)

    @contextmanager
    def _code(self, version: Version, rules: tuple[Expectation, ...]) -> Iterator[Path | None]:
        """Lend a folder with the modules of a version; None when no rule is a function."""
        if not any(rule.function for rule in rules):
            yield None
            return
        with passing_folder("code") as folder:
            for file in version.manifest.code:
                path = PurePosixPath(file.path)
                if not path.is_absolute() and ".." not in path.parts:
                    target = folder / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(self.artifacts.read(file.digest))
            yield folder


def seconds_each(n_rules: int) -> float:
    """Return how long each of some rules may take: a minute, less when they are many.

    >>> seconds_each(1), seconds_each(12), seconds_each(100)
    (60.0, 10.0, 1.2)
    """
    return min(MOST_RULE_S, max(LEAST_RULE_S, RULES_S / n_rules))


def _with_ids(check: Check, rows: Any) -> Check:
    """Return a Check that names the rows that break its rule by their prediction ids, which stay true."""
    places = [place for place in check.evidence.get("rows", ()) if 0 <= place < rows.height]
    if not places:
        return check
    ids = rows["prediction_id"].gather(places).to_list()
    return replace(check, advice=advice_on(ids), evidence={**check.evidence, "prediction_ids": ids})


def _cause(error: BaseException) -> str:
    """Return why rows could not be judged; the words of other people's errors stay in the log."""
    if isinstance(error, BoucleError):
        return str(error)
    return _("the rows of the window could not be read ({kind}); the worker's log tells more").format(
        kind=type(error).__name__
    )
