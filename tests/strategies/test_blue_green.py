"""Blue-green: which slot is changed, what stands by, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strategies.blue_green import BlueGreenDeployment
from strategies.errors import InvalidOptions
from strategies.plan import Candidate, PlannedRouter, RouterSight
from strategies.steps import Bake, Deploy, Gate, Shift, Verify
from tests.strategies.plans import SIGHT, fleet, plain_switch_of, switch_of, two_slots


def kinds(plan):
    """Return the kinds of a plan's steps, in order."""
    return [type(step) for step in plan.course.steps]


def test_the_idle_slot_is_changed():
    """Work set: the idle slot; those of the serving slot stand by and are counted."""
    plan = switch_of(3, 2)
    assert [t.id for t in plan.targets] == ["t0", "t1", "t2"]
    assert plan.router == PlannedRouter("r1", "blue", "green", ("s0", "s1"))
    assert kinds(plan) == [Deploy, Shift]
    assert plan.course.steps[-1] == Shift.at(3, "blue", "green", 1800)
    assert (plan.course.selected, plan.course.standby, plan.course.serving) == (3, 2, 2)


def test_what_is_there_already_is_looked_at():
    """Targets of the idle slot at the version are verified, behind the others."""
    plan = switch_of(3, 2, done=1)
    deploy, verify, shift = plan.course.steps
    assert isinstance(deploy, Deploy)
    assert isinstance(verify, Verify)
    assert (deploy.start, deploy.stop, verify.start, verify.stop) == (0, 2, 2, 3)
    assert isinstance(shift, Shift)
    assert shift.start == 3


def test_only_the_switch_is_left():
    """All of the idle slot at the version: it is looked at, and traffic is led over."""
    assert kinds(switch_of(2, 2, done=2)) == [Verify, Shift]


def test_C2_no_op_needs_traffic_there_too():
    """Nothing is left to do only if what serves is at the version as a whole."""
    at_v1 = BlueGreenDeployment().plan(two_slots(2, 2), "v1", router=SIGHT)
    assert (at_v1.course.steps, at_v1.router) == ((), None)
    assert {s.why for s in at_v1.skipped} == {"already_at_version"}


def test_C2_force_changes_the_idle_slot():
    """Forced, the idle slot is changed although what serves is at the version."""
    forced = BlueGreenDeployment(force=True)
    plan = forced.plan(two_slots(2, 2, done=2), "v1", router=SIGHT)
    assert [t.id for t in plan.targets] == ["t0", "t1"]
    assert kinds(plan) == [Deploy, Shift]


def test_force_looks_at_nothing():
    """What is forced is changed, not only looked at."""
    assert kinds(switch_of(2, 2, done=1, force=True)) == [Deploy, Shift]


def test_an_unhealthy_one_at_the_version_is_mended():
    """At the version and unhealthy is not done."""
    bad = Candidate("t0", "v2", healthy=False, slot="green")
    good = Candidate("t1", "v2", slot="green")
    serving = Candidate("s0", "v1", slot="blue")
    plan = BlueGreenDeployment().plan([bad, good, serving], "v2", router=SIGHT)
    assert kinds(plan) == [Deploy, Verify, Shift]


def test_targets_of_no_slot_are_left_out():
    """What the router does not lead to is skipped, with the reason."""
    plan = BlueGreenDeployment().plan(
        [*two_slots(1, 1), Candidate("x", "v1", slot="red")], "v2", router=SIGHT
    )
    assert [(s.id, s.why) for s in plan.skipped] == [("x", "in_no_slot")]


def test_an_empty_idle_slot_is_refused():
    """With nothing to lead traffic to there is no plan."""
    with pytest.raises(InvalidOptions, match="no target is selected in slot green"):
        BlueGreenDeployment().plan(two_slots(0, 2), "v2", router=SIGHT)


@pytest.mark.parametrize(
    "router",
    [
        RouterSight("r1", "blue", ("blue",)),
        RouterSight("r1", "red", ("blue", "green")),
        RouterSight("r1", "blue", ("blue", "green", "red")),
    ],
)
def test_a_router_needs_two_slots(router):
    """One serves and one is idle, else nobody knows what to change."""
    with pytest.raises(InvalidOptions, match="must have two slots"):
        BlueGreenDeployment().plan(two_slots(1, 1), "v2", router=router)


