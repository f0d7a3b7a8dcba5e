"""Targets, states and results as callers have them."""

from __future__ import annotations

from strategies import DeploymentState, DeploymentTarget, RollingDeployment, State
from strategies.states import WAITING
from tests.strategies.fakes import targets


def test_targets_have_the_originals_fields_and_their_own_metadata():
    """By position too; no two share the mutable default."""
    one, other = (DeploymentTarget("a", "A", "10.0.0.1") for _ in range(2))
    one.metadata["zone"] = "north"

    assert (one.healthy, one.version, other.metadata) == (True, None, {})
    full = DeploymentTarget("a", "A", "10.0.0.1", False, "v1", {"zone": "north"})
    assert (full.healthy, full.version, full.metadata) == (False, "v1", one.metadata)


def test_every_state_has_one_of_the_six_words():
    """What waits is PENDING; what ended elsewhere than asked is FAILED."""
    words = {state: DeploymentState.of(state) for state in State}

    assert {words[state] for state in WAITING} == {DeploymentState.PENDING}
    assert words[State.ROLLING_BACK] is DeploymentState.IN_PROGRESS
    assert words[State.ROLLBACK_FAILED] is DeploymentState.FAILED
    assert set(words.values()) == set(DeploymentState)


def test_a_result_is_plain_values():
    """As JSON takes them, with the state as its word."""
    result = RollingDeployment().deploy(targets(1), "v2", lambda *_: True)

    assert result.duration_ms >= 0
    result.duration_ms = 1.5
    assert result.to_dict() == {
        "success": True,
        "targets_updated": 1,
        "targets_failed": 0,
        "duration_ms": 1.5,
        "state": "completed",
        "errors": [],
        "metadata": {"outcome": "clean"},
    }
