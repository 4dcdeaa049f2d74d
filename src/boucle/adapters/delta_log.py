"""DeltaLog: the inference log as one Delta table, parted by model and day, that polars, DuckDB and Spark read as it is.

How far each stream is collected is kept in the table's own log, as the version of an application transaction: rows
and positions are one commit. Delta refuses a second commit for the same application only while both are under way,
so a commit goes through the very object whose transaction version was read, never through the path: that would read
the table anew, and take the rows of a collector that had slept a second time.

polars and deltalake have threads of their own, which do not survive a fork: they are imported late, in the child that
collects, and never in the worker that forks it. Tables are never read through ``to_pyarrow_table``, which has been
seen to abort the process at its end.
"""

from __future__ import annotations

import ctypes
import os
import sys
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boucle.adapters.delta_repair import cut_back
from boucle.core.errors import Conflict
from boucle.core.i18n import _
from boucle.core.report import Span
from boucle.loop.log import LoggedAnswer, LogRows, Move, day_of

if TYPE_CHECKING:
    import polars
    from deltalake import DeltaTable

_REOPEN_EVERY = 25  # commits through one object cost more and more
_MAINTAIN_EVERY = 250
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
_GRACE_H = 1  # files and versions are kept so long for readers that hold an older table
_FILE_BYTES = 128 * 1024 * 1024
_GROUP_ROWS = 65_536  # so that a few rows are found without reading all of a compacted file
_ATTEMPTS = 5
_CONFIGURATION = {
    "delta.logRetentionDuration": f"interval {_GRACE_H} hours",
    "delta.deletedFileRetentionDuration": f"interval {_GRACE_H} hours",
}
_syncfs = ctypes.CDLL(None, use_errno=True).syncfs if sys.platform == "linux" else None


class DeltaLog:
    """``folder`` holds the table, made by the first rows. One thread at a time may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._table: DeltaTable | None = None
        self._n_commits = 0
        self._is_mended = False

    def position(self, stream: str) -> int:
        """Return how far a stream is in the table, in bytes."""
        self._mend()
        table = self._opened()
        return 0 if table is None else table.transaction_version(stream) or 0

    def append(self, rows: LogRows, moves: Mapping[str, Move]) -> None:
        """Add rows and move the streams on, in one commit. Raises Conflict, with nothing added."""
        from deltalake import CommitProperties, Transaction, write_deltalake
        from deltalake.exceptions import CommitFailedError

        table = self._opened() or self._created()
        for stream, move in moves.items():
            if (table.transaction_version(stream) or 0) != move.start:
                self._table = None
                raise _conflict(stream)
        done = [Transaction(stream, move.stop) for stream, move in moves.items()]
        before = table.version()
        try:
            write_deltalake(
                table,
                frame_of(rows),
                mode="append",
                commit_properties=CommitProperties(app_transactions=done),
                writer_properties=_writing(),
            )
        except CommitFailedError as error:
            self._table = None
            raise _conflict(", ".join(moves)) from error
        self._n_commits += 1
        if self._n_commits % _REOPEN_EVERY == 0:
            self._table = None
        if table.version() // _MAINTAIN_EVERY != before // _MAINTAIN_EVERY:
            self.maintain()

    def find(self, model: str, ids: Iterable[str]) -> dict[str, LoggedAnswer]:
        """Return the rows of these prediction ids, by id, out of the files that may hold them by their statistics."""
        import polars as pl

        wanted = sorted(set(ids))
        table = self._opened() if wanted else None
        if table is None:
            return {}
        paths = _files_of(table, model, wanted)
        if not paths:
            return {}
        columns = list(LoggedAnswer._fields)
        among = pl.Series("wanted", wanted)
        found = (
            pl.scan_parquet([self._folder / path for path in paths], hive_partitioning=False)
            .filter(pl.col("prediction_id").is_between(pl.lit(wanted[0]), pl.lit(wanted[-1])))
            .filter(pl.col("prediction_id").is_in(among.implode()))
            .select(columns)
            .with_columns(pl.col("at", "logged_at").dt.epoch("us"))
            .collect()
        )
        return {row[0]: _answer(row) for row in found.iter_rows()}

    def rows(self, model: str, window: Span, version: int | None = None, limit: int | None = None) -> polars.LazyFrame:
        """Return the rows of a model in a window, in order of time; ``limit`` keeps the newest ones."""
        import polars as pl

        self._table = None  # a reader wants what is there now
        table = self._opened()
        frame = frame_of(LogRows()).lazy() if table is None else pl.scan_delta(table)
        first, last = _day(window.start), _day(max(window.start, window.stop - 1))
        of_model = (pl.col("model") == model) & (pl.col("day") >= first) & (pl.col("day") <= last)
        return within(frame.filter(of_model), window, version, limit)

    def sync(self) -> None:
        """Bring the file system of the table to the disk: its writer leaves that to the kernel."""
        try:
            folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if _syncfs is None:
                os.sync()
            elif _syncfs(folder) != 0:
                raise OSError(ctypes.get_errno(), "the inference log cannot be brought to the disk", str(self._folder))
        finally:
            os.close(folder)

    def maintain(self) -> None:
        """Compact, drop files and versions that are over an hour gone, and write the table's log as a checkpoint."""
        self._mend()
        self._table = None
        table = self._opened()
        if table is None:
            return
        if self._changed(lambda: table.optimize.compact(target_size=_FILE_BYTES, writer_properties=_writing())):
            self.sync()  # a checkpoint stands for commits that are no more: what it tells must be on the disk, and so
            table.vacuum(retention_hours=_GRACE_H, dry_run=False, enforce_retention_duration=False, full=True)
            table.create_checkpoint()
            self.sync()  # must it be itself
            table.cleanup_metadata()
        self._table = None

    def forget(self, model: str, before: int) -> None:
        """Drop the rows of a model of the days that ended before a time."""
        day = day_of(before)
        self._mend()
        for _attempt in range(_ATTEMPTS):
            self._table = None
            table = self._opened()
            if table is None or not any(p["model"] == model and p["day"] < day for p in table.partitions()):
                return
            if self._changed(lambda: table.delete(f"model = '{model}' and day < '{day}'")):  # noqa: B023  # at once; a name is letters and digits
                return

    def _changed(self, change: Any) -> bool:
        """Make a change that may come later; False when another one came between."""
        from deltalake.exceptions import CommitFailedError

        try:
            change()
        except CommitFailedError:
            return False
        finally:
            self._table = None
        return True

    def _mend(self) -> None:
        """Before the first change: see whether a loss of power has damaged the end of the table."""
        if not self._is_mended:
            cut_back(self._folder)
            self._is_mended = True

    def _opened(self) -> DeltaTable | None:
        from deltalake import DeltaTable

        if self._table is None and DeltaTable.is_deltatable(str(self._folder)):
            self._table = DeltaTable(self._folder)
        return self._table

    def _created(self) -> DeltaTable:
        from deltalake import DeltaTable, write_deltalake
        from deltalake.exceptions import DeltaError

        try:
            write_deltalake(
                self._folder,
                frame_of(LogRows()),
                mode="error",
                partition_by=["model", "day"],
                name="inference_log",
                configuration=_CONFIGURATION,
            )
        except DeltaError as error:
            if not DeltaTable.is_deltatable(str(self._folder)):
                raise
            del error  # another collector has just made it
        self._table = DeltaTable(self._folder)
        return self._table


