"""The rules about batches and delays, as life stories over the in-memory ledger."""

from __future__ import annotations

import itertools

import pytest

from strategies.messages import OperationsMoved
from strategies.states import State
from tests.strategies.stories import ended, started
from tests.strategies.worlds import S, World, check_replay, plan_of

# -- batches and delays ----------------------------------------------------------------


def test_all_go_well():
    """A rolling deployment completes, each target changed once, in plan order."""
    world = ended(5, batch_size=2)
    assert world.rest == (State.COMPLETED, "", "clean")
    assert world.calls() == [0, 1, 2, 3, 4]
    check_replay(world.ledger)


def test_A19_delays_between_batches_only():
    """Five targets in twos with 10 s take two delays, and none after the last."""
    world = ended(5, batch_size=2, delay_seconds=10)
    assert world.seconds == 20
    assert world.rest == (State.COMPLETED, "", "clean")


def test_A20_no_delay_before_a_halt():
    """A halt in the first batch is immediate."""
    world = ended(5, 0, batch_size=2, delay_seconds=10)
    assert (world.seconds, world.rest[:2]) == (0, (State.FAILED, "max_failures"))


def test_strict_batches():
    """The next batch begins when the last of the one before has ended."""
    world = started(4, batch_size=2).report({0: S.SUCCEEDED})
    assert world.calls() == [0, 1]
    world.report({1: S.SUCCEEDED})
    assert world.calls() == [0, 1, 2, 3]


def test_places_bound_the_claims():
    """A worker with fewer places than the machine allows takes what it can."""
    world = started(6, batch_size=4, places=1)
    assert (world.calls(), world.starts) == ([0], 3)


def test_A29_broken_floor_at_the_start():
    """An unhealthy target goes first and costs no room; no other goes beside it."""
    world = started(10, unhealthy=[4], min_healthy=9, batch_size=5)
    assert world.plan.targets[0].id == "t4"
    assert [p for _, p in world.claimed] == [0]
    world.report({0: S.SUCCEEDED})
    assert world.calls() == [0, 1]
    assert world.finish().rest == (State.COMPLETED, "", "clean")


def test_A29_starting_value_is_the_floor():
    """Below the floor from the start, the starting value is kept instead."""
    world = World(plan_of(4, min_healthy=3, parallelism=3), unhealthy=[0, 1])
    world.start(places=9)
    assert (world.p.floor, world.p.room, world.calls()) == (2, 0, [0])


@pytest.mark.parametrize("healthy", range(5))
def test_A30_window_counts_the_healthy(healthy):
    """Of four placed, as many new ones start as became healthy."""
    world = started(10, batch_size=4, window=True)
    world.report(dict.fromkeys(range(healthy), S.SUCCEEDED), places=0)
    assert world.starts == healthy


def test_A31_window_stops_at_an_unhealthy_one():
    """One unhealthy in the window starts nothing, regardless of the others."""
    world = started(10, batch_size=4, window=True)
    world.report({0: S.SUCCEEDED, 1: S.FAILED, 2: S.SUCCEEDED}, places=9)
    assert (world.starts, world.calls()) == (0, [0, 1, 2, 3])


# -- order does not matter -------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_order_of_reports_does_not_matter(order):
    """Whatever order a batch answers in, the tallies and the end are the same."""
    world = started(6, batch_size=3, max_failures=1)
    for position in order:
        world.report({position: S.FAILED if position == 1 else S.SUCCEEDED})
    world.finish()
    assert world.rest == (State.COMPLETED, "", "completed_with_failures")
    moved = [f for f in world.facts if isinstance(f, OperationsMoved)]
    assert {f.where for f in moved} == {"batch"}


def test_a_retry_touches_no_further_target():
    """What a return would take back is counted by targets, not by attempts."""
    world = started(3, retries=2, max_failures=3)
    world.report({0: S.FAILED}).report({0: S.FAILED})
    assert (world.p.claims, world.p.touched) == (3, 1)
