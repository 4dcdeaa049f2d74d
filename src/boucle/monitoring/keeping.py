"""What every store of profiles and alerts refuses."""

from __future__ import annotations

from boucle.core.alert import Alert
from boucle.core.errors import Conflict
from boucle.core.i18n import _
from boucle.core.reference import Reference
from boucle.monitoring.ports import Key


def check_advance(stream: str, read: int | None, position: int) -> None:
    """Raise Conflict unless a position was read in the transaction (``read``) and the new one is not before it.

    Who moves a stream on without having read where it is would count twice what another has counted.
    """
    if read is None:
        raise Conflict(
            _("Stream {stream} is moved to {position}, but its position was not read in this transaction.").format(
                stream=stream, position=position
            )
        )
    if position < read:
        raise Conflict(
            _("Stream {stream} is counted up to {read}: it cannot go back to {position}.").format(
                stream=stream, read=read, position=position
            )
        )


def check_reference(found: Reference | None, key: Key) -> Reference:
    """Return the reference. Raises Conflict when there is none: profiles could not be read without its grids."""
    if found is None:
        raise Conflict(
            _("Version {version} of model {model} has no reference: keep one before its profiles.").format(
                version=key.version, model=key.model
            )
        )
    return found


def two_open(alert: Alert) -> Conflict:
    """Return the error for an alert that is open already, under another id."""
    return Conflict(
        _("Alert {name} of model {model} is open already: read the open alerts again before judging.").format(
            name=alert.check.name, model=alert.model
        )
    )
