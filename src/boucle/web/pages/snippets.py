"""Code that asks a model one row, ready to run, in the languages of those who call it.

The templates are code with holes; each hole is filled with a literal of its language, quoted here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boucle.core.i18n import N_, _
from boucle.core.schema import Schema
from boucle.web.pages.templates import environment

WIDE, WINDOW_FILE = 88, "window.csv"


@dataclass(frozen=True)
class Example:
    """What a snippet asks: ``address`` of the invocations, the ``row`` as JSON values, and whether a token is shown."""

    name: str
    address: str
    row: dict[str, Any]
    alias: str = "champion"
    needs_token: bool = False


@dataclass(frozen=True)
class Snippet:
    """Code in one language. ``note`` says what it needs and how it is run."""

    key: str
    label: str
    note: str
    code: str


def snippets(example: Example) -> list[Snippet]:
    """Return the snippets, the shortest way first."""
    made = []
    for key, label, note, literal in _LANGUAGES:
        values = {"example": example, "lit": literal, "rows": literal([example.row])}
        code = environment().get_template(f"snippets/{key}.txt").render(values)
        made.append(Snippet(key, label, _(note), code.strip()))
    return made


def window_snippets(example: Example, schema: Schema) -> list[Snippet]:
    """Return the snippets of a model that answers once for many rows: they send a file of a whole window."""
    made = []
    window, file = schema.window, WINDOW_FILE
    for key, label, note, literal in _LANGUAGES:
        values = {"example": example, "lit": literal, "window": window, "file": file}
        code = environment().get_template(f"snippets/window/{key}.txt").render(values)
        made.append(Snippet(key, label, _(note), code.strip()))
    return made


def shell(value: Any) -> str:
    """Return JSON as one word of a POSIX shell.

    >>> print(shell({"city": "L'Isle"}))
    '{"city": "L'\\''Isle"}'
    """
    text = value if isinstance(value, str) else _json(value, indent="    ")
    return "'" + text.replace("'", "'\\''") + "'"


def python(value: Any) -> str:
    """Return a Python literal; one pair a line when it is long."""
    if isinstance(value, list):
        return "[" + ", ".join(map(python, value)) + "]"
    if isinstance(value, dict):
        return _block([f"{_quoted(key)}: {python(item)}" for key, item in value.items()], "{", "}", " " * 4)
    return _quoted(value) if isinstance(value, str) else repr(value)


def r(value: Any) -> str:
    """Return an R literal: records are named lists, null is NULL (kept by httr2 as null)."""
    if isinstance(value, list):
        return "list(" + ", ".join(map(r, value)) + ")"
    if isinstance(value, dict):
        return _block([f"{_r_name(key)} = {r(item)}" for key, item in value.items()], "list(", ")", " " * 2)
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return _quoted(value) if isinstance(value, str) else repr(value)


def java(value: Any) -> str:
    """Return a Java string: a text as it is, anything else as its JSON, put together from lines when it is long."""
    if isinstance(value, str):
        return _ascii(value)
    lines = _json(value, indent="").split("\n")
    return "\n            + ".join(_ascii(line + " " if i + 1 < len(lines) else line) for i, line in enumerate(lines))


_LANGUAGES: tuple[tuple[str, str, str, Callable[[Any], str]], ...] = (
    ("curl", "curl", N_("In a shell of Linux, macOS or Windows Subsystem for Linux."), shell),
    ("sdk", N_("Python (boucle)"), N_("Needs the package boucle: pip install boucle"), python),
    ("python", N_("Python (plain)"), N_("Standard library only, any Python 3."), python),
    ("r", "R", N_("Needs the packages httr2 and jsonlite."), r),
    ("java", "Java", N_("Java 11 or newer, nothing else. Save as Predict.java and run: java Predict.java"), java),
)


def _block(parts: list[str], opening: str, closing: str, indent: str) -> str:
    flat = opening + ", ".join(parts) + closing
    if len(flat) <= WIDE:
        return flat
    comma = "," if opening == "{" else ""
    return opening + "\n" + ",\n".join(indent + part for part in parts) + comma + "\n" + closing


def _json(rows: Any, indent: str) -> str:
    """Return JSON on one line when it is short, else each member of a record on its own line."""
    flat = json.dumps(rows, ensure_ascii=False)
    if len(flat) <= WIDE or not isinstance(rows, list):
        return flat
    members = [f"{json.dumps(k, ensure_ascii=False)}: {json.dumps(v, ensure_ascii=False)}" for k, v in rows[0].items()]
    return "[{\n" + ",\n".join(indent + member for member in members) + "\n" + indent[2:] + "}]"


def _quoted(text: str) -> str:
    r"""Return a double-quoted literal that Python and R read alike: \n, \t, \\, \" and \uXXXX.

    >>> print(_quoted('say "é"'))
    "say \"é\""
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _ascii(text: str) -> str:
    return json.dumps(text)


def _r_name(name: str) -> str:
    if name.isidentifier() and name.isascii() and not name.startswith(("_", "NA")) and name not in _R_WORDS:
        return name
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


_R_WORDS = frozenset(
    ["if", "else", "repeat", "while", "function", "for", "next", "break", "in", "TRUE", "FALSE", "NULL", "Inf", "NaN"]
)
