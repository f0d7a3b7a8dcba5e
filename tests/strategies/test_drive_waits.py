"""The driver where it waits: gates, bakes, delays, holds, and the clock itself."""

from __future__ import annotations

import asyncio
import time

import pytest

from strategies import (
    BlueGreenDeployment,
    CanaryDeployment,
    DeploymentState,
    InvalidOptions,
    RollingDeployment,
)
from strategies.drive import SystemClock
from tests.strategies.fakes import FakeClock, Site, targets
from tests.strategies.test_drive import rolling


@pytest.mark.parametrize(
    "strategy",
    [
        CanaryDeployment(gates=True),
        CanaryDeployment(gates=True, gate_limit_seconds=60),
        BlueGreenDeployment(auto_promote=False),
    ],
)
def test_a_gate_without_anybody_to_answer_is_refused(strategy):
    """Before anything is touched, and it says what to give."""
    site = Site()

    with pytest.raises(InvalidOptions, match="give a gate_fn"):
        strategy.deploy(targets(4), "v2", site.deploy)
    assert site.log == []


def test_a_gate_that_promotes_itself_waits_its_time():
    """Nobody has to answer; what is accepted is watched meanwhile."""
    site = Site()
    strategy = BlueGreenDeployment(
        site.switch, site.check, auto_promote=False, auto_promote_seconds=30
    )

    result = strategy.deploy(targets(1), "v2", site.deploy, clock=site.clock)

    assert result.success
    assert site.clock.seconds == 30
    assert site.log.count(("check", "t0")) == 1 + 30 / 5


def test_a_gate_is_asked_by_its_name():
    """After each stage but the last; a yes goes on."""
    asked: list[str] = []
    site = Site()

    def say(name):
        asked.append(name)
        return True

    strategy = CanaryDeployment([10, 50], gates=True)

    result = strategy.deploy(
        targets(10),
        "v2",
        site.deploy,
        gate_fn=say,
        clock=site.clock,
    )

    assert asked == ["after stage 1", "after stage 2"]
    assert result.success


@pytest.mark.parametrize(
    ("answer", "said"),
    [(lambda name: False, "returned False"), (lambda name: 1 / 0, "ZeroDivisionError")],
)
def test_a_gate_that_is_refused_stops_for_good(answer, said):
    """No further stage; what was deployed stays, until it is taken back."""
    site, strategy = Site(), CanaryDeployment([10], gates=True)

    result = strategy.deploy(
        targets(10), "v2", site.deploy, gate_fn=answer, clock=site.clock
    )

    assert site.called == ["t0"]
    assert result.state is DeploymentState.FAILED
    assert result.errors[0].startswith("gate after stage 1: gate_fn r")
    assert said in result.errors[0]
    assert result.metadata["stopped_at_stage"] == 10


def test_a_return_that_would_break_the_floor_ends_where_it_stands():
    """It would ask a person, and nobody is there: it has failed, and says why."""
    fleet, site = targets(2), Site()
    strategy = rolling(batch_size=1, min_healthy=1)
    strategy.deploy(fleet, "v2", site.deploy)
    fleet[0].healthy = False

    site.failing = {"t0"}
    result = strategy.rollback(fleet, "v1", site.deploy, clock=site.clock)

    assert site.called[2:] == ["t0", "t0"]
    assert site.clock.seconds == 600
    assert result.metadata["reason"] == "floor"
    assert result.metadata["unrestored_targets"] == ["t0", "t1"]


def test_what_stops_without_an_error_of_a_callback_says_so():
    """No room is left, and after the progress deadline it halts."""
    fleet, site = targets(3), Site(failing={"t0"})
    options = {"max_failures": 1, "min_healthy": 2, "progress_seconds": 400}

    result = rolling(**options).deploy(fleet, "v2", site.deploy, clock=site.clock)

    assert result.metadata["reason"] == "floor"
    assert result.errors == ["t0: deploy_fn returned False"]
    assert site.called == ["t0"]


def test_real_time_passes():
    """The clock of the library waits, in line and in a loop, and measures it."""
    clock, began = SystemClock(), time.monotonic()

    clock.sleep(0.01)
    asyncio.run(clock.asleep(0.01))
    strategy = RollingDeployment(1, 0.02)
    result = strategy.deploy(targets(2), "v2", lambda target, version: True)

    assert time.monotonic() - began >= 0.04
    assert 20 <= result.duration_ms < 5000


def test_in_a_loop_it_waits_without_stopping_it():
    """The clock is asked for the kind of wait that a loop can have."""
    clock = FakeClock()

    result = asyncio.run(
        CanaryDeployment().adeploy(targets(10), "v2", Site().deploy, clock=clock)
    )

    assert clock.slept == [60.0] * 3
    assert result.duration_ms == 180_000


def test_a_bake_asks_as_many_at_once_as_the_plan_allows():
    """Awaited checks share the parallelism of the plan."""
    site, under_way, most = Site(), set(), []

    async def check(target):
        under_way.add(target.id)
        most.append(len(under_way))
        await asyncio.sleep(0)
        under_way.remove(target.id)
        return True

    strategy = CanaryDeployment([50], 5, check, parallelism=2)
    result = strategy.deploy(targets(8), "v2", site.deploy, clock=site.clock)

    assert result.success
    assert (max(most), len(most)) == (2, 8 + 4)


def test_nothing_given_is_nothing_awaited():
    """As in line."""
    site, strategy = Site(), rolling()

    deployed = asyncio.run(strategy.adeploy([], "v2", site.deploy))
    returned = asyncio.run(strategy.arollback([], "v1", site.deploy))

    assert (deployed.state, returned.state) == (
        DeploymentState.COMPLETED,
        DeploymentState.ROLLED_BACK,
    )
