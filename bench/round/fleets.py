"""Fleets and deployments to measure on, and the check that each one was right."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from django.contrib.auth.models import User

from deployctl.models import Application, Deployment, Environment
from deployctl.queries import plans
from deployctl.services import deployments, fleet, people, planning, versions
from strategies import folds, wire
from strategies.progress import Progress

_numbers = count(1)
NO_BAKE = {"min_healthy_seconds": 0}


@dataclass(frozen=True)
class Fleet:
    """Targets of one application in one environment."""

    application: Application
    environment: Environment
    by: people.Actor


@dataclass(frozen=True)
class Ran:
    """One deployment that has come to rest; wall from the start's return to rest."""

    deployment: int
    wall_seconds: float
    start_seconds: float
    flushes: int


def made(count: int, seconds: float, addresses: Sequence[str] = ()) -> Fleet:
    """Add a fleet at version 1: agents at addresses, or else simulated targets."""
    kind = "agent" if addresses else "simulated"
    settings = {} if addresses else {"version": "1", "latency_seconds": seconds}
    return of(
        [
            fleet.NewTarget(
                name=f"target-{number:05d}",
                address=addresses[number] if addresses else "",
                driver=kind,
                settings=settings,
                recorded_version="1",
            )
            for number in range(count)
        ]
    )


def of(targets: Iterable[fleet.NewTarget]) -> Fleet:
    """Add a fleet of these targets, as an application of its own."""
    user, _ = User.objects.get_or_create(username="bench", defaults={"is_staff": True})
    by = people.actor_of(user)
    application = fleet.add_application(f"bench-{next(_numbers)}", by=by)
    environment = fleet.add_environment("bench", by=by)
    fleet.add_targets(application, environment, targets, by=by)
    return Fleet(application, environment, by)


def started(on: Fleet, at_once: int, *, window: bool) -> tuple[int, float]:
    """Start a deployment of a new version; return its id and the start's seconds."""
    name = str(next(_numbers) + 1)
    version = versions.register_version(on.application, name, by=on.by)
    options: dict[str, Any] = {
        "batch_size": at_once,
        "window": window,
        "delay_seconds": 0,
        "health": NO_BAKE,
    }
    where = on.application, on.environment, version
    plan = planning.plan_deployment(*where, "rolling", options)
    row = deployments.create_deployment(*where, plan, by=on.by)
    began = time.perf_counter()
    deployments.start_deployment(row.pk, by=on.by)
    return int(row.pk), time.perf_counter() - began


def ran(on: Fleet, at_once: int, *, window: bool) -> Ran:
    """Deploy a new version to a whole fleet, wait for the end, and check it."""
    deployment, start_seconds = started(on, at_once, window=window)
    began = time.time()
    row = rested(deployment)
    assert row.rested_at is not None
    checked(row, at_once)
    wall = row.rested_at.timestamp() - began
    return Ran(deployment, wall, start_seconds, row.seq)


def rested(deployment: int, patience_seconds: float = 300) -> Deployment:
    """Wait until a deployment has come to rest."""
    end = time.monotonic() + patience_seconds
    rests = Deployment.objects.filter(pk=deployment, rested_at__isnull=False)
    while not rests.exists():
        assert time.monotonic() < end, f"deployment {deployment} never came to rest"
        time.sleep(0.05)
    return rests.get()


def checked(row: Deployment, at_once: int) -> None:
    """Assert that all succeeded, never too many open, and that the events say so."""
    progress = Progress.begin(plans.course_of(row.plan_id))
    for event in row.events.order_by("seq"):
        for fact in wire.load_facts(event.payload):
            progress = folds.apply(progress, fact, event.at)
        assert progress.open <= at_once, f"{progress.open} open at event {event.seq}"
    assert progress == plans.progress_of(row), "the events do not replay"
    errors = row.operations.exclude(error="").values_list("error", flat=True)[:3]
    assert row.outcome == "clean", f"{row.state} {row.reason} {list(errors)}"
    states = row.operations.values_list("state", flat=True).distinct()
    assert list(states) == ["succeeded"], "an operation has another state"
