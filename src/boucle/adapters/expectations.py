"""User-written expectations judged by polars in a process of their own: a rule may loop, crash or eat memory."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from boucle.adapters import expectation_process
from boucle.adapters.project_process import ProjectProcesses
from boucle.core.check import Check
from boucle.core.document import to_json
from boucle.core.i18n import _
from boucle.core.passing import passing_file, passing_folder
from boucle.core.watching import Expectation
from boucle.monitoring.expectations import Kept, expectation_check, usable
from boucle.training.ports import Command

TIMEOUT_S = 60.0
_KEPT_ENVIRON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "OMP_NUM_THREADS", "POLARS_MAX_THREADS")


class ExpectationProcesses:
    """Judges all rules of a window in one child process; a rule that ends the child fails alone.

    The child gets the rows as a file that no kill leaves behind, no secret from the environment, ``timeout_s`` for
    each rule, and 4 GiB of memory where the system can limit it.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._environ = {name: os.environ[name] for name in _KEPT_ENVIRON if name in os.environ}

    def judge(self, rows: Any, expectations: Sequence[Expectation], code: Path | None = None) -> tuple[Check, ...]:
        """Return a Check for each rule, in their order. See ``monitoring.expectations.RowJudge``."""
        good, bad = usable(expectations)
        found = {check.name: check for check in bad}
        if good:
            with passing_folder("rules") as folder, passing_file(folder / expectation_process.ROWS) as file:
                rows.write_ipc(file)
                file.flush()
                kept = self._all_kept(folder, good, code)
            found |= {(check := expectation_check(rule, k)).name: check for rule, k in zip(good, kept, strict=True)}
        names = dict.fromkeys(f"expectation:{rule.name}" for rule in expectations)
        return tuple(found[name] for name in names)

    def _all_kept(self, folder: Path, rules: Sequence[Expectation], code: Path | None) -> list[Kept]:
        """Run children until each rule has a verdict: the rule under which one ended is told so and left out."""
        found: list[Kept] = []
        while len(found) < len(rules):
            rest = rules[len(found) :]
            reason = self._run(folder, rest, code)
            told = _results(folder / expectation_process.RESULTS)
            if told is None:  # it did not come to the first rule: so it would be for the others
                return found + [Kept(error=reason)] * len(rest)
            found += told[: len(rest)]
            if len(told) < len(rest):
                found.append(Kept(error=reason))
        return found

    def _run(self, folder: Path, rules: Sequence[Expectation], code: Path | None) -> str:
        """Run one child; return why it ended before its time, if it did."""
        (folder / expectation_process.RULES).write_text(json.dumps([to_json(rule) for rule in rules]), "utf-8")
        (folder / expectation_process.RESULTS).write_bytes(b"")  # those of the child before are read already
        module = "boucle.adapters.expectation_process"
        argv = (sys.executable, "-I", "-m", module, str(folder), str(self._timeout_s), str(code or ""))
        last: list[str] = []
        limit_s = self._timeout_s * len(rules) + 30.0
        try:
            status = ProjectProcesses().run(
                Command(argv, folder, self._environ, limit_s), lambda line: _keep(last, line)
            )
        except TimeoutError:
            return _("no end after {limit} s").format(limit=f"{limit_s:g}")
        if status in expectation_process.TIMED_OUT:
            return _("no end after {limit} s").format(limit=f"{self._timeout_s:g}")
        return _("its process ended with status {status}: {last}").format(status=status, last=" / ".join(last)[-300:])


def _keep(last: list[str], line: str) -> None:
    """Keep the last lines of what a rule prints."""
    last.append(line)
    del last[:-3]


def _results(path: Path) -> list[Kept] | None:
    """Return the verdicts that a child wrote, in order; None when it was never ready."""
    ready, *lines = path.read_text("utf-8").split("\n")
    found = []
    with suppress(ValueError):  # a line that was cut when the child was killed is no verdict
        for line in lines:
            told = json.loads(line)
            found.append(Kept(told["n_rows"], told["n_kept"], told["error"], tuple(told["examples"])))
    return found if ready == expectation_process.READY else None
