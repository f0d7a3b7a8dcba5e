"""One claim carried out on a simulated target or router, and what is said of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deployctl.engine.aside import Aside
from deployctl.engine.drivers.base import Driver, Probe, StaleFence, TargetRef
from deployctl.engine.drivers.simulated import Fleet, SimulatedDriver
from deployctl.engine.operate import Runner
from deployctl.engine.outside import Outside
from deployctl.engine.reach import Reach
from deployctl.engine.reaches import Reaches
from deployctl.engine.routers.base import RouterRef
from deployctl.engine.routers.simulated import SimulatedRouter
from deployctl.engine.shift import ShiftDriver
from deployctl.services.claims import Claim
from deployctl.services.operations import Report
from strategies.health import Health
from strategies.states import Direction, Kind, OperationState

S = OperationState
AT_ONCE = Health(min_healthy_seconds=0, interval_seconds=0.05, deadline_seconds=1)


@dataclass
class Desk:
    """Takes what is reported; says so many times that an effect may start."""

    allowed: int = 100
    said: list[Report] = field(default_factory=list)
    trusted: bool = True

    def may_apply(self, claim: Claim) -> bool:
        self.allowed -= 1
        return self.allowed >= 0

    def is_trusted(self) -> bool:
        return self.trusted

    def report(self, claim: Claim, report: Report) -> None:
        self.said.append(report)

    async def committed(self, claim: Claim, report: Report) -> bool:
        self.said.append(report)
        return True


def claimed(state: OperationState = S.RUNNING, **more: Any) -> Claim:
    """Return a claim of a target that goes from 1.0 to 2.0."""
    given: dict[str, Any] = {
        "operation_id": 1,
        "deployment_id": 1,
        "direction": Direction.FORWARD,
        "position": 0,
        "state": state,
        "attempt": 1,
        "fence": 5,
        "from_version": "1.0",
        "to_version": "2.0",
        "was_available": True,
        "subject_id": 1,
        "name": "t0",
        "address": "",
        "driver": "simulated",
        "settings": {"version": "1.0"},
        "apply_seconds": 5.0,
        "verify_seconds": 5.0,
        "settle_seconds": 0.0,
        "quiet": True,
        "kind": Kind.DEPLOY,
    }
    return Claim(**{**given, **more})


class Only(Outside):
    """An outside in which one driver carries everything out."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(Reaches(Aside("reach").asked))
        self._driver = driver

    def of(self, claim: Claim, reach: Reach) -> Driver:
        return self._driver


def run(
    claim: Claim,
    driver: Driver,
    desk: Desk,
    *,
    health: Health = AT_ONCE,
    asked_seconds_ago: float = 0,
    reach: Reach | None = None,
) -> Report:
    """Carry a claim out; return the last thing that was said of it."""

    async def carried_out() -> None:
        asked_at = asyncio.get_running_loop().time() - asked_seconds_ago
        outside = Only(driver)
        await Runner(claim, reach or Reach(), outside, health, desk, asked_at).run()
        await outside.close()

    asyncio.run(carried_out())
    return desk.said[-1]


def ref(claim: Claim) -> TargetRef:
    return TargetRef(str(claim.subject_id), claim.name, claim.address, claim.settings)


def test_a_change_is_made_and_seen() -> None:
    fleet, desk = Fleet(), Desk()
    report = run(claimed(), SimulatedDriver(fleet), desk)
    assert (report.state, report.observed, fleet.applies) == (S.SUCCEEDED, "2.0", 1)


def test_what_is_held_after_the_first_look_is_given_back_untouched() -> None:
    """It was claimed, may begin, is looked at; then somebody pauses."""
    fleet, desk = Fleet(), Desk(allowed=1)
    report = run(claimed(), SimulatedDriver(fleet), desk)
    assert (report.state, fleet.applies) == (S.RELEASED, 0)


def test_an_answer_that_never_came_is_a_doubt_and_no_failure() -> None:
    settings = {"version": "1.0", "hanging": 1}
    claim = claimed(settings=settings, apply_seconds=0.05)
    report = run(claim, SimulatedDriver(Fleet()), Desk())
    assert report.state is S.UNKNOWN


def test_a_doubt_is_settled_with_a_fence_that_shuts_the_lost_attempt_out() -> None:
    driver, claim = SimulatedDriver(Fleet()), claimed(S.UNKNOWN, fence=7)
    assert run(claim, driver, Desk()).state is S.PENDING
    late = driver.apply(ref(claim), version="2.0", fence=6, seconds=1)
    with pytest.raises(StaleFence):
        asyncio.run(late)


def test_the_time_to_apply_is_counted_from_the_claim_and_not_from_now() -> None:
    """It was given until then; later others may hold it for lost."""
    claim = claimed(settings={"version": "1.0", "latency_seconds": 0.05})
    driver = SimulatedDriver(Fleet())
    report = run(claim, driver, Desk(), asked_seconds_ago=claim.apply_seconds)
    assert report.state is S.UNKNOWN