def test_a_retained_slot_is_refused():
    """What an earlier deployment keeps may not be changed, unless that is ended."""
    router = replace(SIGHT, retained="green")
    with pytest.raises(InvalidOptions, match="end its retention"):
        BlueGreenDeployment().plan(two_slots(2, 2), "v2", router=router)
    ending = BlueGreenDeployment(end_retention=True)
    assert kinds(ending.plan(two_slots(2, 2), "v2", router=router)) == [Deploy, Shift]


def test_the_other_slot_may_be_retained():
    """Only the slot that is to be changed matters."""
    router = replace(SIGHT, retained="blue")
    assert BlueGreenDeployment().plan(two_slots(1, 1), "v2", router=router).targets


def test_H2_H3_a_gate_before_the_switch():
    """Without auto_promote a person is asked, or time decides."""
    plan = switch_of(1, 1, auto_promote=False, bake_seconds=60)
    assert kinds(plan) == [Deploy, Gate, Shift, Bake]
    assert plan.course.steps[1] == Gate("promotion", None, "promote")
    timed = switch_of(1, 1, auto_promote=False, auto_promote_seconds=30)
    assert timed.course.steps[1] == Gate("promotion", 30, "promote")


@pytest.mark.parametrize(
    ("options", "floor"),
    [
        ({}, 0),
        ({"min_healthy": "50%"}, 2),
        ({"min_healthy": 3}, 3),
        ({"min_healthy": "100%"}, 3),
        ({"max_unavailable": 1}, 2),
        ({"max_unavailable": "50%"}, 2),
        ({"max_unavailable": 9}, 0),
    ],
)
def test_the_floor_counts_the_slot_that_serves(options, floor):
    """Percentages are of the serving slot, and throttle nothing in the idle one."""
    limits = switch_of(5, 3, **options).course.limits
    assert (limits.floor, limits.parallelism) == (floor, 5)


def test_more_than_stand_by_cannot_stay():
    """A floor of more targets than the serving slot has is refused."""
    with pytest.raises(InvalidOptions, match="only 3 targets of slot blue"):
        switch_of(5, 3, min_healthy=4)


def test_a_serving_slot_without_targets():
    """Nothing is known of where traffic would return to, and the plan says so."""
    plan = switch_of(2, 0, min_healthy="50%")
    assert (plan.course.limits.floor, plan.course.standby) == (0, 0)
    assert "whether traffic could return to it" in plan.notices[0]
    assert switch_of(2, 1).notices == ()


def test_restore_idle_is_a_limit():
    """A return changes targets only where that is asked, or where no slot stands by."""
    assert not switch_of(1, 1).course.limits.returns_targets
    assert switch_of(1, 1, restore_idle=True).course.limits.returns_targets
    assert plain_switch_of(2).course.limits.returns_targets


def test_without_a_router_all_are_changed():
    """The library without slots: all targets, then one switch to green."""
    plan = plain_switch_of(3)
    assert kinds(plan) == [Deploy, Shift]
    assert plan.router == PlannedRouter("", "blue", "green")
    assert plan.course.steps[-1] == Shift.at(3, "blue", "green", 1800)


def test_C2_no_op_without_a_router():
    """All there: no step, and no switch."""
    plan = BlueGreenDeployment(auto_promote=False).plan(fleet(2), "v1")
    assert (plan.course.steps, plan.router) == ((), None)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("serving", RouterSight("r1", "green", ("blue", "green"))),
        ("digest", replace(SIGHT, driver_digest="x")),
        ("id", replace(SIGHT, id="r2")),
    ],
)
def test_K1_the_hash_sees_the_router(change, value):
    """Another router, slot or driver is another plan."""
    one = BlueGreenDeployment().plan(two_slots(1, 1), "v2", router=SIGHT)
    assert BlueGreenDeployment().plan(two_slots(1, 1), "v2", router=value) != one
    other = BlueGreenDeployment().plan(two_slots(1, 1), "v2", router=value)
    assert other.hash != one.hash


def test_C10_planned_twice():
    """The same inputs give the same bytes."""
    assert switch_of(3, 2, done=1).canonical() == switch_of(3, 2, done=1).canonical()
