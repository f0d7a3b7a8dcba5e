"""What a plan needs to know of targets as they are today; it plans nothing."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from deployctl.models import Target
from deployctl.models.fleet import ZONE, Health


class Sight(NamedTuple):
    """What a plan needs of a target, and no more: a fleet may have 100,000."""

    id: int
    name: str
    recorded_version: str | None
    observed_version: str | None
    health: str
    slot: str | None
    driver_digest: str
    zone: str | None
    disabled_reason: str


def running_version(target: Target | Sight) -> str | None:
    """Return what a target runs, as far as anybody knows.

    That is what is recorded, but for one that is unhealthy: a change that failed there
    has left what was seen last.
    """
    if target.health == Health.UNHEALTHY and target.observed_version:
        return target.observed_version
    return target.recorded_version


def seen(targets: QuerySet[Target]) -> list[Sight]:
    """Return what a plan needs of targets, in the order of their names."""
    zone = KeyTextTransform(ZONE, "labels")
    columns = (zone if name == "zone" else name for name in Sight._fields)
    return list(map(Sight._make, targets.order_by("name").values_list(*columns)))
