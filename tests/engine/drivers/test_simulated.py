"""The simulated targets: each fault, whom it falls on, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployctl.engine.drivers.base import (
    OutcomeUnknown,
    ProbeFailed,
    TargetRef,
)
from deployctl.engine.drivers.simulated import (
    FAULTS,
    LOG_VARIABLE,
    Fleet,
    SimulatedDriver,
    most_in_flight,
)

pytestmark = pytest.mark.asyncio


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.reset()


def target(name: str = "one", **settings: Any) -> TargetRef:
    return TargetRef(name, name, "", {"version": "1.0", **settings})


async def applied(fleet: Fleet, to: TargetRef, seconds: float = 5) -> Any:
    driver = SimulatedDriver(fleet)
    return await driver.apply(to, version="2.0", fence=1, seconds=seconds)


async def test_failing_leaves_the_old_version(fleet: Fleet) -> None:
    to = target(failing=1)
    assert not (await applied(fleet, to)).ok
    assert fleet.device(to).version == "1.0"


async def test_lying_says_done_and_is_not(fleet: Fleet) -> None:
    to = target(lying=1)
    assert (await applied(fleet, to)).ok
    assert fleet.device(to).version == "1.0"


async def test_hanging_takes_all_the_time_and_stays_unknown(fleet: Fleet) -> None:
    to = target(hanging=1)
    with pytest.raises(OutcomeUnknown):
        await applied(fleet, to, 0.05)
    with pytest.raises(OutcomeUnknown):
        await applied(fleet, to, 0.05)
    assert (fleet.applies, fleet.in_flight) == (1, 0)


async def test_flapping_alternates(fleet: Fleet) -> None:
    driver, to = SimulatedDriver(fleet), target(flapping=1)
    seen = [(await driver.probe(to, fence=None, seconds=1)).healthy for _ in range(4)]
    assert seen == [True, False, True, False]


async def test_unreachable_does_not_answer(fleet: Fleet) -> None:
    with pytest.raises(ProbeFailed):
        await SimulatedDriver(fleet).probe(target(unreachable=1), fence=None, seconds=1)


async def test_a_version_may_be_unhealthy(fleet: Fleet) -> None:
    driver, to = SimulatedDriver(fleet), target(unhealthy_versions=["2.0"])
    assert (await driver.probe(to, fence=None, seconds=1)).healthy
    await applied(fleet, to)
    assert not (await driver.probe(to, fence=None, seconds=1)).healthy


async def test_a_share_falls_on_the_same_targets_each_time() -> None:
    def unlucky(seed: int) -> set[str]:
        fleet = Fleet()
        named = [target(f"t{n}", failing=0.3, seed=seed) for n in range(1000)]
        return {each.name for each in named if fleet.device(each).faults}

    assert unlucky(1) == unlucky(1) != unlucky(2)
    assert 250 < len(unlucky(1)) < 350


async def test_new_settings_are_learnt_and_the_version_kept(fleet: Fleet) -> None:
    await applied(fleet, target())
    assert fleet.device(target(failing=1)).faults == {"failing"}
    assert fleet.device(target(failing=1)).version == "2.0"


async def test_the_log_is_a_witness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    monkeypatch.setenv(LOG_VARIABLE, str(path))
    fleet = Fleet()
    driver = SimulatedDriver(fleet)
    named = [target(f"t{n}", latency_seconds=0.05) for n in range(12)]
    for some in (named[:5], named[5:]):
        await asyncio.gather(
            *(driver.apply(to, version="2.0", fence=1, seconds=5) for to in some)
        )
    fleet.log_to(str(path))
    fleet.reset()
    assert most_in_flight(path.read_text().splitlines()) == 7


async def test_in_flight_is_right_after_a_cancel(fleet: Fleet) -> None:
    running = asyncio.create_task(applied(fleet, target(latency_seconds=30), 60))
    await asyncio.sleep(0.01)
    assert (fleet.in_flight, fleet.max_in_flight) == (1, 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert fleet.in_flight == 0


async def test_it_is_cheap(fleet: Fleet) -> None:
    driver = SimulatedDriver(fleet)
    named = [target(f"t{n}") for n in range(5000)]
    began = time.process_time()
    for to in named:
        await driver.apply(to, version="2.0", fence=1, seconds=5)
    assert fleet.applies / (time.process_time() - began) > 10_000


async def test_settings_are_checked() -> None:
    assert SimulatedDriver.problems("", dict.fromkeys(FAULTS, 0.5)) == {}
    wrong = {
        "failing": 2,
        "lying": True,
        "latency_seconds": "1",
        "version": 5,
        "unhealthy_versions": "2.0",
        "colour": "red",
    }
    assert SimulatedDriver.problems("", wrong).keys() == wrong.keys()
