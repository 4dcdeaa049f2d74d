"""The inference log: every answer with what was asked, as rows of one table, and the streams that they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from boucle.core.record import InferenceRecord
from boucle.core.report import Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class LogRows:
    """Rows for the log, by column; every list has one entry a row.

    ``prediction_id`` is ``id:row``; ``at`` and ``logged_at`` are UTC microseconds; ``inputs`` is the row that was
    sent as a JSON object, less masked columns; ``prediction`` a JSON value. ``probabilities``, ``low``, ``high`` and
    ``group`` are None where the model tells none.
    """

    model: list[str] = field(default_factory=list)
    version: list[int] = field(default_factory=list)
    prediction_id: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    logged_at: list[int] = field(default_factory=list)
    caller: list[str] = field(default_factory=list)
    latency_us: list[int] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    prediction: list[str] = field(default_factory=list)
    probabilities: list[list[float] | None] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)
    group: list[str | None] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.prediction_id)

    def extend(self, other: LogRows) -> None:
        """Put the rows of another below."""
        for column in fields(self):
            getattr(self, column.name).extend(getattr(other, column.name))

    def day(self) -> list[str]:
        """Return the day of each row, ``YYYY-MM-DD`` in UTC: beside the model what the table is parted by."""
        names = {number: day_of(number * DAY_US) for number in {at // DAY_US for at in self.at}}
        return [names[at // DAY_US] for at in self.at]


DAY_US = 86_400_000_000


def day_of(at: int) -> str:
    """Return the UTC day of a time in microseconds.

    >>> day_of(1_700_000_000_000_000)
    '2023-11-14'
    """
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d")


class LoggedAnswer(NamedTuple):
    """A row of the log, as ground truth is joined with it. ``inputs`` and ``prediction`` are JSON texts."""

    prediction_id: str
    version: int
    at: int
    logged_at: int
    inputs: str
    prediction: str
    probabilities: tuple[float, ...] | None = None
    low: float | None = None
    high: float | None = None


class Move(NamedTuple):
    """From where to where a consumer goes in a stream, in bytes."""

    start: int
    stop: int


class InferenceLog(Protocol):
    """The table. Whoever appends says where each stream stood and stands then, so that no row is ever there twice."""

    def position(self, stream: str) -> int:
        """Return how far a stream is in the table, in bytes."""

    def append(self, rows: LogRows, moves: Mapping[str, Move]) -> None:
        """Add rows and move the streams on, in one commit.

        Raises Conflict, with nothing added, when a stream is elsewhere than ``moves`` say: another was faster.
        """

    def find(self, model: str, ids: Iterable[str]) -> dict[str, LoggedAnswer]:
        """Return the rows of these prediction ids (``id:row``), by id; ids that are not there are left out."""

    def rows(self, model: str, window: Span, version: int | None = None, limit: int | None = None) -> Any:
        """Return the rows of a model whose ``at`` lies in a window, in order of time, as a polars LazyFrame.

        ``limit`` keeps the newest ones.
        """

    def sync(self) -> None:
        """Return when all that was appended would survive a loss of power."""

    def maintain(self) -> None:
        """Make few files of many, and drop what no reader needs any more. Costs little when there is little to do."""

    def forget(self, model: str, before: int) -> None:
        """Drop the rows of a model of the days that ended before a time."""


class Streams(Protocol):
    """What gateways have written: each stream is one line of records, a position in it a number of bytes."""

    def streams(self) -> tuple[str, ...]:
        """Return the streams there are."""

    def end(self, stream: str) -> int:
        """Return how many bytes a stream holds, the last of which may be half a record."""

    def is_over(self, stream: str) -> bool:
        """True when nothing will be added to a stream."""

    def read(self, stream: str, position: int, max_bytes: int) -> tuple[list[InferenceRecord], int]:
        """Return whole records from a position and the position after them: about ``max_bytes``, at least a record.

        The same position again means that there is nothing more for now.
        """

    def drop(self, stream: str, position: int) -> None:
        """Delete the segments that end at or before a position: all of a stream whose gateway has ended."""
