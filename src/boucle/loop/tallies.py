"""Tallies: what a pass counted, by key and minute, before it is written at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from boucle.core.counting import count_by
from boucle.core.grid import Grid
from boucle.core.profile import Profile
from boucle.core.record import InferenceRecord
from boucle.core.reference import Reference
from boucle.core.table import Column, Table
from boucle.loop.decoding import MINUTE_US, Decoded
from boucle.loop.slices import masks
from boucle.monitoring.grids import LATENCY, OUTCOME
from boucle.monitoring.ports import Key, Stream

Of = tuple[str, int]
_FAILED = 500


@dataclass
class Tallies:
    """Profiles to be added to those of their minutes."""

    found: dict[tuple[Key, int], Profile] = field(default_factory=dict)

    def add(self, key: Key, minute: int, profile: Profile) -> None:
        """Add a profile."""
        place = (key, minute)
        self.found[place] = self.found[place] + profile if place in self.found else profile

    def count(self, key: Key, grid: Grid | None, rows: Table, minutes: Any) -> None:
        """Count rows by their minutes. A stream without a grid is not counted."""
        if grid is None or rows.n_rows == 0:
            return
        for minute, profile in count_by(grid, rows, minutes).items():
            self.add(key, minute, profile)


def count_answers(tallies: Tallies, of: Of, reference: Reference, decoded: Decoded, slices: Iterable[str]) -> None:
    """Count the rows that were asked about and what was answered, all of them and those of each slice."""
    model, version = of
    streams: tuple[tuple[Stream, Table], ...] = (("features", decoded.features), ("answers", decoded.answers))
    found = masks(decoded.features, slices)
    for stream, rows in streams:
        grid = reference.grids.get(stream)
        tallies.count(Key(model, version, stream), grid, rows, decoded.minutes)
        for name, mask in found.items():
            tallies.count(Key(model, version, stream, name), grid, rows.take(mask), decoded.minutes[mask])


def count_traffic(tallies: Tallies, of: Of, reference: Reference, records: Sequence[InferenceRecord]) -> None:
    """Count requests: answered ones with their latency, refused ones, failed ones (500 and more), lost answers."""
    grid = reference.grids["traffic"]
    key = Key(*of, "traffic")
    told = [record for record in records if record.kind in ("answer", "refusal")]
    outcomes = [_outcome(record) for record in told]
    latencies = [record.latency_us / 1_000 for record in told]
    minutes = np.array([record.at // MINUTE_US * MINUTE_US for record in told], dtype=np.int64)
    tallies.count(key, grid, _requests(latencies, outcomes), minutes)
    for record in records:
        if record.kind == "gap" and record.n_lost:
            one = count_by(grid, _requests([float("nan")], ["lost"]), np.zeros(1, dtype=np.int64))[0]
            tallies.add(key, record.at // MINUTE_US * MINUTE_US, _times(one, record.n_lost))


def _outcome(record: InferenceRecord) -> str:
    if record.kind == "answer":
        return "answered"
    return "failed" if record.status >= _FAILED else "refused"


def _requests(latencies: list[float], outcomes: list[str]) -> Table:
    texts = np.empty(len(outcomes), dtype=object)
    texts[:] = outcomes
    return Table({LATENCY: Column("float", np.array(latencies, dtype=np.float64)), OUTCOME: Column("text", texts)})


def _times(profile: Profile, n: int) -> Profile:
    """Return the profile of ``n`` rows like the one of a profile whose numbers are all missing."""
    return Profile(
        profile.grid,
        profile.n_rows * n,
        profile.counts * n,
        profile.sums,
        profile.missing * n,
        profile.squares,
        profile.low,
        profile.high,
    )
