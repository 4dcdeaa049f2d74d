"""The platform's stable words (names of checks, states, actions) as people read them."""

from __future__ import annotations

from boucle.core.i18n import N_, _

_CHECKS = {
    "artifacts": N_("Files"),
    "environment": N_("Environment"),
    "load": N_("Load"),
    "raw-rows": N_("Raw rows"),
    "reproduce": N_("Same answers"),
    "schema": N_("Schema"),
    "timing": N_("Timing"),
    "smoke": N_("One real request"),
    "onnx": N_("ONNX file"),
    "signature": N_("Signature"),
    "parity": N_("Parity"),
    "build": N_("Build"),
}
_STATUSES = {"pass": N_("Passed"), "warn": N_("Warning"), "fail": N_("Failed")}
_STATES = {"building": N_("Building"), "ready": N_("Ready"), "failed": N_("Failed")}
_ACTIONS = {
    "register": N_("registered"),
    "retry": N_("sent again"),
    "ready": N_("became ready"),
    "failed": N_("failed to build"),
    "promote": N_("promoted"),
    "rollback": N_("rolled back"),
}


def check_title(name: str) -> str:
    """Return the title of a check; a name not known here is its own title."""
    return _(_CHECKS[name]) if name in _CHECKS else name


def status_words(status: str) -> str:
    """Return the word of a check's status."""
    return _(_STATUSES[status]) if status in _STATUSES else status


def state_words(state: str) -> str:
    """Return the word of a version's state."""
    return _(_STATES[state]) if state in _STATES else state


def action_words(action: str) -> str:
    """Return the word of an audit entry's action."""
    return _(_ACTIONS[action]) if action in _ACTIONS else action
