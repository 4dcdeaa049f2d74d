"""Memory: what a look at a version leaves for the next one, as a JSON document."""

from __future__ import annotations

import base64
import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.report import Span
from boucle.core.series import Series
from boucle.monitoring.steps import SECOND

BASELINE_ROWS = {"answers": 1_000, "features": 1_000, "quality": 500}  # by the first word of what is learnt
GROWN_ROWS = 5_000
LEAST_WAITS = 3


@dataclass
class Memory:
    """``judged_until`` and ``late_until`` say how far windows were judged, without and with ground truth; ``looked``
    the steps until which was looked, also in vain.

    ``baselines`` are profiles of the first rows in service, by stream, once they are enough; ``streaks`` is what
    alerts remember, ``concept`` what the sequential detectors do, ``seen`` the newest minute of a stream and since when
    it is the newest, ``labels`` how outcomes come. A new version begins where the last one was judged, with streaks
    only: what it answered before, as a challenger or until a rollback, is not judged again.
    """

    version: int
    judged_until: int = 0
    late_until: int = 0
    streaks: dict[str, Any] = field(default_factory=dict)
    concept: dict[str, Any] = field(default_factory=dict)
    baselines: dict[str, str] = field(default_factory=dict)
    seen: dict[str, list[int]] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    looked: list[int] = field(default_factory=lambda: [0, 0])

    @classmethod
    def read(cls, document: Mapping[str, Any], version: int) -> Memory:
        """Return the memory of the last look; of another version only how far it came and what alerts remember."""
        kept = {"judged_until": 0, "late_until": 0, "streaks": {}}
        if document.get("version") == version:
            kept = {each.name: None for each in fields(cls) if each.name != "version"}
        return cls(version, **copy.deepcopy({name: document[name] for name in kept if name in document}))

    def document(self) -> dict[str, Any]:
        """Return it as JSON, apart from what changes later."""
        return copy.deepcopy(vars(self))

    def quiet_s(self, stream: str, newest: int, now: int) -> float:
        """Return for how many seconds nothing newer came to a stream, by the platform's clock; remembers what it saw.

        A clock that ran backwards begins to count anew.
        """
        seen = self.seen.get(stream)
        if seen is None or seen[0] != newest or seen[1] > now:
            seen = self.seen[stream] = [newest, now]
        return (now - seen[1]) / SECOND

    def learn(self, name: str, series: Series, until: int) -> None:
        """Take the first rows of a stream for its baseline once they are enough; it never changes after that.

        ``name`` is the stream, of a slice with the slice behind a blank: ``quality city=Lyon``.
        """
        if name in self.baselines:
            return
        first = series.within(Span(-(2**62), until))
        if first.grid.parts and first.n_rows >= BASELINE_ROWS[name.split(" ", maxsplit=1)[0]]:
            self.baselines[name] = base64.b64encode(first.to_bytes()).decode("ascii")

    def grow(self, name: str, series: Series, until: int) -> None:
        """Take more rows for a baseline that is still small: its own chance must not be charged to all windows."""
        held = self.baseline(name, series.grid)
        if held is not None and held.n_rows < GROWN_ROWS:
            grown = series.within(Span(-(2**62), until))
            if grown.n_rows > held.n_rows:
                self.baselines[name] = base64.b64encode(grown.to_bytes()).decode("ascii")

    def forget_slices(self, but: Collection[str]) -> None:
        """Forget what was learnt of slices that are not looked at any more."""
        kept = {"", *but}
        self.baselines = {name: told for name, told in self.baselines.items() if name.partition(" ")[2] in kept}
        self.streaks = {where: told for where, told in self.streaks.items() if where in kept}

    def wait(self, newest: int, labelled: int) -> None:
        """Hear of the newest minutes with a row and with an outcome; remembers how long outcomes are waited for."""
        if labelled > self.labels.get("newest", labelled):
            waited = max(self.labels.get("ahead", newest) - self.labels["newest"], 0)
            self.labels["widest"] = max(self.labels.get("widest", 0), waited)
            self.labels["n"] = self.labels.get("n", 0) + 1
        self.labels |= {"newest": labelled, "ahead": newest}

    def patience(self) -> int | None:
        """Return the longest wait for an outcome so far, us; None before it is known."""
        return self.labels["widest"] if self.labels.get("n", 0) >= LEAST_WAITS else None

    def baseline(self, name: str, grid: Grid) -> Profile | None:
        """Return what was learnt; None while it is not there."""
        kept = self.baselines.get(name)
        return None if kept is None else Profile.from_bytes(grid, base64.b64decode(kept))
