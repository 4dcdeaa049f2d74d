"""A version at a glance, as text and as HTML: name, address, runtime, and each check with what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.version import Version
from boucle.core.window import Window

MARKS = {"pass": "✓", "warn": "!", "fail": "✗"}
_COLOURS = {"pass": "#1a7f37", "warn": "#9a6700", "fail": "#cf222e"}
_CELL = "padding:.15em 1em .15em 0;text-align:left;vertical-align:top;border:0;background:none"


def title_of(version: Version) -> str:
    """Return one line: name, version, state, and the label of a forecaster that is worse than naive."""
    states = {"building": _("building"), "ready": _("ready"), "failed": _("failed")}
    title = _("{name} version {version}: {state}").format(
        name=version.name, version=version.number, state=states[version.state]
    )
    return f"{title} ({worse_than_naive()})" if version.manifest.is_worse_than_naive else title


def worse_than_naive() -> str:
    """Return the label of a forecaster whose error is above that of the naive forecast."""
    return _("worse than naive")


def window_text(window: Window) -> str:
    """Return how many rows one answer takes.

    >>> window_text(Window(120, "timestamp", "pair"))
    'one answer per 120 rows of each pair, in the order of timestamp'
    """
    if window.group_by is None:
        return _("one answer per {rows} rows, in the order of {order}").format(rows=window.rows, order=window.order_by)
    return _("one answer per {rows} rows of each {group}, in the order of {order}").format(
        rows=window.rows, group=window.group_by, order=window.order_by
    )


def gate_broken(version: Version) -> str:
    """Return the bounds of its gate that a version does not keep, each with its value; empty when it keeps all."""
    gate = version.manifest.gate
    if gate is None or version.passed_gate:
        return ""
    seen = [check.observed for check in version.checks if check.name == "gate"]
    return seen[0] if seen else ", ".join(map(str, gate.broken(version.manifest.metrics) or gate.bounds))


def check_lines(checks: Sequence[Check]) -> list[str]:
    """Return a line for each check, and one more for its advice."""
    lines = []
    for check in checks:
        lines.append(f"  {MARKS[check.status]} {check.name:<12} {check.observed}".rstrip())
        lines += [f"    {line}" for line in check.advice.splitlines()]
    return lines


def card_text(version: Version, url: str) -> str:
    """Return the card for a terminal."""
    facts = [f"  {label:<12} {value}" for label, value in _facts(version, url)]
    return "\n".join([title_of(version), *facts, *check_lines(version.checks)])


def card_html(version: Version, url: str) -> str:
    """Return the card for a notebook. Everything told by others is escaped; it follows the notebook's colours."""
    facts = "".join(
        f'<tr><th style="{_CELL};font-weight:normal;opacity:.7">{escape(label)}</th>'
        f'<td style="{_CELL}">{_value(value)}</td></tr>'
        for label, value in _facts(version, url)
    )
    return framed_html(title_of(version), f'<table style="border:0">{facts}</table>{checks_html(version.checks)}')


def checks_html(checks: Sequence[Check]) -> str:
    """Return the checks as a table."""
    rows = "".join(_row(check) for check in checks)
    return f'<table style="border:0;margin-top:.5em">{rows}</table>' if rows else ""


def framed_html(title: str, content: str) -> str:
    """Return content in the frame that cards and progress share."""
    return (
        '<div style="border:1px solid #8884;border-radius:6px;padding:.75em 1em;max-width:60em;'
        'font-family:system-ui,sans-serif;line-height:1.4">'
        f'<div style="font-weight:600">{escape(title)}</div>{content}</div>'
    )


def _row(check: Check) -> str:
    style = "margin:.2em 0;white-space:pre-wrap;opacity:.85"
    advice = f'<pre style="{style}">{escape(check.advice)}</pre>' if check.advice else ""
    return (
        f'<tr><td style="{_CELL};color:{_COLOURS[check.status]}" title="{check.status}">{MARKS[check.status]}</td>'
        f'<td style="{_CELL}">{escape(check.name)}</td>'
        f'<td style="{_CELL}">{escape(check.observed)}{advice}</td></tr>'
    )


def _facts(version: Version, url: str) -> list[tuple[str, str]]:
    runtime = version.runtime or ""
    manifest, signature = version.manifest, version.signature or version.manifest.signature
    level = signature.interval_level
    facts = [
        (_("address"), url),
        (_("runtime"), f"{runtime} ({version.reason})" if runtime and version.reason else runtime),
        (_("window"), window_text(manifest.schema.window) if manifest.schema.window else ""),
        (_("interval"), "" if level is None else _("made to hold {share:g} % of outcomes").format(share=100 * level)),
        (_("gate"), _gate(version)),
        (_("metrics"), ", ".join(f"{name} {value:.4g}" for name, value in manifest.metrics.items())),
        (_("description"), manifest.description),
    ]
    return [(label, value) for label, value in facts if value]


def _gate(version: Version) -> str:
    if version.manifest.gate is None:
        return ""
    bounds = ", ".join(map(str, version.manifest.gate.bounds))
    if version.passed_gate:
        return _("passed: {bounds}").format(bounds=bounds)
    is_seen = any(check.name == "gate" for check in version.checks)
    return _("not passed: {broken}").format(broken=gate_broken(version)) if is_seen else bounds


def _value(value: str) -> str:
    return f"<code>{escape(value)}</code>" if value.startswith("http") else escape(value)
