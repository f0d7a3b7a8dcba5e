"""Small plans of every strategy for tests of the core, and the fleets they are for.

Targets that a plan changes are t0, t1, .. in its order; those that stand by s0, s1, ..
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from strategies.blue_green import BlueGreenDeployment
from strategies.canary import CanaryDeployment
from strategies.plan import Candidate, Plan, RouterSight
from strategies.rolling import RollingDeployment

#: What shares traffic by weights.
WEIGHTS = RouterSight("r1", "even", ())
#: A router whose blue slot serves.
SIGHT = RouterSight("r1", "blue", ("blue", "green"))


def fleet(count: int, *, unhealthy: Collection[int] = ()) -> list[Candidate]:
    """Return t0, t1, .. at v1."""
    return [Candidate(f"t{n}", "v1", healthy=n not in unhealthy) for n in range(count)]


def plan_of(count: int, *, unhealthy: Collection[int] = (), **options: Any) -> Plan:
    """Return a rolling plan to v2 without delays, unless told otherwise."""
    strategy = RollingDeployment(**{"delay_seconds": 0, **options})
    return strategy.plan(fleet(count, unhealthy=unhealthy), "v2")


def canary_of(count: int, *, unhealthy: Collection[int] = (), **options: Any) -> Plan:
    """Return a canary plan to v2 without bakes, unless told otherwise."""
    strategy = CanaryDeployment(**{"stage_duration_seconds": 0, **options})
    return strategy.plan(fleet(count, unhealthy=unhealthy), "v2")


def weighed_of(count: int, *, unhealthy: Collection[int] = (), **options: Any) -> Plan:
    """Return a canary plan to v2 that shares traffic, without bakes."""
    given = {"stages": "10, 50", "traffic_shares": "5, 20", **options}
    strategy = CanaryDeployment(**{"stage_duration_seconds": 0, **given})
    return strategy.plan(fleet(count, unhealthy=unhealthy), "v2", router=WEIGHTS)


def two_slots(idle: int, standby: int, *, done: int = 0) -> list[Candidate]:
    """Return an idle green slot whose last `done` run v2, and a blue one at v1."""
    green = [
        Candidate(f"t{n}", "v1" if n < idle - done else "v2", slot="green")
        for n in range(idle)
    ]
    return green + [Candidate(f"s{n}", "v1", slot="blue") for n in range(standby)]


def switch_of(idle: int, standby: int, *, done: int = 0, **options: Any) -> Plan:
    """Return a blue-green plan to v2 for two slots behind a router."""
    strategy = BlueGreenDeployment(**options)
    return strategy.plan(two_slots(idle, standby, done=done), "v2", router=SIGHT)


def plain_switch_of(count: int, **options: Any) -> Plan:
    """Return a blue-green plan to v2 for one set of targets and no router."""
    return BlueGreenDeployment(**options).plan(fleet(count), "v2")
