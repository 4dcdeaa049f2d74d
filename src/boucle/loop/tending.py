"""Tending what collecting has made: files are compacted, old rows forgotten, profiles rolled up."""

from __future__ import annotations

from boucle.loop.collect import CollectWorld
from boucle.loop.log import DAY_US

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
    for age_us, step_s in ((HOURS_KEPT_US, DAY_S), (MINUTES_KEPT_US, HOUR_S)):
        with world.store.collecting() as tx:
            tx.roll_up(now - age_us, step_s)
    world.log.maintain()
