"""Warm series: the profiles of the models that people look at, kept decoded and in step with the store.

Old minutes change too (outcomes come late, corrections, minutes rolled up into hours), so what is held is asked for by
revision: what changed since is read again from its first step on, and where steps have gone all of it is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from boucle.core.report import Report, Span
from boucle.core.series import Series
from boucle.loop.reports import ReportQuery, ReportWorld, report
from boucle.monitoring.ports import Key, Mark, ProfileStore

END = 2**62
MOST_BYTES = 512 * 1024 * 1024


@dataclass
class _Held:
    start: int
    series: Series
    mark: Mark


class WarmSeries:
    """Calling it returns the series of a key that holds all steps in a span (and perhaps more).

    At most ``most_bytes`` are held, or one series; those asked for longest ago go first. One thread at a time.
    """

    def __init__(self, profiles: ProfileStore, most_bytes: int = MOST_BYTES) -> None:
        self._profiles = profiles
        self._most_bytes = most_bytes
        self._held: OrderedDict[Key, _Held] = OrderedDict()

    def __call__(self, key: Key, span: Span) -> Series:
        """Return the series as the store has it now."""
        held = self._held.get(key)
        is_known = held is not None and held.start <= span.start
        held = self._refreshed(key, held) if held is not None and is_known else self._read(key, span.start)
        if held.mark.n_steps:
            self._held[key] = held
            self._held.move_to_end(key)
            self._make_room()
        else:  # nothing is kept of what may not even have its grid yet
            self._held.pop(key, None)
        return held.series

    def _read(self, key: Key, start: int) -> _Held:
        mark = self._profiles.mark(key, start)  # first: what comes in between is read twice rather than never
        return _Held(start, self._profiles.series(key, Span(start, END)), mark)

    def _refreshed(self, key: Key, held: _Held) -> _Held:
        mark = self._profiles.mark(key, held.start, held.mark.revision)
        if (mark.n_steps, mark.revision) == (held.mark.n_steps, held.mark.revision):
            return held
        if mark.first is None:
            return self._read(key, held.start)
        newer = self._profiles.series(key, Span(mark.first, END))
        n_kept = sum(time < mark.first for time in held.series.times)
        if not len(newer) or n_kept + len(newer) != mark.n_steps:  # some are gone
            return self._read(key, held.start)
        held.series.extend(newer.steps)
        return replace(held, mark=mark)

    def _make_room(self) -> None:
        while len(self._held) > 1 and sum(held.series.n_bytes for held in self._held.values()) > self._most_bytes:
            self._held.popitem(last=False)


def warm_reports(world: Callable[[WarmSeries], ReportWorld], warm: WarmSeries) -> Callable[[ReportQuery], Report]:
    """Return what makes reports from warm series, one after the other, for any thread."""
    lock, made = threading.Lock(), world(warm)

    def ask(query: ReportQuery) -> Report:
        with lock:
            return report(made, query)

    return ask
