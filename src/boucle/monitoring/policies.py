"""What a policy may ask for: every figure has its range, and a wrong one is refused with its path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from boucle.core.errors import InvalidDocument
from boucle.core.i18n import _
from boucle.core.watching import DAY_S, Expectation, WatchPolicy
from boucle.monitoring.alerting import SEVERITIES, head_of
from boucle.monitoring.expectations import problem

DETECTORS = ("cusum", "adwin", "page-hinkley")
MINUTE_S, YEAR = 60, 365
RANGES: dict[str, tuple[float, float]] = {
    "window_s": (MINUTE_S, YEAR * DAY_S),
    "step_s": (MINUTE_S, 31 * DAY_S),
    "least_rows": (1, 10**9),
    "false_alarms": (1e-9, 0.5),
    "false_alarm_rows": (1_000, 10**12),
    "retention_days": (1, 10 * YEAR),
    "patience": (1, 100),
    "calm": (1, 100),
    "silent_after_s": (MINUTE_S, YEAR * DAY_S),
}
MOST_NAMED = 50
MOST_TEXT, MOST_SLICES, MOST_MASKED, MOST_RULES, MOST_SILENCES = 200, 20, 1_000, 100, 100
MOST_SQL = 2_000
CHECKS = (  # the words that names of checks begin with
    *("drift", "answers", "concept", "feed", "feeds", "range", "missing", "categories", "constant", "expectation"),
    *(
        "freshness",
        "volume",
        "refusals",
        "failures",
        "log",
        "quality",
        "estimate",
        "estimates",
        "labels",
        "alertmanager",
    ),
)


def require_valid(policy: WatchPolicy) -> WatchPolicy:
    """Return the policy. Raises InvalidDocument naming the path of the first wrong member.

    >>> require_valid(WatchPolicy(patience=3)).patience
    3
    """
    for name, (low, high) in RANGES.items():
        value = getattr(policy, name)
        _expect(value is None or low <= value <= high, name, f"{low:g} to {high:g}", value)
    for name in ("window_s", "step_s"):
        value = getattr(policy, name)
        _expect(value % MINUTE_S == 0, name, "whole minutes: profiles are kept by minute", value)
    _expect(policy.step_s <= policy.window_s, "step_s", f"at most the window ({policy.window_s})", policy.step_s)
    for name in ("owner", "report_cron", "report_zone"):
        _text(name, getattr(policy, name))
    _lists(policy)
    for name, severity in policy.severities.items():
        _expect(len(name) <= MOST_TEXT, "severities", f"names of checks of at most {MOST_TEXT} characters", name)
        _expect(severity in SEVERITIES, f"severities.{name}", f"one of: {', '.join(SEVERITIES)}", severity)
    for place, silence in enumerate(policy.silences):
        _text(f"silences[{place}].check", silence.check)
        _expect(_is_known(silence.check), f"silences[{place}].check", _words(), silence.check)
        _text(f"silences[{place}].reason", silence.reason)
    return policy


def changes(before: WatchPolicy, after: WatchPolicy) -> str:
    """Return which members differ, for the history."""
    names = [item.name for item in fields(WatchPolicy) if getattr(before, item.name) != getattr(after, item.name)]
    return ", ".join(names)


def require_columns(policy: WatchPolicy, columns: Iterable[str]) -> None:
    """Refuse a slice by a column that rows do not have. Raises InvalidDocument naming those they have.

    >>> require_columns(WatchPolicy(slices=("city=Lyon",)), ["city", "age"])
    """
    known = list(columns)
    for place, one in enumerate(policy.slices):
        column = one.partition("=")[0]
        names = ", ".join(known[:MOST_NAMED]) + (", …" if len(known) > MOST_NAMED else "")
        _expect(column in known, f"slices[{place}]", _("a column of the model: {names}").format(names=names), column)


def _is_known(check: str) -> bool:
    """False for what no name of a check begins with: such a silence would silence nothing."""
    return head_of(check) in CHECKS or any(word.startswith(check) for word in CHECKS)


def _words() -> str:
    return _("the name of a check, which begins with one of: {words}").format(words=", ".join(CHECKS))


def _lists(policy: WatchPolicy) -> None:
    _bounded("slices", policy.slices, MOST_SLICES)
    _bounded("masked", policy.masked, MOST_MASKED)
    _bounded("expectations", policy.expectations, MOST_RULES)
    _bounded("severities", policy.severities, MOST_RULES)
    _bounded("silences", policy.silences, MOST_SILENCES)
    for place, detector in enumerate(policy.detectors):
        _expect(detector in DETECTORS, f"detectors[{place}]", f"one of: {', '.join(DETECTORS)}", detector)
    for place, one in enumerate(policy.slices):
        column, is_given, _given = one.partition("=")
        _expect(bool(column and is_given), f"slices[{place}]", "a text column=value", one)
        _text(f"slices[{place}]", one)
    for name in ("slices", "masked", "detectors"):
        _once(name, getattr(policy, name))
    for place, rule in enumerate(policy.expectations):
        _rule(f"expectations[{place}]", rule)
    _once("expectations", [rule.name for rule in policy.expectations])


def _rule(path: str, rule: Expectation) -> None:
    _expect(0 < len(rule.name) <= MOST_TEXT, f"{path}.name", f"1 to {MOST_TEXT} characters", rule.name)
    _expect(bool(rule.sql) != bool(rule.function), path, "either sql or function", rule.sql or rule.function)
    _expect(len(rule.sql) <= MOST_SQL, f"{path}.sql", f"at most {MOST_SQL} characters", rule.sql)
    module, is_given, function = rule.function.partition(":")
    is_name = all(part.isidentifier() for part in (*module.split("."), function))
    _expect(not rule.function or bool(is_given and is_name), f"{path}.function", "module:name", rule.function)
    _expect(0 <= rule.least <= 1, f"{path}.least", "0 to 1", rule.least)
    found = problem(rule)
    _expect(not found, path, f"a rule that can be judged: {found}", rule.sql or rule.function)


def _once(path: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for place, value in enumerate(values):
        _expect(value not in seen, f"{path}[{place}]", "each once", value)
        seen.add(value)


def _bounded(path: str, values: Any, most: int) -> None:
    _expect(len(values) <= most, path, f"at most {most}", len(values))


def _text(path: str, text: str) -> None:
    _expect(len(text) <= MOST_TEXT and "\n" not in text, path, f"one line of at most {MOST_TEXT} characters", text)


def _expect(is_right: bool, path: str, expected: str, found: Any) -> None:
    if not is_right:
        raise InvalidDocument(f"WatchPolicy.{path}", expected, found)
