"""Fleets behind a router: in two slots, or sharing traffic; for tests alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deployctl.models import Deployment, Router, Target
from deployctl.services import deployments, planning, routers, versions
from strategies.weights import EVEN
from tests.support.fleet import HEALTH, Place, simulated

SLOTS = ("blue", "green")


def prepare(
    place: Place, strategy: str, version: str = "2.0", **options: Any
) -> Deployment:
    """Plan and create a deployment by any strategy; start nothing yet."""
    where = place.application, place.environment
    made = versions.register_version(place.application, version, by=place.by)
    given = {"health": HEALTH, **options}
    plan = planning.plan_deployment(*where, made, strategy, given)
    return deployments.create_deployment(*where, made, plan, by=place.by)


def started(place: Place, strategy: str, **options: Any) -> Deployment:
    """Plan, create and start a deployment by any strategy."""
    return place.start(prepare(place, strategy, **options))


def slotted(count: int, folder: Path) -> Place:
    """Return a place with so many targets in each slot; blue serves, all run 1.0."""
    place = Place(simulated(2 * count))
    for number, target in enumerate(place.targets):
        slot = SLOTS[number % 2]
        Target.objects.filter(pk=target.pk).update(slot=slot)
    settings = {"file": str(folder / "router.json"), "serving": "blue"}
    where = place.application, place.environment
    routers.add_router(*where, "simulated", SLOTS, settings, by=place.by)
    Router.objects.update(serving="blue", observed_at="2026-01-01T00:00:00Z")
    return place


def sharing(count: int, folder: Path) -> Place:
    """Return a place with so many targets at 1.0, whose router shares their traffic."""
    place = Place(simulated(count))
    settings = {"file": str(folder / "router.json"), "serving": EVEN}
    where = place.application, place.environment
    routers.add_router(*where, "simulated", (), settings, by=place.by)
    Router.objects.update(serving=EVEN, observed_at="2026-01-01T00:00:00Z")
    return place


def router(place: Place) -> Router:
    """Return the place's router as it is now."""
    return Router.objects.get(application=place.application)
