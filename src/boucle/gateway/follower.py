"""Following the control plane: each new route table is applied, then kept on disk. While it is down, we serve on."""

from __future__ import annotations

import asyncio
import logging
import random
from pathlib import Path

from boucle.core.errors import BoucleError
from boucle.core.routes import RouteTable
from boucle.gateway.table_file import write_table
from boucle.serving.fleet import Fleet
from boucle.serving.ports import RouteSource

log = logging.getLogger("boucle.gateway")
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.1, 5.0
_NO_TABLE = -1


async def follow(source: RouteSource, fleet: Fleet, copy: Path) -> None:
    """Apply each table as it comes, for ever; after errors ask again with growing pauses."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            table = await source.next_after(_NO_TABLE if fleet.table is None else fleet.table.sequence)
            pause_s = _FIRST_PAUSE_S
            if fleet.table is None:
                table = table or RouteTable(0)
            elif table is None or table.sequence == fleet.table.sequence:
                continue
            fleet.apply(table)
            await asyncio.to_thread(write_table, copy, table)
        except Exception as error:
            if isinstance(error, BoucleError | OSError):
                log.info("no route table for now", extra={"cause": str(error)})
            else:  # whatever it is, a gateway that stops following would serve yesterday's champion without a word
                log.exception("the route table could not be followed")
            await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  # spreads the tries, hides nothing
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)
