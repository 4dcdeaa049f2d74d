"""A version at a glance, as text and as HTML: name, address, runtime, and each check with what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from boucle.core.check import Check
from boucle.core.i18n import _
from boucle.core.version import Version

MARKS = {"pass": "✓", "warn": "!", "fail": "✗"}
_COLOURS = {"pass": "#1a7f37", "warn": "#9a6700", "fail": "#cf222e"}
_CELL = "padding:.15em 1em .15em 0;text-align:left;vertical-align:top;border:0;background:none"


def title_of(version: Version) -> str:
    """Return one line: name, version, state."""
    states = {"building": _("building"), "ready": _("ready"), "failed": _("failed")}
    return _("{name} version {version}: {state}").format(
        name=version.name, version=version.number, state=states[version.state]
    )


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
    facts = [
        (_("address"), url),
        (_("runtime"), f"{runtime} ({version.reason})" if runtime and version.reason else runtime),
        (_("metrics"), ", ".join(f"{name} {value:.4g}" for name, value in version.manifest.metrics.items())),
        (_("description"), version.manifest.description),
    ]
    return [(label, value) for label, value in facts if value]


def _value(value: str) -> str:
    return f"<code>{escape(value)}</code>" if value.startswith("http") else escape(value)
