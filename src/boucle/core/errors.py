"""The errors of boucle. Each says what happened, with which value, and what to do next.

::

    BoucleError
    ├── InvalidSetting       a BOUCLE_… variable has a wrong value
    ├── InvalidDocument      a JSON document lacks a field or has a wrong one
    ├── InvalidRequest       a request that cannot be read (malformed JSON, wrong media type, bad name)
    ├── InvalidRows          rows that do not fit the schema: a list of RowProblem
    ├── TooLarge             a request beyond a limit (bytes, rows, columns, depth)
    ├── NotAllowed           no token, a wrong token, or a host or origin that is not served
    ├── NotFound             no model, version, alias, artifact or job of that name
    ├── Conflict             the change contradicts what is there
    ├── Refused              a model that the build refused: the Checks say why
    ├── CorruptArtifact      bytes whose digest is not the one expected
    ├── Unavailable          the thing exists but cannot answer now; trying later may work
    ├── TooSlow              no answer before the deadline
    ├── ModelFailed          the model's own code raised while it loaded or answered
    └── EnvironmentFailed    the environment of a version cannot be resolved or made

HTTP status codes are given in ``web/`` and ``gateway/`` only. ``code`` is the stable word of the problem type
``urn:boucle:problem:<code>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boucle.core.check import Check
from boucle.core.i18n import N_, _

MAX_SHOWN = 80
KINDS = (
    N_("model"),
    N_("version"),
    N_("alias"),
    N_("job"),
    N_("project"),
    N_("schedule"),
    N_("artifact"),
    N_("static file"),
    N_("path"),
    N_("alert"),
)  # of NotFound


def shown(value: Any) -> str:
    """Return a value as it may be printed: at most 80 characters of its ``repr``."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


class BoucleError(Exception):
    """The root: catch this to catch all that boucle raises on purpose."""

    code = "error"


class InvalidSetting(BoucleError):
    """A setting has a value that cannot be used."""

    code = "invalid-setting"

    def __init__(self, name: str, value: Any, expected: str) -> None:
        self.name, self.value, self.expected = name, value, expected
        super().__init__(
            _("{name} is {value}, expected {expected}. Set it right or unset it.").format(
                name=name, value=shown(value), expected=expected
            )
        )


class InvalidDocument(BoucleError):
    """A document lacks a field, has one too many, or one of the wrong type."""

    code = "invalid-document"

    def __init__(self, path: str, expected: str, found: Any) -> None:
        self.path, self.expected, self.found = path, expected, found
        super().__init__(
            _("{path}: expected {expected}, found {found}").format(path=path, expected=expected, found=shown(found))
        )


class InvalidRequest(BoucleError):
    """A request that cannot be understood at all."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


@dataclass(frozen=True)
class RowProblem:
    """One cell or column that does not fit: ``row`` counts from 0, None when the whole column is meant."""

    code: str
    column: str
    detail: str
    row: int | None = None
    expected: str = ""


class InvalidRows(BoucleError):
    """Rows that do not fit the schema of the model. ``problems`` names each row and column (20 at most)."""

    code = "invalid-rows"

    def __init__(self, problems: Sequence[RowProblem], total: int) -> None:
        self.problems: tuple[RowProblem, ...] = tuple(problems)
        self.total = total
        super().__init__(
            _("{total} value(s) do not fit the schema. First: {first}").format(total=total, first=problems[0].detail)
        )


class TooLarge(BoucleError):
    """A request beyond a limit."""

    code = "too-large"

    def __init__(self, what: str, found: int, limit: int) -> None:
        self.what, self.found, self.limit = what, found, limit
        super().__init__(
            _("{what}: {found} is more than the limit of {limit}. Send less at once.").format(
                what=what, found=found, limit=limit
            )
        )


class NotAllowed(BoucleError):
    """The caller may not do this. The detail never repeats what the caller sent as a secret."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(detail)


class NotFound(BoucleError):
    """Nothing of that name. ``choices`` lists what there is instead."""

    code = "not-found"

    def __init__(self, kind: str, name: str, choices: Sequence[str] = (), cure: str = "") -> None:
        self.kind, self.name, self.choices, self.cure = kind, name, tuple(choices), cure
        there = ", ".join(self.choices[:20]) or _("none")
        super().__init__(
            _("There is no {kind} {name}. There is: {there}.").format(kind=_(kind), name=shown(name), there=there)
            + (" " + cure if cure else "")
        )


class Conflict(BoucleError):
    """The change asked for contradicts what is there; nothing was changed."""

    code = "conflict"


class Refused(BoucleError):
    """The build refused the model; nothing that serves was changed. ``checks`` say the cause and the cure.

    ``version`` is 0 when the client refused it already and nothing was sent.
    """

    code = "refused"

    def __init__(self, name: str, version: int, checks: Sequence[Check]) -> None:
        self.name, self.version, self.checks = name, version, tuple(checks)
        causes = "\n".join(f"- {c.name}: {c.observed}\n  {c.advice}" for c in checks if c.is_failed)
        before = _("{name} was refused and nothing was sent.\n{causes}")
        after = _("{name} version {version} was refused; what served before still serves.\n{causes}")
        super().__init__((after if version else before).format(name=name, version=version, causes=causes))


class CorruptArtifact(BoucleError):
    """Bytes that are not those that were registered."""

    code = "corrupt-artifact"

    def __init__(self, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            _("Artifact {expected} reads as {found}: it was changed or cut. Deploy the model again.").format(
                expected=expected[:12], found=found[:12]
            )
        )


class Unavailable(BoucleError):
    """It exists but cannot answer now. ``retry_after_s`` says when to try again."""

    code = "unavailable"

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class TooSlow(BoucleError):
    """No answer came before the deadline."""

    code = "too-slow"

    def __init__(self, what: str, deadline_s: float) -> None:
        self.what, self.deadline_s = what, deadline_s
        super().__init__(
            _("{what} gave no answer in {deadline_s:g} s. Send fewer rows or raise the deadline.").format(
                what=what, deadline_s=deadline_s
            )
        )


class ModelFailed(BoucleError):
    """The model's own code raised. The detail is its last line, never a trace.

    ``kind`` is one of ``digest import load predict protocol``; ``error_type`` the class of what was raised.
    """

    code = "model-failed"

    def __init__(self, detail: str, kind: str = "predict", error_type: str = "") -> None:
        self.kind, self.error_type = kind, error_type
        super().__init__(detail)


class EnvironmentFailed(BoucleError):
    """The environment of a version cannot be resolved or made: the detail is what uv said last."""

    code = "environment-failed"
