"""What is found wrong with the rows of a request: all of it counted, the first twenty told."""

from __future__ import annotations

from typing import Any

from boucle.core.errors import InvalidRows, RowProblem, shown
from boucle.core.i18n import _

MAX_PROBLEMS = 20


class Findings:
    """Collects problems; only the first twenty become texts, so that 10 million wrong cells cost a count."""

    def __init__(self) -> None:
        self.problems: list[RowProblem] = []
        self.total = 0

    def add(self, code: str, column: str, row: int | None, *, expected: str, found: str) -> None:
        """Count one more problem, of a cell or (``row`` None) of a whole column."""
        self.total += 1
        if len(self.problems) < MAX_PROBLEMS:
            detail = _("Row {row}, column '{column}': expected {expected}, found {found}.")
            text = detail.format(row=row, column=column[:80], expected=expected, found=found)
            self.problems.append(RowProblem(code, column, text, row, expected))

    def refuse(self) -> None:
        """Raise InvalidRows when anything was found."""
        if self.problems:
            raise InvalidRows(self.problems, self.total)


def kind_of(value: Any) -> str:
    """Return the JSON word for what a value is; never the value itself, which may be huge."""
    words = {dict: _("an object"), list: _("a list"), str: _("a text"), bool: _("true or false"), type(None): _("null")}
    return words.get(type(value), _("a number"))


def told(value: Any) -> str:
    """Return a cell as it may be printed: its kind and at most 80 characters of it.

    >>> told("abc"), told([1, [2]])
    ("a text: 'abc'", 'a list')
    """
    if value is None or isinstance(value, (dict, list)):
        return kind_of(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"{kind_of(value)}: {shown(value[:100])}"
    return f"{kind_of(value)}: {shown(value)}" if abs(value) < 1e300 else kind_of(value)
