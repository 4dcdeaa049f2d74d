"""Evidently's reports, wired: its environment lies beside those of models."""

from __future__ import annotations

from boucle.adapters.evidently import EvidentlyReports, Lend
from boucle.bootstrap.data_plane import environments, home_of
from boucle.settings import Settings


def evidently_reports(settings: Settings) -> EvidentlyReports:
    """Return what makes Evidently's reports."""
    found = environments(settings)
    return EvidentlyReports(Lend(found, found.lock, home_of(settings).environments))
