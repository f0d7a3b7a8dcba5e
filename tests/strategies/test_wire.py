"""Round trips: what is written is read back equal, and what is foreign is refused."""

from __future__ import annotations

import json
import typing

import pytest

from strategies import wire
from strategies.folds import replay
from strategies.messages import Fact, Halted, Held, TargetsDrifted
from strategies.plan import Candidate
from strategies.rolling import RollingDeployment
from strategies.wire import UnknownFormat
from tests.strategies.plans import (
    canary_of,
    fleet,
    plain_switch_of,
    plan_of,
    switch_of,
)
from tests.strategies.walks import walks


def through_json(value):
    """Return a value as it comes out of a database."""
    return json.loads(json.dumps(value))


def test_every_fact_of_many_walks():
    """Stored and loaded, every event is the same, and replays to the same progress."""
    kinds = {TargetsDrifted}
    for world in walks(60):
        loaded = [
            (at, wire.load_facts(through_json(wire.dump_facts(facts))))
            for at, facts in world.ledger.events
        ]
        assert loaded == world.ledger.events
        assert replay(world.plan.course, loaded) == world.p
        kinds |= {type(fact) for fact in world.facts}
    assert kinds == set(typing.get_args(Fact))


def test_a_fact_that_no_walk_makes():
    """It comes back equal too."""
    fact = TargetsDrifted((1, 2))
    assert wire.load(through_json(wire.dump(fact))) == fact


def test_progress():
    """Stored without its course, progress comes back equal over it."""
    for world in walks(12):
        stored = through_json(wire.dump_progress(world.p))
        assert "course" not in stored
        assert wire.load_progress(stored, world.plan.course) == world.p


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": [1, "25%"], "delay_seconds": 2.5, "min_healthy": "50%"},
        {"max_failure_percent": 30, "window": True, "max_failures": None},
    ],
)
def test_plans(options):
    """A plan comes back equal, under the same hash."""
    plan = plan_of(6, **options)
    loaded = wire.load_plan(through_json(wire.dump_plan(plan)))
    assert (loaded, loaded.hash) == (plan, plan.hash)


@pytest.mark.parametrize(
    "plan",
    [
        canary_of(7, stage_duration_seconds=2.5, gates=True, gate_limit_seconds=60),
        canary_of(1, stages=[12.5], success_threshold=0.955),
        switch_of(3, 2, done=1, auto_promote=False, auto_promote_seconds=30),
        switch_of(2, 2, restore_idle=True, bake_seconds=5, min_healthy="50%"),
        plain_switch_of(2),
    ],
    ids=lambda plan: f"{plan.strategy}-{len(plan.course.steps)}",
)
def test_plans_with_stages_and_slots(plan):
    """Gates, bakes, shifts and routers come back equal, under the same hash."""
    loaded = wire.load_plan(through_json(wire.dump_plan(plan)))
    assert (loaded, loaded.hash) == (plan, plan.hash)
    assert {type(s) for s in loaded.course.steps} == {
        type(s) for s in plan.course.steps
    }


def test_plan_without_work():
    """So does one that only skips."""
    plan = RollingDeployment().plan(fleet(2), "v1", digest="sha256:x")
    assert wire.load_plan(through_json(wire.dump_plan(plan))) == plan


def test_a_plan_that_was_changed_is_refused():
    """Content that does not give its hash is not loaded."""
    stored = through_json(wire.dump_plan(plan_of(3)))
    stored["plan"]["version"] = "v3"
    with pytest.raises(UnknownFormat, match="does not match its hash"):
        wire.load_plan(stored)


HELD = wire.dump(Held("alice", "lunch"))


@pytest.mark.parametrize(
    "data",
    [
        {**HELD, "kind": "Hoped"},
        {"by": "alice"},
        {**HELD, "mood": "good"},
        {"kind": "Held", "by": "alice"},
        {**wire.dump(Halted("x", 1, 0, 2)), "kind": "Plan"},
    ],
)
def test_unknown_kinds_and_fields_are_refused(data):
    """A kind, or a field, that is not known or is missing, is never guessed."""
    with pytest.raises(UnknownFormat):
        wire.load(data)


def test_unknown_formats_are_refused():
    """A newer format is refused before anything is read from it."""
    for load in (wire.load_facts, wire.load_plan):
        with pytest.raises(UnknownFormat, match="format 2"):
            load({"format": 2, "facts": []})
    course = plan_of(1).course
    with pytest.raises(UnknownFormat, match="format None"):
        wire.load_progress({}, course)
    with pytest.raises(UnknownFormat, match="unknown fields"):
        wire.load_progress({"format": 1, "mood": "good"}, course)


def test_what_was_left_out_is_part_of_a_plan_and_its_hash():
    """And a plan that leaves nothing out is written as it was before there was this."""
    candidates = [*fleet(2), Candidate("x", "v1", left_out="its disk is full")]
    plan = RollingDeployment().plan(candidates, "v2")
    whole = RollingDeployment().plan(fleet(2), "v2")
    assert wire.load_plan(through_json(wire.dump_plan(plan))) == plan
    assert plan.course == whole.course
    assert plan.hash != whole.hash
    assert "left_out" not in wire.dump_plan(whole)
