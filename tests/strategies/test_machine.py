"""The machine under a world that misbehaves: long walks, and the shortest of runs."""

from __future__ import annotations

from strategies.states import AT_REST, OperationState, State
from tests.strategies.kinds import KINDS
from tests.strategies.machine import SETTINGS, Deployment
from tests.strategies.walks import SEEDS, walks

TestDeployment = Deployment.TestCase
TestDeployment.settings = SETTINGS


def test_long_walks():
    """Deep walks break no invariant, and end in every way there is.

    They are the walks by which seeded faults are hunted: in right code none is found.
    """
    worlds = [world for kind in KINDS for world in walks(SEEDS, kind)]
    ends = {world.p.rest.state for world in worlds if world.p.rest}
    assert ends == AT_REST - {State.SUPERSEDED}
    seen = {f.now for world in worlds for f in world.facts if hasattr(f, "now")}
    assert seen == set(OperationState)
    rules = {world.p.halt.rule for world in worlds if world.p.halt}
    assert rules >= {"success_threshold", "shift_failed", "gate_limit", "floor"}
    assert rules >= {"max_failures", "max_failure_percent", "targets_failed"}
