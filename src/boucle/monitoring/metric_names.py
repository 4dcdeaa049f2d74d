"""The metrics in words."""

from __future__ import annotations

from boucle.core.i18n import N_, _

_METRICS = {
    "accuracy": N_("Accuracy"),
    "balanced_accuracy": N_("Balanced accuracy"),
    "precision": N_("Precision"),
    "recall": N_("Recall"),
    "f1": N_("F1"),
    "auc": N_("AUC"),
    "log_loss": N_("Log loss"),
    "brier": N_("Brier score"),
    "calibration_error": N_("Calibration error"),
    "mae": N_("Mean absolute error"),
    "rmse": N_("Root mean squared error"),
    "mape": N_("Mean absolute percentage error"),
    "mase": N_("Error to naive (MASE)"),
    "naive_ratio": N_("Error to naive"),
    "interval_coverage": N_("Outcomes inside their interval"),
    "interval_width": N_("Width of the interval"),
    "label_precision": N_("Precision of labels"),
    "label_recall": N_("Recall of labels"),
    "label_coverage": N_("Coverage of labels"),
    "precision_at_n": N_("Precision at n"),
    "bias": N_("Bias"),
    "r2": N_("R²"),
}


def metric_title(name: str) -> str:
    """Return a metric in words; a name not known here is its own title.

    >>> metric_title("log_loss"), metric_title("wins")
    ('Log loss', 'wins')
    """
    return _(_METRICS[name]) if name in _METRICS else name
