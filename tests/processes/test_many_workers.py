"""Several workers share one deployment, and stay together within its limits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from deployctl.models import Operation
from tests.engine.drivers.agents import Agents
from tests.support import truth
from tests.support.fleet import (
    Log,
    Place,
    Workers,
    agent_targets,
    most_in_flight,
    recorded,
    states,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]


def test_three_workers_never_exceed_ten_in_flight(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(2000, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(2000)))
    workers.start(3, DEPLOYCTL_PLACES="4")  # so that all three must help
    deployment = place.deploy(batch_size=10, window=True)
    snapshots = 0
    holders: set[int | None] = set()

    def over() -> bool:
        nonlocal snapshots
        truth.check(deployment.pk)
        snapshots += 1
        time.sleep(0.1)  # What is looked at takes part in the race for two cores.
        held = Operation.objects.filter(deployment=deployment, state="running")
        holders.update(held.values_list("claimed_by_id", flat=True))
        deployment.refresh_from_db()
        return deployment.rested_at is not None

    until(over, 90)
    assert snapshots > 5
    assert deployment.state == "completed", deployment.reason
    assert states(deployment) == {"succeeded": 2000}
    assert recorded(place) == {"2.0"}
    log = Log(fleet)
    assert set(log.changes().values()) == {1}
    assert len(log.changes()) == 2000
    assert 6 <= most_in_flight(fleet) <= 10
    assert log.most_in_flight() <= 10
    assert len(holders) == 3