def frame_of(rows: LogRows) -> polars.DataFrame:
    """Return rows as a polars frame with the columns of the table."""
    import polars as pl

    time = pl.Datetime("us", "UTC")
    types: dict[str, Any] = {
        "model": pl.String,
        "day": pl.String,
        "version": pl.Int32,
        "prediction_id": pl.String,
        "at": time,
        "logged_at": time,
        "caller": pl.String,
        "latency_us": pl.Int64,
        "inputs": pl.String,
        "prediction": pl.String,
        "probabilities": pl.List(pl.Float64),
        "low": pl.Float64,
        "high": pl.Float64,
        "group": pl.String,
    }
    values = {column.name: getattr(rows, column.name) for column in fields(rows)} | {"day": rows.day()}
    return pl.DataFrame({name: pl.Series(name, values[name], dtype=kind) for name, kind in types.items()})


def within(frame: polars.LazyFrame, window: Span, version: int | None, limit: int | None) -> polars.LazyFrame:
    """Return the rows of a window and version in order of time; ``limit`` keeps the newest ones."""
    import polars as pl

    time = pl.Datetime("us", "UTC")
    start, stop = (pl.lit(at, pl.Int64).cast(time) for at in (window.start, window.stop))
    found = frame.filter((pl.col("at") >= start) & (pl.col("at") < stop))
    if version is not None:
        found = found.filter(pl.col("version") == version)
    found = found.sort("at", "prediction_id")
    return found if limit is None else found.tail(limit)


def _day(at: int) -> str:
    """Return the day of a time, the first or last one there is for a time beyond them."""
    return day_of(min(max(at, _FIRST_US), _LAST_US))


def _files_of(table: DeltaTable, model: str, wanted: list[str]) -> list[str]:
    """Return the files of a model whose least and greatest id leave room for one of these (sorted)."""
    import polars as pl

    files = pl.DataFrame(table.get_add_actions(flatten=True))
    if files.height == 0 or "min.prediction_id" not in files.columns:
        return []
    of_model = files.filter(pl.col("partition.model") == model)
    bounds = of_model.select("path", "min.prediction_id", "max.prediction_id").iter_rows()
    return [path for path, low, high in bounds if low is None or high is None or _has_between(wanted, low, high)]


def _has_between(wanted: list[str], low: str, high: str) -> bool:
    """Tell whether one of these texts (sorted) lies between two, which may have been cut short."""
    place = bisect_left(wanted, low)
    return place < len(wanted) and wanted[place][: len(high)] <= high


def _answer(row: tuple[Any, ...]) -> LoggedAnswer:
    answer = LoggedAnswer(*row)
    probabilities = answer.probabilities
    return answer if probabilities is None else answer._replace(probabilities=tuple(probabilities))


def _writing() -> Any:
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=_GROUP_ROWS)


def _conflict(streams: str) -> Conflict:
    return Conflict(
        _("Stream {streams} was collected by another collector meanwhile: nothing was added. It goes on.").format(
            streams=streams
        )
    )
