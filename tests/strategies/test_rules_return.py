"""The rules of a return: what it takes back, in which order, and how it ends."""

from __future__ import annotations

import pytest

from strategies.messages import RollBackAsked
from strategies.states import State
from tests.strategies.stories import ended, failing, started
from tests.strategies.worlds import RETURN, S


def test_G1_only_what_was_touched_returns():
    """Of ten, four touched and one of these failed: exactly these four, in reverse."""
    world = started(10).finish(failing(3))
    assert world.calls() == [0, 1, 2, 3]
    world.roll_back().finish()
    assert world.calls(RETURN) == [3, 2, 1, 0]
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_G3_the_return_is_throttled():
    """It runs as parallel as the deployment did, latest first."""
    world = started(4, batch_size=2).finish(failing(3)).roll_back().flush()
    assert (world.calls(RETURN), world.p.open) == ([3, 2], 2)


def test_G5_no_delays_on_the_way_back():
    """A return takes no time of its own."""
    world = started(4, delay_seconds=100).finish(failing(3))
    before = world.seconds
    assert world.roll_back().finish().seconds == before


def test_G6_failed_return():
    """One of four cannot be restored: rollback_failed, and nothing more by itself."""
    world = started(8).finish(failing(3)).roll_back()
    world.finish(failing(1, direction=RETURN))
    assert world.rest == (State.ROLLBACK_FAILED, "not_restored", "")
    assert world.calls(RETURN) == [3, 2, 1, 1, 0]
    assert (world.p.back.succeeded, world.p.back.failed) == (3, 1)
    assert world.wait(10_000).calls(RETURN) == [3, 2, 1, 1, 0]


def test_G6_the_return_is_tried_again():
    """Asked for again, only what is not restored is tried, with new attempts."""
    world = started(8).finish(failing(3)).roll_back()
    world.finish(failing(1, 2, direction=RETURN)).roll_back()
    assert world.state is State.ROLLING_BACK
    world.finish()
    assert world.calls(RETURN)[-2:] == [2, 1]
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_G7_a_failing_return_does_not_return():
    """A return by policy that fails ends; it never rolls itself back."""
    world = started(4, on_failure="rollback")
    world.finish(lambda claim: S.FAILED)
    assert world.rest == (State.ROLLBACK_FAILED, "not_restored", "")
    assert sum(isinstance(f, RollBackAsked) for f in world.facts) == 1


@pytest.mark.parametrize("policy", ["halt", "freeze"])
def test_G11_no_return_by_policy(policy):
    """Halted by a rule, it stays as it is until a person asks."""
    world = ended(4, 1, on_failure=policy)
    assert (world.rest[0], world.calls(RETURN)) == (State.FAILED, [])


def test_rollback_by_policy():
    """The policy asks for the return when the rule halts; what is open finishes."""
    world = started(6, batch_size=3, on_failure="rollback").report({0: S.FAILED})
    assert (world.state, world.calls(RETURN)) == (State.ROLLING_BACK, [])
    world.report({1: S.SUCCEEDED, 2: S.FAILED}).finish()
    assert world.rest == (State.ROLLED_BACK, "", "")
    assert world.calls(RETURN) == [2, 1, 0]
    assert world.halted.rule == "max_failures"


def test_G10_a_target_that_was_never_changed_is_skipped():
    """Found at its old version, it counts as restored."""
    world = ended(4, 1).roll_back().flush()
    world.report({1: S.SKIPPED}).report({0: S.SUCCEEDED})
    assert world.rest == (State.ROLLED_BACK, "", "")
    assert world.p.back.skipped == 1


def test_G10_unknown_is_settled_before_the_return():
    """The return is written when nothing is open, with the unresolved ones."""
    world = started(4, batch_size=2).report({0: S.UNKNOWN, 1: S.SUCCEEDED}).roll_back()
    assert world.flush().calls(RETURN) == []
    world.report({0: S.UNRESOLVED})
    assert world.calls(RETURN) == [1, 0]
    assert world.states()[0] is S.FAILED
    assert world.finish().rest == (State.ROLLED_BACK, "", "")


def test_G14_asked_twice():
    """The second request changes nothing."""
    world = started(2).finish(failing(1)).roll_back()
    seq = len(world.ledger.events)
    assert len(world.roll_back().ledger.events) == seq
    assert world.finish().calls(RETURN) == [1, 0]


def test_roll_back_while_running():
    """Asked for in the middle: nothing new, what is open finishes, then it returns."""
    world = started(6, batch_size=3, places=2).roll_back()
    assert (world.state, world.flush().calls()) == (State.ROLLING_BACK, [0, 1])
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED})
    assert world.calls(RETURN) == [1, 0]


def test_a_held_return():
    """A return can be paused; it stays rolling_back, claims nothing, and goes on."""
    world = started(4).finish(failing(3)).roll_back().flush().pause()
    world.report({3: S.SUCCEEDED})
    assert (world.state, world.calls(RETURN)) == (State.ROLLING_BACK, [3])
    assert world.resume().finish().rest == (State.ROLLED_BACK, "", "")


def test_roll_back_of_an_aborted_one():
    """FAILED is at rest; one return is possible."""
    world = started(3).report({0: S.SUCCEEDED}).abort().report({1: S.SUCCEEDED})
    assert world.rest[0] is State.FAILED
    assert world.roll_back().finish().rest == (State.ROLLED_BACK, "", "")
    assert world.calls(RETURN) == [1, 0]
