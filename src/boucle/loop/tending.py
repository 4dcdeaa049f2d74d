"""Tending what collecting has made: files are compacted, old rows forgotten, profiles rolled up."""

from __future__ import annotations

from boucle.loop.collect import CollectWorld
from boucle.loop.log import DAY_US
from boucle.monitoring.ports import Key

MINUTES_KEPT_US, HOURS_KEPT_US = 7 * DAY_US, 90 * DAY_US
HOUR_S, DAY_S = 3_600, 86_400


def tend(world: CollectWorld) -> None:
    """Apply retention, roll profiles up (minutes after 7 days to hours, hours after 90 days to days), compact.

    What was forgotten or rolled up already stays so: it can be repeated, and interrupted, at any point.
    """
    now = world.now()
    for model in world.registry.models():
        before = now - world.policy(model.name).retention_days * DAY_US
        world.log.forget(model.name, before)
        with world.store.collecting() as tx:
            tx.forget(model.name, before)
        newest = min(now, _newest(world, model.name) or now)  # a replay of last year is judged by its own clock
        for age_us, step_s in ((HOURS_KEPT_US, DAY_S), (MINUTES_KEPT_US, HOUR_S)):
            with world.store.collecting() as tx:
                tx.roll_up(model.name, newest - age_us, step_s)
    world.log.maintain()


def _newest(world: CollectWorld, model: str) -> int | None:
    """Return the newest minute with a request of any version."""
    numbers = [version.number for version in world.registry.versions(model)]
    known = [world.profiles.newest(Key(model, number, "traffic")) for number in numbers]
    return max((at for at in known if at is not None), default=None)
