"""Evidently's report on a window of ours, made in an environment of its own, for its pandas is not the platform's.

The window and its reference are handed over as Parquet files; Evidently's page comes back. Evidently tells its makers
that it was used unless it is told not to: it is told not to.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from boucle.adapters import evidently_script as script
from boucle.adapters.project_process import ProjectProcesses
from boucle.core.errors import BoucleError, InvalidRequest
from boucle.core.files import publish
from boucle.core.i18n import _
from boucle.core.passing import passing_file, passing_folder
from boucle.core.table import Column, Table, missing_mask
from boucle.loop.exploring import OWN, frame_of, told_names
from boucle.training.ports import Command, Environments, Processes, Tell

REQUIREMENTS = ("evidently==0.7.23", "pandas<3", "pyarrow")
PYTHONS = ("3.11", "3.12", "3.13", "3.10")
TIMEOUT_S = 900.0
MOST_LEVELS = 1_000  # a text of more values is an id or prose: Evidently would draw a bar for each
_KINDS = {"float": "numerical", "int": "numerical", "bool": "categorical", "text": "categorical"}
_KEPT_ENVIRON = ("PATH", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS")


class EvidentlyFailed(BoucleError):
    """Evidently could not make its report."""

    code = "evidently-failed"


@dataclass(frozen=True)
class Lend:
    """What Evidently is run with: ``lock`` pins requirements for an interpreter, ``folder`` keeps what it pinned."""

    environments: Environments
    lock: Callable[[tuple[str, ...], str], str]
    folder: Path
    processes: Processes = ProjectProcesses()
    timeout_s: float = TIMEOUT_S


class EvidentlyReports:
    """Makes its environment at the first use: some 80 packages, kept for the next time."""

    def __init__(self, lend: Lend) -> None:
        self._lend = lend

    def write(self, reference: Table, current: Table, out: Path, tell: Tell) -> Path:
        """Write Evidently's page on two tables (their common columns) to a file, whole or not at all; return it.

        ``tell`` hears what is done. Raises EnvironmentFailed when its environment cannot be made, InvalidRequest
        when there is nothing to compare, EvidentlyFailed with its last words or after 15 minutes.
        """
        columns = common(reference, current)
        names = [name for of_kind in columns.values() for name in of_kind]
        if not names or not reference.n_rows or not current.n_rows:
            raise InvalidRequest("nothing-to-compare", _nothing(reference, current, names))
        python = self.python(tell)
        left_out = [name for name in reference.names if name in current.columns and name not in names]
        if left_out:
            tell(_("left out, too many values: {names}").format(names=", ".join(left_out[:20])))
        with passing_folder("evidently") as folder, ExitStack() as held:
            for file, table in ((script.REFERENCE, reference), (script.CURRENT, current)):
                handed = held.enter_context(passing_file(folder / file))
                frame_of(table.select(names)).write_parquet(handed)
                handed.flush()
            (folder / script.COLUMNS).write_text(json.dumps(columns), "utf-8")
            tell(_("Evidently compares {n} rows with {m}").format(n=current.n_rows, m=reference.n_rows))
            self._run(python, folder)
            publish(out.absolute(), (folder / script.REPORT).read_bytes())
        return out

    def python(self, tell: Tell) -> Path:
        """Return the Python of Evidently's environment, made when it is not there."""
        there = self._lend.environments.interpreters()
        ours = f"{sys.version_info.major}.{sys.version_info.minor}"
        interpreter = next((minor for minor in (ours, *PYTHONS) if minor in there and minor in PYTHONS), PYTHONS[0])
        pinned = self._lend.folder / f"evidently-{interpreter}.txt"
        if not pinned.exists():
            tell(_("making Evidently's environment ({requirements})").format(requirements=", ".join(REQUIREMENTS)))
            lock = self._lend.lock(REQUIREMENTS, interpreter)
            pinned.parent.mkdir(parents=True, exist_ok=True)
            publish(pinned, lock.encode())
        return self._lend.environments.ensure(pinned.read_text("utf-8"), interpreter)

    def _run(self, python: Path, folder: Path) -> None:
        environ = {name: os.environ[name] for name in _KEPT_ENVIRON if name in os.environ}
        quiet = {"DO_NOT_TRACK": "1", "HOME": str(folder), "MPLCONFIGDIR": str(folder), "PYTHONWARNINGS": "ignore"}
        argv = (str(python), "-I", script.__file__, str(folder))
        last: list[str] = []

        def hear(line: str) -> None:
            last.append(line)
            del last[:-3]

        try:
            status = self._lend.processes.run(Command(argv, folder, environ | quiet, self._lend.timeout_s), hear)
        except TimeoutError as error:
            text = _("Evidently made no report in {n} s. Ask for a shorter window: --since, --until.")
            raise EvidentlyFailed(text.format(n=f"{self._lend.timeout_s:g}")) from error
        if status or not (folder / script.REPORT).is_file():
            text = _("Evidently ended with status {status}: {last}")
            raise EvidentlyFailed(text.format(status=status, last=" / ".join(last)[-500:]))


def aligned(rows: Table, names: Iterable[str], target: str | None) -> Table:
    """Return the columns of a log under the model's names: ``truth`` is its target, ``input_at`` its input ``at``.

    The target is left out as long as no outcome is known.
    """
    found = {}
    wanted = list(names)
    inputs = [name for name in wanted if name != target]
    told = told_names(inputs, {*OWN, *(name for name in inputs if name.startswith("probability_"))})
    for name in wanted:
        own = "truth" if name == target else told[name]
        if own not in rows.columns and name not in (*OWN, target):  # an answer without such a probability
            own = name
        column = rows.columns.get(own)
        if column is not None and not (name == target and missing_mask(column).all()):
            found[name] = column
    return Table(found)


def common(reference: Table, current: Table) -> dict[str, list[str]]:
    """Return the columns that both tables hold in a like kind, by what Evidently calls it.

    Left out are texts of more than 1,000 values, and columns without any value on either side.
    """
    found: dict[str, list[str]] = {"numerical": [], "categorical": [], "datetime": []}
    for name in reference.names:
        pair = [table.columns[name] for table in (reference, current) if name in table.columns]
        kinds = {_kind(column) for column in pair}
        kind = kinds.pop() if len(pair) == 2 and len(kinds) == 1 else ""
        if kind and all(_is_drawn(column) for column in pair):
            found[kind].append(name)
    return found


def _kind(column: Column) -> str:
    return "datetime" if column.kind == "datetime" else _KINDS.get(column.kind, "")


def _is_drawn(column: Column) -> bool:
    missing: np.ndarray = np.asarray(missing_mask(column))
    if missing.all():
        return False
    return column.kind != "text" or len(set(column.values[~missing].tolist())) <= MOST_LEVELS


def _nothing(reference: Table, current: Table, names: list[str]) -> str:
    if names:
        return _("The reference holds {n} rows and the window {m}: there is nothing to compare.").format(
            n=reference.n_rows, m=current.n_rows
        )
    return _("The window shares no column with its reference: {names}.").format(names=", ".join(reference.names[:10]))