def lying_switch(folder: Path) -> tuple[Claim, Driver]:
    """Return a switch from blue to green by a router that says so and does nothing."""
    settings = {"file": str(folder / "r"), "serving": "blue", "fault": "lying"}
    claim = claimed(
        kind=Kind.SHIFT,
        slots=("blue", "green"),
        from_version="blue",
        to_version="green",
        settings=settings,
    )
    router = RouterRef("1", "router", claim.slots, settings)
    return claim, ShiftDriver(SimulatedRouter(), router, expected="blue")


def test_a_router_is_not_believed_but_read_back(tmp_path: Path) -> None:
    claim, driver = lying_switch(tmp_path)
    health = replace(AT_ONCE, deadline_seconds=0.2)
    report = run(claim, driver, Desk(), health=health)
    assert (report.state, report.observed) == (S.FAILED, "blue")


def test_D_8_a_change_that_fails_is_not_looked_at_any_more() -> None:
    """Its own word is enough: failed at once, with what it said."""
    fleet, desk = Fleet(), Desk()
    claim = claimed(settings={"version": "1.0", "failing": 1})
    report = run(claim, SimulatedDriver(fleet), desk, health=Health())
    assert (report.state, fleet.applies) == (S.FAILED, 1)
    assert report.error
    assert S.VERIFYING not in {each.state for each in desk.said}


def test_what_a_check_says_decides_besides_the_target(tmp_path: Path) -> None:
    """The target is well by its own word, at the version; its check says no."""
    check = {"kind": "command", "argv": ["/bin/sh", "-c", "echo not yet; exit 1"]}
    settings = {"version": "1.0", "checks": [check]}
    report = run(
        claimed(settings=settings),
        SimulatedDriver(Fleet()),
        Desk(),
        health=replace(AT_ONCE, deadline_seconds=2),
    )
    assert (report.state, report.observed) == (S.FAILED, "2.0")
    assert report.error == "deadline: check 1 (command): exit status 1: not yet"


def test_a_check_that_cannot_be_made_does_not_hide_where_the_target_is() -> None:
    """It is changed all the same, and skipped by no doubt of ours."""
    settings = {"version": "1.0", "checks": [{"kind": "command", "argv": ["/gone"]}]}
    fleet = Fleet()
    report = run(
        claimed(settings=settings),
        SimulatedDriver(fleet),
        Desk(),
        health=replace(AT_ONCE, deadline_seconds=2),
    )
    assert (report.state, report.observed, fleet.applies) == (S.FAILED, "2.0", 1)
    assert "/gone" in report.error


class Faulty(SimulatedDriver):
    """A driver with a fault of its own in its probe."""

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        raise LookupError("an answer that nobody thought of")


@pytest.mark.parametrize(
    ("state", "comes_to"), [(S.RUNNING, S.FAILED), (S.UNKNOWN, S.UNRESOLVED)]
)
def test_a_probe_that_fails_by_a_fault_of_ours_has_changed_nothing(
    state: OperationState, comes_to: OperationState
) -> None:
    """Before a change it is no doubt, and within a doubt it does not go on for ever."""
    fleet = Fleet()
    report = run(claimed(state), Faulty(fleet), Desk())
    assert (report.state, fleet.applies) == (comes_to, 0)
    assert "the worker failed: LookupError" in report.error


@pytest.mark.parametrize(
    ("said", "kept"), [("canary-5d1c", "[secret]"), ("2.0", "2.0"), ("1.0", "1.0")]
)
def test_a_secret_that_a_target_says_is_no_version(said: str, kept: str) -> None:
    """What the plan names is no echo, though a careless secret may be the same."""
    reach = Reach({"token": said})
    reach.secret("token")
    settings = {"version": said}
    claim = claimed(S.UNKNOWN, settings=settings, to_version="2.0")
    report = run(claim, SimulatedDriver(Fleet()), Desk(), reach=reach)
    assert report.observed == kept
    assert "canary" not in report.error


def test_a_secret_that_a_target_says_is_not_passed_on() -> None:
    reach = Reach({"token": "canary-5d1c", "never": "abc"})
    reach.secret("token")
    check = {"kind": "command", "argv": ["/bin/echo", "with canary-5d1c, abc"]}
    fault = {"kind": "command", "argv": ["/bin/sh", "-c", "echo canary-5d1c; exit 1"]}
    for checks in [check], [check, fault]:
        report = run(
            claimed(settings={"version": "1.0", "checks": checks}),
            SimulatedDriver(Fleet()),
            Desk(),
            health=replace(AT_ONCE, deadline_seconds=2),
            reach=reach,
        )
        assert "canary" not in report.error + report.output
    assert "exit status 1: [secret]" in report.error
