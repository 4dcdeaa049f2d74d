"""Expectations: the author's own rules on the rows of a window. The rows are elsewhere; here are the verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.watching import Expectation

MAX_SQL = 2_000  # characters: a parser's stack ends where its text does not
MAX_EXPECTATIONS = 100
N_NAMED = 3  # rows that an advice names; the evidence holds more
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`")
_QUERY = re.compile(
    r"\b(select|with|values|table|insert|update|delete|drop|create|copy)\b|;|--|/\*|\(\s*from\b", re.IGNORECASE
)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")


@dataclass(frozen=True)
class Kept:
    """How many rows keep a rule; ``error`` says why it could not be judged. ``examples`` are the first rows that
    break it, counted from 0 in the window."""

    n_rows: int = 0
    n_kept: int = 0
    error: str = ""
    examples: tuple[int, ...] = ()


class RowJudge(Protocol):
    """Judges rules on rows, out of this process."""

    def judge(self, rows: Any, expectations: Sequence[Expectation], code: Path | None = None) -> tuple[Check, ...]:
        """Return a Check ``expectation:<name>`` for each; ``rows`` is a polars frame, ``code`` where modules lie.

        Never raises for what a rule does.
        """


def problem(expectation: Expectation) -> str:
    """Return what is wrong with a rule before any row is looked at, "" when nothing is.

    Only an expression over the columns is taken: no query, so that no file or other table can be read.

    >>> problem(Expectation("dear", sql="price > 0 OR kind = 'from x; select'"))
    ''
    """
    if bool(expectation.sql) == bool(expectation.function):
        return _("it has both sql and function, or none of them; give one")
    if expectation.function:
        if _FUNCTION.match(expectation.function):
            return ""
        return _("the function is {found}, expected module:name").format(found=expectation.function[:80])
    if len(expectation.sql) > MAX_SQL:
        detail = _("its sql has {n} characters, more than {limit}; cut it in two, or write a function")
        return detail.format(n=len(expectation.sql), limit=MAX_SQL)
    found = _QUERY.search(_QUOTED.sub("''", expectation.sql))
    if found is None:
        return ""
    detail = _("its sql holds {found}, where only an expression over the columns is taken, such as price > 0")
    return detail.format(found=found.group().strip())


def expectation_check(expectation: Expectation, kept: Kept) -> Check:
    """Return the Check of a rule: failed when fewer than its share of rows keep it, or when it cannot be judged.

    >>> expectation_check(Expectation("dear", sql="price > 0", least=0.9), Kept(10, 8, examples=(3, 7))).status
    'fail'
    """
    name = f"expectation:{expectation.name}"
    rule = expectation.sql or expectation.function
    expected = _("{rule} for at least {share} of the rows").format(rule=rule[:200], share=f"{expectation.least:.4g}")
    evidence: dict[str, Any] = {"n_rows": kept.n_rows, "n_kept": kept.n_kept, "least": expectation.least}
    if kept.error:
        observed = _("it could not be judged: {error}").format(error=kept.error[:500])
        advice = _("Correct the rule in the model's watch policy, or the function in its project.")
        return Check(name, "fail", observed, expected, advice, {**evidence, "error": kept.error[:500]})
    share = kept.n_kept / kept.n_rows if kept.n_rows else 1.0
    observed = _("{n_kept} of {n_rows} rows keep it").format(n_kept=kept.n_kept, n_rows=kept.n_rows)
    if share >= expectation.least:
        return Check(name, "pass", observed, expected, evidence=evidence)
    return Check(name, "fail", observed, expected, advice_on(()), {**evidence, "rows": list(kept.examples)})


def advice_on(ids: Sequence[str]) -> str:
    """Return what to do about rows that break a rule: look them up by their prediction ids; it tells the first.

    >>> advice_on(["a:0", "b:0", "c:0", "d:0"])
    'Look at the rows that break it (prediction_id a:0, b:0, c:0): boucle log shows them.'
    """
    if not ids:
        return _("Look at the rows that break it: boucle log shows them.")
    advice = _("Look at the rows that break it (prediction_id {ids}): boucle log shows them.")
    return advice.format(ids=", ".join(ids[:N_NAMED]))


def usable(expectations: Iterable[Expectation]) -> tuple[list[Expectation], list[Check]]:
    """Return the rules that can be judged, at most 100, and the failed Checks of the others."""
    good: list[Expectation] = []
    bad: list[Check] = []
    for expectation in expectations:
        found = problem(expectation)
        if not found and len(good) >= MAX_EXPECTATIONS:
            found = _("there are more than {limit} rules; join some").format(limit=MAX_EXPECTATIONS)
        if found:
            bad.append(expectation_check(expectation, Kept(error=found)))
        else:
            good.append(expectation)
    return good, bad
