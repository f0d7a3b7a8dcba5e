"""How soon a rollout of 100,000 targets is simulated; it needs no database."""

from __future__ import annotations

import time
from fractions import Fraction

from bench.round.readings import Readings
from strategies import Candidate, create_strategy
from strategies.faults import Between, World
from strategies.outlook import outlook
from strategies.plan import Plan
from strategies.preview import preview
from strategies.simulate import simulate

MANY, GOAL_SECONDS = 100_000, 10.0
ALIKE = World(apply=Between(30, 30))
DRAWN = World(seed=1, apply=Between(5, 60))


def simulating(readings: Readings, repeats: int) -> None:
    """Simulate a large fleet, and compute the outlook of a preview."""
    rolling = _plan("rolling", MANY, batch_size=100)
    canary = _plan("canary", MANY)
    small = _plan("canary", 10_000)
    for _ in range(repeats):
        _simulated(readings, "rolling, batches of 100, changes alike", rolling, ALIKE)
        _simulated(readings, "canary, whole stages, changes alike", canary, ALIKE)
        # Each result comes at a time of its own, and is a flush of its own.
        _simulated(readings, "rolling, batches of 100, each its time", rolling, DRAWN)
        began = time.perf_counter()
        preview(small, 30)
        outlook(small, Fraction(1, 20), 30)
        took = time.perf_counter() - began
        readings.worst("preview and outlook of a canary of 10,000", took, 0.15)


def _simulated(readings: Readings, what: str, plan: Plan, world: World) -> None:
    began = time.perf_counter()
    run = simulate(plan, world)
    took = time.perf_counter() - began
    assert run.outcome == "clean"
    work = f"simulation of 100,000 targets, {what}"
    readings.rate(work, MANY / took, MANY / GOAL_SECONDS, None, MANY)


def _plan(name: str, count: int, **options: object) -> Plan:
    targets = [Candidate(f"t{n}", "v1", zone=f"z{n % 4}") for n in range(count)]
    return create_strategy(name, **options).plan(targets, "v2")
