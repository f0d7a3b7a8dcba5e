"""Workers that die: at every named point, in the middle, and before they wake again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployctl.models import Deployment
from strategies import wire
from strategies.messages import OperationsMoved
from strategies.states import OperationState
from tests.engine.drivers.agents import Agents
from tests.support import truth
from tests.support.fleet import (
    Log,
    Place,
    Workers,
    agent_targets,
    kill,
    reached,
    recorded,
    rested,
    states,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
S = OperationState

POINTS = [
    "before_claim",
    "after_claim",
    "after_probe",
    "after_apply",
    "before_result",
    "after_result",
]
#: What a crashed worker's process ends with.
CRASHED = 137


def moved_to(deployment: Deployment, state: OperationState) -> int:
    """Count how often an operation came into a state, by the events."""
    return sum(
        len(fact.positions)
        for event in deployment.events.all()
        for fact in wire.load_facts(event.payload)
        if isinstance(fact, OperationsMoved) and fact.now is state
    )


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_on_the_way_forward(
    point: str, agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(8, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(8)))
    # Four targets may end with one flush: then after the second nothing is left.
    count = 1 if point in ("before_claim", "after_result") else 2
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:{count}")
    deployment = place.deploy(batch_size=4)
    assert crashing.wait(10) == CRASHED
    left_open = truth.check(deployment.pk).progress.open
    assert left_open == 0 if point == "before_claim" else left_open > 0
    workers.start()
    assert rested(deployment).state == "completed"
    assert states(deployment) == {"succeeded": 8}
    assert moved_to(deployment, S.FAILED) == 0
    log = Log(fleet)
    assert log.changes() == {(n, "2.0"): 1 for n in range(8)}
    log.check_fences()
    truth.check(deployment.pk)


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_on_the_way_back(
    point: str, agents: Callable[..., Agents], workers: Workers
) -> None:
    bad = {"failing_versions": ["2.0"]}
    fleet = agents(8, {}, {}, {}, {}, bad, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(8)))
    (first,) = workers.start()
    deployment = rested(place.deploy(batch_size=4))
    assert (deployment.state, deployment.reason) == ("failed", "max_failures")
    assert kill(first, signal.SIGTERM) == 0
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:2")
    assert place.press(deployment, "roll_back").status == "ok"
    assert crashing.wait(10) == CRASHED
    workers.start()
    assert rested(deployment).state == "rolled_back"
    assert recorded(place) == {"1.0"}
    log = Log(fleet)
    changes = log.changes()
    # The bad one never left 1.0, so it is found there and not touched again.
    touched = [n for n in range(8) if n != 4]
    assert {n: changes.get((n, "1.0")) for n in touched} == dict.fromkeys(touched, 1)
    assert set(changes.values()) == {1}
    log.check_fences()
    truth.check(deployment.pk)


@pytest.mark.parametrize("timings", ["short", "default"])
def test_a_batch_of_fifty_outlives_a_killed_worker(
    timings: str, agents: Callable[..., Agents], workers: Workers
) -> None:
    if timings == "default":
        for name in [n for n in workers.environment if n.startswith("DEPLOYCTL_")]:
            del workers.environment[name]
    fleet = agents(50, apply_seconds=1.5)
    place = Place(agent_targets(fleet, range(50)))
    victim, _ = workers.start(2, DEPLOYCTL_PLACES="30")
    time.sleep(1.5)  # Both are there to share the batch.
    deployment = place.deploy(batch_size=50, max_failures=0)
    until(lambda: len(Log(fleet).of("started")) >= 50)
    killed_at = time.monotonic()
    assert kill(victim) == -signal.SIGKILL
    assert rested(deployment, 16).state == "completed"
    assert time.monotonic() - killed_at < 15
    assert states(deployment) == {"succeeded": 50}
    assert moved_to(deployment, S.UNKNOWN) > 0, "the victim held nothing"
    assert moved_to(deployment, S.FAILED) == 0
    assert Log(fleet).changes() == {(n, "2.0"): 1 for n in range(50)}
    truth.check(deployment.pk)


def test_an_abort_while_all_workers_are_dead_ends_with_the_next_one(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(12, apply_seconds=2)
    place = Place(agent_targets(fleet, range(12)))
    victims = workers.start(2, DEPLOYCTL_PLACES="3")
    deployment = place.deploy(batch_size=6)
    until(lambda: len(Log(fleet).of("started")) >= 6)
    for victim in victims:
        kill(victim)
    assert place.press(deployment, "abort").status == "ok"
    assert reached(deployment, "in_progress").open_count == 6
    workers.start()
    assert rested(deployment).reason == "aborted_by_user"
    assert states(deployment) == {"succeeded": 6, "pending": 6}
    assert len(Log(fleet).of("started")) == 6


# -- stopped and continued -----------------------------------------------------------


def is_stopped(pid: int) -> bool:
    """Say whether a process is stopped by a signal."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def woken_after_the_return(
    fleet: Agents, workers: Workers, *faults: str, halt: bool = False
) -> tuple[Log, Place]:
    """Stop a worker just before it sends, return the fleet without it, wake it."""
    count = len(fleet.ports)
    place = Place(agent_targets(fleet, range(count)))
    (zombie,) = workers.start(fault=",".join(["stop_before_apply", *faults]))
    deployment = place.deploy(batch_size=count, on_failure="rollback")
    until(lambda: is_stopped(zombie.pid))
    if not halt:
        place.press(deployment, "pause")
    workers.start(fault=",".join(faults))
    if not halt:
        until(lambda: set(states(deployment)) == {"pending"})
        assert place.press(deployment, "roll_back").status == "ok"
    assert rested(deployment).state == "rolled_back"
    os.kill(zombie.pid, signal.SIGCONT)
    time.sleep(1.5)
    truth.check(deployment.pk)
    return Log(fleet), place


@pytest.mark.parametrize("halt", [False, True])
def test_a_worker_that_wakes_after_the_return_changes_nothing(
    halt: bool, agents: Callable[..., Agents], workers: Workers
) -> None:
    bad = {"failing_versions": ["2.0"]} if halt else {}
    fleet = agents(10, bad, apply_seconds=0.02)
    log, place = woken_after_the_return(fleet, workers, halt=halt)
    assert len(log.of("stale")) == 10, "the zombie sent nothing: it proves nothing"
    assert set(log.versions().values()) <= {"1.0"}
    assert recorded(place) == {"1.0"}
    log.check_fences()


def test_control_a_fence_that_is_the_attempt_lets_the_zombie_in(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(10, apply_seconds=0.02)
    faults = "fence_is_the_attempt", "accept_any_fence"
    log, _ = woken_after_the_return(fleet, workers, *faults)
    assert "2.0" in log.versions().values(), "no target left its restored version"
