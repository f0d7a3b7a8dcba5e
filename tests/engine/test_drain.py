"""When an operation takes its target out of traffic, and when it leads it back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployctl.engine.drivers.base import Applied, Driver, StaleFence, TargetRef
from deployctl.engine.drivers.simulated import Fleet, SimulatedDriver
from deployctl.engine.operate import Runner
from deployctl.engine.reach import Reach
from deployctl.engine.targets import problems
from deployctl.engine.traffic import TrafficFailed, Traffics
from deployctl.services.claims import Claim
from deployctl.services.operations import Report
from strategies.states import Kind, OperationState
from tests.engine.test_operate import AT_ONCE, Desk, Only, claimed

S = OperationState
SETTING = [{"kind": "haproxy", "address": "/nowhere", "servers": ["b/one"]}]


class Lights(Traffics):
    """Traffic that is a word; it fails as it is told to, and writes down what it did.

    Attributes:
        fleet: where the target is, to see when it was changed.
    """

    def __init__(self, fleet: Fleet, *failing: str, touched: bool = True) -> None:
        super().__init__()
        self.fleet, self.failing, self.touched = fleet, failing, touched
        self.done: list[tuple[str, int]] = []
        self.left = ""

    async def take_out(self, target: TargetRef, *, seconds: float) -> str:
        self._do("out")
        return self.left

    async def lead_back(self, target: TargetRef, *, seconds: float, wait: bool) -> None:
        self._do("back" if wait else "back unseen")

    def _do(self, what: str) -> None:
        if what.partition(" ")[0] in self.failing:
            raise TrafficFailed("no answer", touched=self.touched)
        self.done.append((what, self.fleet.applies))


def run(
    lights: Lights,
    desk: Desk | None = None,
    driver: Driver | None = None,
    **more: Any,
) -> Report:
    """Carry out a claim of a target with the setting; return what was said last."""
    settings = {"version": "1.0", "traffic": SETTING, **more.pop("settings", {})}
    claim: Claim = claimed(settings=settings, **more)
    desk = desk or Desk()

    async def carried_out() -> None:
        outside = Only(driver or SimulatedDriver(lights.fleet))
        outside.traffics = lights
        asked_at = asyncio.get_running_loop().time()
        await Runner(claim, Reach(), outside, AT_ONCE, desk, asked_at).run()
        await outside.close()

    asyncio.run(carried_out())
    return desk.said[-1]


def test_it_is_out_while_it_is_changed_and_back_before_it_is_said() -> None:
    lights = Lights(Fleet())
    assert run(lights).state is S.SUCCEEDED
    assert lights.done == [("out", 0), ("back", 1)]


def test_without_the_setting_nothing_is_taken_out() -> None:
    lights = Lights(Fleet(), "out", "back")
    assert run(lights, settings={"traffic": []}).state is S.SUCCEEDED


def test_what_was_still_under_way_is_said_in_the_output() -> None:
    lights = Lights(Fleet())
    lights.left = "3 requests"
    assert run(lights).output.startswith("3 requests")


def test_what_cannot_be_taken_out_is_not_changed() -> None:
    lights = Lights(Fleet(), "out", touched=False)
    report = run(lights)
    assert (report.state, report.available) == (S.FAILED, True)
    assert "was not changed: no answer" in report.error
    assert (lights.fleet.applies, lights.done) == (0, [])


def test_what_may_have_been_taken_out_is_led_back() -> None:
    lights = Lights(Fleet(), "out")
    assert run(lights).state is S.FAILED
    assert lights.done == [("back unseen", 0)]


def test_a_pause_while_it_drains_leads_it_back_unchanged() -> None:
    lights = Lights(Fleet())
    assert run(lights, Desk(allowed=2)).state is S.RELEASED
    assert lights.done == [("out", 0), ("back unseen", 0)]


def test_a_worker_that_may_be_dead_touches_no_traffic() -> None:
    """Somebody else may have taken it out meanwhile, for a change of theirs."""
    lights = Lights(Fleet())
    assert run(lights, Desk(allowed=2, trusted=False)).state is S.UNKNOWN
    assert lights.done == [("out", 0)]


class Overtaken(SimulatedDriver):
    """A target that has heard a higher fence between the look and the apply."""

    async def apply(self, *args: Any, **more: Any) -> Applied:
        raise StaleFence("fence 6 has been here", heard=6)


def test_who_was_overtaken_touches_no_traffic() -> None:
    """Whoever has the higher fence has it out now, and leads it back."""
    lights = Lights(Fleet())
    report = run(lights, driver=Overtaken(lights.fleet))
    assert (report.state, report.available) == (S.FAILED, None)
    assert lights.done == [("out", 0)]


def test_a_target_that_failed_stays_out() -> None:
    lights = Lights(Fleet())
    assert run(lights, settings={"failing": 1}).state is S.FAILED
    assert lights.done == [("out", 0)]


def test_one_that_is_never_healthy_stays_out() -> None:
    lights = Lights(Fleet())
    settings = {"unhealthy_versions": ["2.0"]}
    assert run(lights, settings=settings).state is S.FAILED
    assert lights.done == [("out", 0)]


def test_what_serves_already_is_led_back_too() -> None:
    """It may have failed before, and been mended by hand."""
    lights = Lights(Fleet())
    assert run(lights, settings={"version": "2.0"}).state is S.SKIPPED
    assert lights.done == [("back", 0)]


def test_who_settles_a_doubt_leads_it_back() -> None:
    """Done or not done: it is out only while the operation is open."""
    lights = Lights(Fleet())
    assert run(lights, state=S.UNKNOWN).state is S.PENDING
    assert lights.done == [("back unseen", 0)]
    lights = Lights(Fleet())
    settled = run(lights, state=S.UNKNOWN, settings={"version": "2.0"})
    assert settled.state is S.SUCCEEDED
    assert lights.done == [("back", 0)]


def test_who_goes_on_verifying_leads_it_back() -> None:
    lights = Lights(Fleet())
    settings = {"version": "2.0"}
    assert run(lights, state=S.VERIFYING, settings=settings).state is S.SUCCEEDED
    assert lights.done == [("back", 0)]


def test_what_works_and_gets_no_traffic_has_failed() -> None:
    report = run(Lights(Fleet(), "back"))
    assert (report.state, report.available, report.observed) == (S.FAILED, False, "2.0")
    assert report.error == "could not be led back into traffic: no answer"


def test_what_was_not_changed_and_is_still_out_is_settled_by_another() -> None:
    """And when they cannot lead it back either, a person must."""
    report = run(Lights(Fleet(), "back"), Desk(allowed=2))
    assert (report.state, report.available) == (S.UNKNOWN, False)
    report = run(Lights(Fleet(), "back"), state=S.UNKNOWN)
    assert (report.state, report.available) == (S.UNRESOLVED, False)


def test_who_only_looks_touches_no_traffic() -> None:
    lights = Lights(Fleet())
    settings = {"version": "2.0"}
    assert run(lights, kind=Kind.VERIFY, settings=settings).state is S.SUCCEEDED
    assert lights.done == []


@pytest.mark.parametrize(("given", "word"), [(SETTING, ""), ([{}], "kind is one of")])
def test_any_kind_of_target_may_have_the_setting(given: object, word: str) -> None:
    found = problems("simulated", "", {"version": "1.0", "traffic": given})
    assert word in found.get("traffic", "")
    assert set(found) <= {"traffic"}
