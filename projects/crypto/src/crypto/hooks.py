"""What Kedro calls while it runs: only that a failure which says its cause is told without a trace."""

from __future__ import annotations

import sys
from types import TracebackType

from boucle.core.errors import BoucleError
from kedro.framework.hooks import hook_impl

from crypto.errors import ProjectError

TOLD = (ProjectError, BoucleError)  # they say what happened, with which value, and what to do


class ClearFailures:
    """Leaves out the forty lines of trace when the last one says it all."""

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Tell the errors of the project and of boucle as one sentence, others with their trace."""
        if isinstance(error, TOLD):
            sys.excepthook = _tell


def _tell(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
