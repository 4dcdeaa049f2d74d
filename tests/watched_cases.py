"""What the contract tests of the stores of watching have in common: a small grid, and profiles counted by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from boucle.adapters.sql import SqlCollectStore, SqlProfileStore, SqlTruthStore, SqlWatchStore
from boucle.core.grid import Grid, Part
from boucle.core.profile import Profile
from boucle.core.reference import Reference
from boucle.labels.ports import TruthReader
from boucle.loop.ports import CollectStore, CollectTransaction
from boucle.monitoring.ports import Key, ProfileStore, WatchStore

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
T0 = 20_000 * DAY  # the begin of a day (2024-10-04)
GRID = Grid((Part("price", "number", edges=(1.0, 2.0)), Part("city", "level", levels=("Paris",))))
REFERENCE = Reference({"features": GRID, "traffic": GRID}, {"features": Profile.empty(GRID)})
ALL = Key("churn", 1, "features")


@dataclass(frozen=True)
class Watched:
    """The four stores over one database."""

    profiles: ProfileStore
    truths: TruthReader
    watch: WatchStore
    collect: CollectStore


def sql_watched(engine: sa.Engine) -> Watched:
    """Return the stores over a database."""
    return Watched(SqlProfileStore(engine), SqlTruthStore(engine), SqlWatchStore(engine), SqlCollectStore(engine))


def rows(low: int = 0, middle: int = 0, high: int = 0, missing: int = 0) -> Profile:
    """Return the profile of rows whose price is 0.5, 1.5 or 8, all in Paris; ``missing`` ones have no price."""
    priced = np.array([low, middle, high])
    n, values = int(priced.sum()) + missing, np.array([0.5, 1.5, 8.0])
    held = values[priced != 0]
    return Profile(
        GRID,
        n,
        np.array([low, middle, high, n, 0, 0]),
        np.array([*(priced * values), 0.0, 0.0, 0.0]),
        np.array([missing, 0]),
        np.array([float((priced * values**2).sum()), 0.0]),
        np.array([held.min() if len(held) else np.inf, np.inf]),
        np.array([held.max() if len(held) else -np.inf, -np.inf]),
    )


def same(left: Profile, right: Profile) -> bool:
    """Return whether two profiles are equal, to the last bit."""
    names: Sequence[str] = ("counts", "sums", "missing", "squares", "low", "high")
    is_same = all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)
    return left.grid == right.grid and left.n_rows == right.n_rows and is_same


def collect(stores: Watched, times: int) -> None:
    """Count 10 bytes of a stream and two rows, so many times."""
    for _ in range(times):
        with stores.collect.collecting() as tx:
            tx.advance("s1", tx.position("s1") + 10)
            tx.add({(ALL, T0): rows(low=1), (ALL, T0 + MINUTE): rows(high=1)})


def break_off(stores: Watched, *doings: Callable[[CollectTransaction], object]) -> None:
    """Do some things in a transaction, then raise RuntimeError in it."""
    with stores.collect.collecting() as tx:
        for do in doings:
            do(tx)
        raise RuntimeError("power")
