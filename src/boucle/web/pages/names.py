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
    "convert": N_("Graph"),
    "suspects": N_("Suspects"),
    "build": N_("Build"),
    "gate": N_("Gate"),
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
    "watch": N_("changed how it is watched"),
    "close-alert": N_("closed an alert of"),
}


_METRICS = {
    "mae": N_("mean absolute error"),
    "naive_mae": N_("mean absolute error of the naive forecast"),
    "naive_ratio": N_("error to naive"),
    "winkler": N_("interval score (Winkler)"),
    "winkler_constant": N_("interval score of a constant width"),
    "winkler_ratio": N_("interval score to constant width"),
    "coverage": N_("coverage"),
    "loss": N_("loss"),
    "val_loss": N_("validation loss"),
    "test_loss": N_("test loss"),
    "parity": N_("parity (largest difference of return)"),
}
_WIDTHS = {
    "lstm": N_("the network's own scale"),
    "ewma_hour": N_("recent volatility × hour of day"),
    "constant": N_("constant"),
}
_TARGETS = {"return": N_("the return on the last close"), "level": N_("the price level")}


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


def metric_words(name: str) -> str:
    """Return the words of a forecaster's metric; a name not known here is its own."""
    return _(_METRICS[name]) if name in _METRICS else name


def width_words(name: str) -> str:
    """Return what the width of a forecaster's interval follows."""
    return _(_WIDTHS[name]) if name in _WIDTHS else name


def target_words(name: str) -> str:
    """Return what a forecaster was trained to tell."""
    return _(_TARGETS[name]) if name in _TARGETS else name
