"""Ground truth in Parquet files, read with polars."""

from __future__ import annotations

import io
from datetime import date, datetime
from typing import Any

import polars as pl

from boucle.core.errors import InvalidRequest
from boucle.core.i18n import _
from boucle.labels.reading import Told, column_names, truths_of_columns
from boucle.labels.truth import Truth


def truths_of_parquet(body: bytes, told: Told) -> tuple[Truth, ...]:
    """Read a Parquet file with the columns ``id`` and ``value`` (or ``truth``, ``label``, ``target``).

    Raises InvalidRequest or TooLarge; nothing is read then.
    """
    try:
        names = column_names(pl.read_parquet_schema(io.BytesIO(body)))
        table = pl.read_parquet(io.BytesIO(body), columns=list(names))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        detail = _("The body is no Parquet file: {error}.").format(error=str(error).splitlines()[0][:200])
        raise InvalidRequest("invalid-truth", detail) from error
    ids, values = (table[name].to_list() for name in names)
    return truths_of_columns(ids, [_plain(value) for value in values], told)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value
