"""log(name): the rows that a model was asked, what it answered and what became true, as a table."""

from __future__ import annotations

from typing import Any, Optional

from boucle.client.client import Client


def log(
    name: str, since: Any = None, until: Any = None, version: Optional[int] = None, *, limit: Optional[int] = None
) -> Any:
    """Return the rows of a window: a polars DataFrame where polars is installed, else a pandas one, else a Table.

    ``since`` and ``until`` are datetimes (UTC when they name no zone), ISO 8601 texts, or spans before now such as
    ``"24h"``; without them it is the newest window of the model's policy. Columns: ``prediction_id``, ``at``,
    ``version``, the inputs by their names, ``prediction``, ``probability_<class>``, ``truth`` (null before it is
    known), ``latency_us``, ``caller``. Raises NotFound, TooLarge.

    >>> boucle.log("churn", since="24h")  # doctest: +SKIP
    """
    return Client().log(name, since, until, version, limit=limit)
