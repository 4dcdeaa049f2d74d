"""A model in service that moved: a day of rows of churn, of which the second half is not like its reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from boucle.adapters.memory.collecting import MemoryCollectStore
from boucle.adapters.memory.inference_log import MemoryLog
from boucle.adapters.memory.profiles import MemoryProfileStore
from boucle.adapters.memory.truths import MemoryTruthStore
from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.core.alert import Alert
from boucle.core.answer import Answer
from boucle.core.check import Check
from boucle.core.counting import count_by
from boucle.core.reference import Reference
from boucle.core.report import Span
from boucle.core.schema import Schema
from boucle.core.table import Column, Table
from boucle.core.watching import WatchPolicy
from boucle.loop.exploring import ExploreWorld, explore
from boucle.loop.log import LogRows, Move
from boucle.loop.memory import Memory
from boucle.loop.reports import ReportWorld
from boucle.loop.warm import WarmSeries, warm_reports
from boucle.monitoring.grids import LATENCY, OUTCOME, answers_reference, answers_table, features_reference, traffic_grid
from boucle.monitoring.outcomes import Outcome, outcome_table, quality_grid
from boucle.monitoring.ports import Judged, Key, Stream, Verdict
from boucle.web.plane import ControlPlane
from web.made_up import BANK, NOW_US, World

HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000
SCHEMA = BANK
MOVED_AT = NOW_US - 9 * HOUR_US
DRIFT_ALERT = Alert(
    "01a1fc83-drift",
    "churn",
    2,
    Check(
        "drift",
        "fail",
        "2 of 9 columns moved: balance, job",
        "no column moved, with 1 % false alarms",
        "Look at what changed where these columns come from, then retrain on newer rows.",
        {"columns": ["balance", "job"], "p_value": 3.1e-12, "window": [NOW_US - 24 * HOUR_US, NOW_US]},
    ),
    "warning",
    NOW_US - 5 * HOUR_US,
    NOW_US - HOUR_US,
    owner="grace",
)
QUALITY_ALERT = Alert(
    "01a1fc83-quality",
    "churn",
    2,
    Check(
        "quality:accuracy",
        "fail",
        "accuracy fell to 0.78 on 3,120 labelled rows",
        "0.887, as on the first labelled rows",
        "Retrain, or roll back with: boucle rollback churn",
        {"realised": 0.78, "expected": 0.887},
    ),
    "critical",
    NOW_US - 3 * HOUR_US,
    NOW_US - HOUR_US,
    silenced_until=NOW_US + 2 * HOUR_US,
)
OVER = Alert(
    "01a1fc83-feed",
    "churn",
    2,
    Check("feed:note", "fail", "half of note is missing"),
    "critical",
    NOW_US - 60 * HOUR_US,
    NOW_US - 57 * HOUR_US,
    closed_at=NOW_US - 55 * HOUR_US,
)


@dataclass
class Watched:
    """The stores of what is watched, in memory."""

    world: World
    memory: WatchedMemory = field(default_factory=WatchedMemory)
    log: MemoryLog = field(default_factory=MemoryLog)

    def __post_init__(self) -> None:
        self.profiles, self.truths = MemoryProfileStore(self.memory), MemoryTruthStore(self.memory)
        self.store, self.collect = MemoryWatchStore(self.memory), MemoryCollectStore(self.memory)

    def plane(self, **changes: Any) -> ControlPlane:
        """Return the control plane that shows them."""
        registry = self.world.registry
        made = ReportWorld(registry, self.profiles, self.truths, self.store, lambda: self.world.now_us, _unset)
        exploring = ExploreWorld(registry, self.log, self.truths)

        def world_of(warm: WarmSeries) -> ReportWorld:
            return ReportWorld(**{**vars(made), "series": warm})

        return self.world.plane(
            watching=self.store,
            profiles=self.profiles,
            truths=self.truths,
            reports=warm_reports(world_of, WarmSeries(self.profiles)),
            rows=lambda query: explore(exploring, query),
            **changes,
        )

    def served(self, model: str = "churn", version: int = 2, schema: Schema = SCHEMA, n_hours: int = 36) -> None:
        """Let rows come for some hours, half an hour after the other; the last nine hours are not like the others."""
        dice = np.random.default_rng(7)
        signature = self.world.registry.version(model, version).manifest.signature
        features, profile = features_reference(schema, rows(dice, 4_000, schema))
        answers, answered = answers_reference(signature, answers_table(_said(dice, 2_000, 0.12)))
        quality = quality_grid(signature, _labels(dice, 500))
        grids = {"traffic": traffic_grid(), "features": features, "answers": answers, "quality": quality}
        self.profiles.keep_reference(model, version, Reference(grids, {"features": profile, "answers": answered}))
        added: dict[tuple[Key, int], Any] = {}
        for place in range(2 * n_hours):
            at = NOW_US - (2 * n_hours - place) * HOUR_US // 2
            is_moved, n = at >= MOVED_AT, int(90 + 60 * np.sin(at / HOUR_US / 24 * 2 * np.pi))
            said = _said(dice, n, 0.2 if is_moved else 0.12)
            found: dict[Stream, Table] = {
                "traffic": _traffic(dice, n),
                "features": rows(dice, n, schema, is_moved),
                "answers": answers_table(said),
            }
            if at < NOW_US - 4 * HOUR_US:
                found["quality"] = outcome_table(quality, _outcomes(dice, said, 0.78 if is_moved else 0.89))
            for stream, table in found.items():
                counted = count_by(grids[stream], table, np.full(table.n_rows, at, dtype=np.int64))
                added.update({(Key(model, version, stream), at): one for one in counted.values()})
        with self.collect.collecting() as tx:
            tx.add(added)
        self._judged(model, version)

    def _judged(self, model: str, version: int) -> None:
        memory = Memory(version)
        for stream in ("answers", "quality"):
            memory.learn(
                stream, self.profiles.series(Key(model, version, stream), Span(0, MOVED_AT)), NOW_US - 20 * HOUR_US
            )
        window = Span(NOW_US - 25 * HOUR_US, NOW_US - HOUR_US)
        estimates = [
            Verdict(
                model,
                version,
                Span(at - 24 * HOUR_US, at),
                (Check("estimate:accuracy", "pass", evidence={"estimated": 0.88 - 0.002 * (place % 5)}),),
            )
            for place in range(30)
            for at in [NOW_US - (30 - place) * HOUR_US]
        ]
        sliced = [
            Verdict(model, version, window, (Check("drift", "fail"),), "job=retired"),
            Verdict(model, version, window, (Check("drift", "pass"),), "marital=single"),
        ]
        self.store.save_policy(model, WatchPolicy(slices=("job=retired", "marital=single")))
        self.store.judged(Judged(model, memory.document(), (*estimates, *sliced), (DRIFT_ALERT, QUALITY_ALERT, OVER)))


def rows(dice: Any, n: int, schema: Schema = SCHEMA, is_moved: bool = False) -> Table:
    """Return rows of a schema made up: moved ones have other balances and jobs."""
    found: dict[str, Column] = {}
    for column in schema.columns:
        if column.type == "int":
            found[column.name] = Column("int", dice.integers(18, 96, n))
        elif column.type == "float":
            found[column.name] = Column("float", dice.gamma(2.0, 700.0, n) * (1.6 if is_moved else 1.0) - 500)
        elif column.type == "bool":
            found[column.name] = Column("bool", dice.random(n) < 0.55)
        elif column.type == "datetime":
            days = dice.integers(14_000, 14_900, n).astype("datetime64[D]")
            found[column.name] = Column("datetime", days.astype("datetime64[us]") + dice.integers(0, 86_400_000_000, n))
        else:
            found[column.name] = _texts(dice, column.categories, n, is_moved and column.name == "job")
    return Table(found)


def logged(watched: Watched, n: int = 6) -> None:
    """Write rows of two versions into the inference log, one each minute up to now; every other has its truth."""
    told = LogRows()
    for place in range(n):
        told.model.append("churn")
        told.version.append(1 + place % 2)
        told.prediction_id.append(f"p{place}:0")
        told.at.append(NOW_US - (n - place) * MINUTE_US)
        told.logged_at.append(NOW_US)
        told.caller.append("ada")
        told.latency_us.append(1_500 + place)
        told.inputs.append(f'{{"age":{30 + place},"job":null,"balance":{place}.5,"housing":true,"note":"=1+1"}}')
        told.prediction.append('"yes"' if place % 2 else '"no"')
        told.probabilities.append([0.25, 0.75] if place % 2 else [0.75, 0.25])
        told.low.append(None)
        told.high.append(None)
        told.group.append(None)
    watched.log.append(told, {"s": Move(0, 1)})


def _unset(_key: Key, _span: Span) -> Any:
    raise AssertionError


def _texts(dice: Any, categories: tuple[str, ...] | None, n: int, is_moved: bool) -> Column:
    texts = np.empty(n, dtype=object)
    if categories is None:
        texts[:] = ["asked for the branch" if one < 0.2 else None for one in dice.random(n)]
        return Column("text", texts)
    weights = np.arange(len(categories), 0, -1.0)
    if is_moved:
        weights[-1] *= 9
    texts[:] = dice.choice(categories, n, p=weights / weights.sum())
    return Column("text", texts)


def _said(dice: Any, n: int, rate: float) -> Answer:
    share = np.clip(dice.beta(2, 2 / rate, n), 0.001, 0.999)
    labels = np.empty(n, dtype=object)
    labels[:] = ["yes" if one > 0.3 else "no" for one in share]
    return Answer(labels, ["no", "yes"], np.column_stack([1 - share, share]), None)


def _labels(dice: Any, n: int) -> Column:
    labels = np.empty(n, dtype=object)
    labels[:] = ["yes" if one < 0.12 else "no" for one in dice.random(n)]
    return Column("text", labels)


def _outcomes(dice: Any, said: Answer, right: float) -> list[Outcome]:
    found = []
    for prediction, shares in zip(said.predictions, said.probabilities, strict=True):
        other = "no" if prediction == "yes" else "yes"
        truth = prediction if dice.random() < right else other
        found.append(Outcome(truth, prediction, tuple(shares.tolist()), lag_s=float(dice.integers(3_600, 14_400))))
    return found


def _traffic(dice: Any, n: int) -> Table:
    outcomes = np.empty(n, dtype=object)
    outcomes[:] = ["refused" if one < 0.03 else "answered" for one in dice.random(n)]
    return Table({LATENCY: Column("float", dice.gamma(3.0, 1.1, n)), OUTCOME: Column("text", outcomes)})
