"""Pause means pause: pressed 200 times, over four deployments on real agents."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from deployctl.models import Deployment
from strategies import wire
from strategies.messages import Held, OperationsMoved, Resumed
from strategies.states import OperationState
from tests.engine.drivers.agents import Agents
from tests.services.hands import Beside
from tests.support import truth
from tests.support.fleet import (
    Log,
    Place,
    Workers,
    agent_targets,
    reached,
    rested,
    states,
    until,
)

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
S = OperationState

#: An apply that is heard later than this after the answer was not in flight.
LATE_SECONDS = 0.2


@dataclass
class Presser:
    """Presses pause and resume, and notes between which moments all must be quiet."""

    place: Place
    span: range
    #: For how long it stays quiet after the moment from which nothing may be heard.
    quiet_seconds: float = 0.05
    deployments: list[Deployment] = field(default_factory=list)
    quiet: list[tuple[float, float]] = field(default_factory=list)

    def press(self, times: int) -> None:
        """Pause, wait, resume; start another deployment whenever one is over."""
        while len(self.quiet) < times:
            now = self._running()
            time.sleep(0.01 + 0.005 * (len(self.quiet) % 9))
            if self.place.press(now, "pause").status != "ok":
                continue  # It was over just before.
            answered = time.time()
            time.sleep(LATE_SECONDS + self.quiet_seconds)
            self.quiet.append((answered, time.time()))
            # What is in flight may end just now, which makes this page a stale one.
            until(partial(self._resumed, now))

    def _resumed(self, deployment: Deployment) -> bool:
        return self.place.press(deployment, "resume").status == "ok"

    def _running(self) -> Deployment:
        if self.deployments:
            last = self.deployments[-1]
            last.refresh_from_db()
            if last.rested_at is None:
                return last
        version = f"{len(self.deployments) + 2}.0"
        started = self.place.deploy(version, batch_size=4, window=True)
        self.deployments.append(started)
        return started

    def heard_late(self, log: Log) -> int:
        """Count the applies that agents heard while it should have been quiet."""
        heard = [line["at"] for line in log.of("heard") if line["n"] in self.span]
        return sum(
            answered + LATE_SECONDS < at < end
            for at in heard
            for answered, end in self.quiet
        )


def claims_while_held(deployment: Deployment) -> int:
    """Count claims between hold and resume, in the order in which flushes committed."""
    held, found = False, 0
    for event in deployment.events.order_by("seq"):
        for fact in wire.load_facts(event.payload):
            if isinstance(fact, Held | Resumed):
                held = isinstance(fact, Held)
            if isinstance(fact, OperationsMoved) and held:
                found += len(fact.positions) * (fact.now is S.RUNNING)
    return found


def test_nothing_is_claimed_after_the_answer_of_200_pauses(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(1200, apply_seconds=0.02)
    spans = [range(n, n + 300) for n in range(0, 1200, 300)]
    pressers = [Presser(Place(agent_targets(fleet, span)), span) for span in spans]
    workers.start(3, DEPLOYCTL_PLACES="8")
    pressing = [Beside(partial(presser.press, 50)) for presser in pressers]
    for each in pressing:
        each.get(90)
    log = Log(fleet)
    assert sum(len(presser.quiet) for presser in pressers) == 200
    assert len(log.of("heard")) > 400, "hardly anything ran between the pauses"
    for presser in pressers:
        assert presser.heard_late(log) == 0
        for deployment in presser.deployments:
            assert claims_while_held(deployment) == 0
            truth.check(deployment.pk)


def test_control_a_worker_that_reads_before_it_locks_is_found_out(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fleet = agents(60, apply_seconds=0.02)
    place = Place(agent_targets(fleet, range(60)))
    workers.start(fault="state_before_the_lock")
    found = 0
    for number in range(20):
        deployment = place.deploy(f"{number + 2}.0", batch_size=4, window=True)
        reached(deployment, "in_progress")
        time.sleep(1.0 if number == 0 else 0.1 + 0.007 * number)
        place.press(deployment, "pause")
        time.sleep(0.3)
        found = claims_while_held(deployment)
        if found:
            break
        place.press(deployment, "abort")
    assert found, "the check missed a worker that is wrong"


def heard_late_of_slow_workers(
    agents: Callable[..., Agents], workers: Workers, fault: str
) -> int:
    """Count late applies where each pause comes between a claim and its apply."""
    fleet = agents(12, apply_seconds=0.02)
    presser = Presser(Place(agent_targets(fleet, range(12))), range(12), 0.4)
    workers.start(fault=fault)
    running = presser.place.deploy(batch_size=4, window=True)
    presser.deployments.append(running)
    until(lambda: states(running).get("running"))
    presser.press(2)
    assert rested(running).state == "completed"
    log = Log(fleet)
    assert len(log.of("heard")) == 12, "the check had nothing to look at"
    return presser.heard_late(log)


def test_what_was_claimed_and_not_sent_is_given_back_by_a_pause(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    assert heard_late_of_slow_workers(agents, workers, "dawdle_before_apply") == 0


def test_control_a_worker_that_does_not_ask_before_it_applies_is_found_out(
    agents: Callable[..., Agents], workers: Workers
) -> None:
    fault = "dawdle_before_apply,never_ask_before_apply"
    found = heard_late_of_slow_workers(agents, workers, fault)
    assert found, "the check missed a worker that is wrong"
