"""The inference log in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from boucle.core.errors import Conflict
from boucle.core.report import Span
from boucle.loop.log import DAY_US, LoggedAnswer, LogRows, Move

if TYPE_CHECKING:
    import polars


class MemoryLog:
    """``kept`` holds all rows, in the order in which they came."""

    def __init__(self) -> None:
        self.kept = LogRows()
        self.positions: dict[str, int] = {}

    def position(self, stream: str) -> int:
        """Return how far a stream is in the log, in bytes."""
        return self.positions.get(stream, 0)

    def append(self, rows: LogRows, moves: Mapping[str, Move]) -> None:
        """Add rows and move the streams on. Raises Conflict, with nothing added."""
        for stream, move in moves.items():
            if self.position(stream) != move.start:
                raise Conflict(f"Stream {stream} is at {self.position(stream)}, expected {move.start}.")
        self.kept.extend(rows)
        self.positions.update({stream: move.stop for stream, move in moves.items()})

    def find(self, model: str, ids: Iterable[str]) -> dict[str, LoggedAnswer]:
        """Return the rows of these prediction ids, by id."""
        wanted = set(ids)
        places = [i for i, id_ in enumerate(self.kept.prediction_id) if id_ in wanted and self.kept.model[i] == model]
        return {self.kept.prediction_id[i]: self._answer(i) for i in places}

    def rows(self, model: str, window: Span, version: int | None = None, limit: int | None = None) -> polars.LazyFrame:
        """Return the rows of a model in a window, in order of time; ``limit`` keeps the newest ones."""
        import polars as pl

        from boucle.adapters.delta_log import frame_of, within

        return within(frame_of(self.kept).lazy().filter(pl.col("model") == model), window, version, limit)

    def sync(self) -> None:
        """There is nothing to do."""

    def maintain(self) -> None:
        """There is nothing to do."""

    def forget(self, model: str, before: int) -> None:
        """Drop the rows of a model of the days that ended before a time."""
        day = before // DAY_US
        kept = [i for i, at in enumerate(self.kept.at) if self.kept.model[i] != model or at // DAY_US >= day]
        self.kept = LogRows(**{name: [column[i] for i in kept] for name, column in vars(self.kept).items()})

    def _answer(self, i: int) -> LoggedAnswer:
        kept = self.kept
        probabilities = kept.probabilities[i]
        return LoggedAnswer(
            kept.prediction_id[i],
            kept.version[i],
            kept.at[i],
            kept.logged_at[i],
            kept.inputs[i],
            kept.prediction[i],
            None if probabilities is None else tuple(probabilities),
            kept.low[i],
            kept.high[i],
        )
