"""Watching accepted targets: what regresses counts, wherever the deployment stands."""

from __future__ import annotations

import pytest

from strategies.messages import Halted
from strategies.states import State
from tests.strategies.plans import canary_of, plan_of
from tests.strategies.worlds import RETURN, S, World, check_replay


def baking(**options):
    """Return a canary of 40 whose first half is done, in its bake."""
    options = {"stages": [50, 100], "stage_duration_seconds": 600, **options}
    world = World(canary_of(40, **options)).start(places=99)
    return world.report(dict.fromkeys(range(20), S.SUCCEEDED), places=99)


def test_E19_a_bake_halts_when_it_must():
    """Health fails at 7 minutes of 10: it halts at 7 minutes, not at 10."""
    world = baking().wait(420).watch({3: False, 5: False})
    assert world.rest == (State.FAILED, "success_threshold", "")
    assert world.ledger.events[-1][0] == world.at
    assert world.halted == Halted("success_threshold", 2, 1, 20, (3, 5))


def test_E19_within_the_threshold_it_goes_on():
    """One of 20 may regress: exactly 95 % passes."""
    world = baking().watch({3: False}).wait(600, places=99)
    assert (world.p.halt, len(world.calls())) == (None, 40)


def test_what_recovers_counts_as_healthy_again():
    """A flap is a regression and its recovery; only what is bad now counts."""
    world = baking().watch({3: False}).watch({3: True}).watch({4: False})
    assert (world.p.halt, world.p.whole.failed) == (None, 1)
    assert world.p.whole.succeeded == 19
    check_replay(world.ledger)


def test_a_failed_one_does_not_recover():
    """What failed in its attempt is not made good by a look."""
    world = World(canary_of(40, stages=[50, 100])).start(places=99)
    world.report({0: S.FAILED}).watch({0: True})
    assert world.states()[0] is S.FAILED


@pytest.mark.parametrize("state", [S.RUNNING, S.PENDING])
def test_only_the_accepted_are_watched(state):
    """What is open or untouched is not judged by a look."""
    world = World(plan_of(2)).start(places=1)
    world.watch({0: False, 1: False})
    assert (world.states(), world.p.whole.failed) == ([S.RUNNING, S.PENDING], 0)


def test_D10_a_regression_in_a_later_batch():
    """An accepted target that breaks counts in the budget, and halts."""
    world = World(plan_of(4, batch_size=2)).start(places=9)
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED}).watch({0: False})
    assert world.halted == Halted("max_failures", 1, 0, 4, (0,))
    assert world.report({2: S.SUCCEEDED, 3: S.SUCCEEDED}).rest[0] is State.FAILED


def test_a_regression_of_an_earlier_stage():
    """In a later stage it counts in all that has begun, which is judged too."""
    world = baking(stage_duration_seconds=0, success_threshold="90%").report({})
    world.report(dict.fromkeys(range(20, 37), S.SUCCEEDED), places=0)
    world.watch({0: False, 1: False, 2: False, 3: False})
    assert world.p.halt is None
    world.watch({4: False})
    assert world.halted == Halted("success_threshold", 5, 4, 40, (0, 1, 2, 3, 4))


def test_a_regression_while_paused_is_judged_at_the_resume():
    """A hold waits with the verdict, and does not forget it."""
    world = baking().pause().watch({3: False, 5: False})
    assert (world.state, world.p.halt) == (State.PAUSED, None)
    assert world.resume().rest == (State.FAILED, "success_threshold", "")


def test_a_regression_at_a_gate():
    """A gate is no hold: what breaks while it waits halts."""
    world = baking(stage_duration_seconds=0, gates=True)
    assert world.state is State.PAUSED
    assert world.watch({3: False, 5: False}).halted.rule == "success_threshold"


def test_a_regression_returns_what_was_touched():
    """With on_failure=rollback the whole stage goes back."""
    world = baking(on_failure="rollback").watch({3: False, 5: False}).finish()
    assert world.rest == (State.ROLLED_BACK, "", "")
    assert world.calls(RETURN) == list(range(19, -1, -1))


def test_a_regressed_target_costs_room():
    """It is unavailable, and room is what is left."""
    plan = plan_of(4, min_healthy=2, max_failures=3, batch_size=2, delay_seconds=60)
    world = World(plan).start(places=2)
    world.report({0: S.SUCCEEDED, 1: S.SUCCEEDED}).watch({0: False, 1: False})
    assert (world.p.available, world.p.room) == (2, 0)
    assert world.wait(60).calls() == [0, 1]
    assert world.watch({0: True}).flush().calls() == [0, 1, 2]


def test_nobody_watches_what_returns():
    """Once a return is planned it says how its targets are; a look changes nothing."""
    world = baking().roll_back().flush(places=2)
    was = world.p
    assert world.watch(dict.fromkeys(range(20), False)).p == was
    assert world.finish().rest == (State.ROLLED_BACK, "", "")


def test_a_regression_in_the_last_stage():
    """Over when the last target is: nothing is watched after the last stage."""
    world = baking(stage_duration_seconds=0)
    world.report(dict.fromkeys(range(20, 40), S.SUCCEEDED))
    assert world.rest == (State.COMPLETED, "", "clean")
    world.watch({0: False})
    assert (world.rest, world.p.whole.failed) == ((State.COMPLETED, "", "clean"), 1)
