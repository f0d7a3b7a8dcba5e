"""The rule of the floor: how many targets must stay available."""

from __future__ import annotations

import pytest

from strategies.actions import WakeAt
from strategies.messages import Halted
from strategies.states import State
from tests.strategies.stories import failing, started
from tests.strategies.worlds import RETURN, S, due


def test_floor_of_nine_with_one_bad_target():
    """Nine of ten must stay: the one that broke costs no room, so the return runs."""
    world = started(10, min_healthy=9, batch_size=5, on_failure="rollback")
    world.report({0: S.FAILED})
    assert (world.p.room, world.calls(RETURN)) == (0, [0])
    assert world.report({0: S.SUCCEEDED}).rest == (State.ROLLED_BACK, "", "")


def test_starved_by_the_floor_it_halts_at_the_deadline():
    """Without room it waits until the progress deadline, then halts by rule floor."""
    world = started(10, min_healthy=9, max_failures=3).report({0: S.FAILED})
    assert (world.starts, world.p.halt) == (0, None)
    world.wait(599)
    assert world.p.halt is None
    world.wait(1)
    assert world.halted == Halted("floor", 9, 9, 10, (0,))
    assert world.rest == (State.FAILED, "floor", "")


def test_an_unavailable_one_is_no_starvation():
    """If something may be claimed, it is workers that are missing, not room."""
    world = started(4, unhealthy=[0], min_healthy=3, places=0)
    world.wait(6000, places=0)
    assert world.p.halt is None


def test_a_fleet_that_waited_for_a_worker_is_not_late():
    """Hours without any worker halt nothing; the deadline counts from the claim."""
    world = started(2, places=0).wait(7200, places=0).flush()
    assert world.p.halt is None
    assert world.wait(599).p.halt is None
    assert world.wait(1).halted.rule == "progress_deadline"


def starved_return():
    """Return a world whose return has no room: one is bad, the other must wait."""
    world = started(3, min_healthy=2, max_failures=0)
    world.report({0: S.SUCCEEDED}).report({1: S.FAILED}).roll_back().flush()
    return world.report({1: S.FAILED}).report({1: S.FAILED})


def test_a_starved_return_takes_a_hold():
    """A return never halts: without room it asks a person, at the deadline."""
    world = starved_return()
    assert (world.calls(RETURN), world.p.hold) == ([1, 1], None)
    world.wait(600)
    assert (world.state, world.p.hold.rule) == (State.ROLLING_BACK, "floor")
    world.resume()
    assert due(world.ledger) == [WakeAt("progress", world.p.after(world.at, 600))]


@pytest.mark.parametrize("places", [0, 9])
def test_a_slow_return_goes_on(places):
    """Past its deadline a return is neither halted, nor held, nor asked for ever."""
    world = started(3, batch_size=3).finish(failing(2)).roll_back()
    world.flush(places=places)
    world.wait(5000, places=places)
    assert world.p.hold is None
    assert world.finish().rest == (State.ROLLED_BACK, "", "")


def test_a_slow_return_that_made_progress_is_not_overdue():
    """Each restored target winds the deadline up again."""
    world = started(3).finish(failing(2)).roll_back().flush().wait(700)
    world.report({2: S.SUCCEEDED})
    assert (world.p.overdue, world.p.hold, world.calls(RETURN)) == (False, None, [2, 1])
