"""One operation: what a probe means before an apply, and after a doubt."""

from __future__ import annotations

import pytest

from strategies.operations import (
    REDOS,
    FirstLook,
    Move,
    Sight,
    after_doubt,
    after_failure,
    first_look,
    return_retries,
    settled,
)
from strategies.states import State
from tests.strategies.stories import started
from tests.strategies.worlds import FORWARD, RETURN, S


def move(direction=FORWARD, *, attempt=1, was="v1", to="v2"):
    """Return a move from v1 to v2."""
    return Move(direction, was, to, attempt)


@pytest.mark.parametrize(
    ("moved", "version", "healthy", "look"),
    [
        pytest.param(move(), "v1", True, FirstLook.APPLY, id="as-planned"),
        pytest.param(move(), "v1", False, FirstLook.APPLY, id="unhealthy"),
        pytest.param(move(), "v2", True, FirstLook.SKIP, id="C7-there-already"),
        pytest.param(move(attempt=2), "v2", True, FirstLook.FOUND_DONE, id="J2"),
        pytest.param(move(), "v2", False, FirstLook.APPLY, id="there-but-unhealthy"),
        pytest.param(move(), "v9", True, FirstLook.DRIFT, id="drift"),
        pytest.param(move(was=None), "v1", True, FirstLook.DRIFT, id="nobody-knew"),
        pytest.param(move(), None, False, FirstLook.APPLY, id="nothing-runs"),
        pytest.param(move(attempt=2), "v9", True, FirstLook.APPLY, id="our-own-work"),
        pytest.param(
            move(RETURN, was="v2", to="v1"), "v1", True, FirstLook.SKIP, id="G10"
        ),
        pytest.param(
            move(RETURN, was="v2", to="v1"), "v9", True, FirstLook.APPLY, id="return"
        ),
        pytest.param(move(to="v1"), "v1", True, FirstLook.APPLY, id="C2-force"),
        pytest.param(move(to="v1"), "v9", True, FirstLook.DRIFT, id="force-drift"),
        pytest.param(
            move(RETURN, was="v1"), "v2", True, FirstLook.SKIP, id="return-done"
        ),
        pytest.param(
            move(RETURN, was="v2"), "v2", True, FirstLook.SKIP, id="forced-return"
        ),
    ],
)
def test_first_look(moved, version, healthy, look):
    """The probe before an apply says whether to apply, skip, or record a drift."""
    assert first_look(moved, Sight(version, healthy)) is look


@pytest.mark.parametrize(
    ("moved", "version", "healthy", "may_redo", "state"),
    [
        pytest.param(move(), "v2", True, False, S.SUCCEEDED, id="J2-found-done"),
        pytest.param(move(), "v2", False, False, S.VERIFYING, id="not-healthy-yet"),
        pytest.param(move(), "v1", True, True, S.PENDING, id="J1-not-there"),
        pytest.param(move(), "v1", True, False, S.UNRESOLVED, id="may-still-arrive"),
        pytest.param(move(), "v9", True, True, S.UNRESOLVED, id="third-version"),
        pytest.param(move(), None, False, True, S.UNRESOLVED, id="nothing-runs"),
        pytest.param(move(to="v1"), "v1", True, True, S.PENDING, id="forced-redo"),
        pytest.param(move(to="v1"), "v1", True, False, S.UNRESOLVED, id="forced"),
    ],
)
def test_settled(moved, version, healthy, may_redo, state):
    """Settling only reads: what was seen decides, and a redo only when it is safe."""
    assert settled(moved, Sight(version, healthy), may_redo=may_redo) is state


@pytest.mark.parametrize(
    ("attempt", "retries", "may_claim", "state"),
    [
        (1, 0, True, S.FAILED),
        (1, 1, True, S.PENDING),
        (2, 1, True, S.FAILED),
        (1, 1, False, S.FAILED),
    ],
)
def test_B19_after_failure(attempt, retries, may_claim, state):
    """It is tried again while retries are left, unless the deployment is stopping."""
    again = after_failure(attempt=attempt, retries=retries, may_claim=may_claim)
    assert again is state


@pytest.mark.parametrize(
    ("attempt", "retries", "may_claim", "state"),
    [
        (1, 0, True, S.PENDING),
        (REDOS, 0, True, S.PENDING),
        (REDOS + 1, 0, True, S.FAILED),
        (REDOS + 1, 1, True, S.PENDING),
        (REDOS + 1, 0, False, S.PENDING),
    ],
)
def test_after_doubt(attempt, retries, may_claim, state):
    """What is lost each time has failed; a stopping deployment leaves it undone."""
    again = after_doubt(attempt=attempt, retries=retries, may_claim=may_claim)
    assert again is state


def lose(world, position, direction=FORWARD):
    """Lose the open attempt on a target, and find it not done."""
    world.held = world.ledger.take_over(
        world.ledger.in_state(direction, S.RUNNING), world.at
    )
    return world.report({position: S.PENDING})


def test_a_target_that_is_lost_each_time_fails():
    """No operation is done again for ever: its failure counts like any other."""
    world = started(2, batch_size=1, max_failures=0)
    for _ in range(REDOS + 1):
        assert world.p.halt is None
        lose(world, 0)
    assert world.calls() == [0] * (REDOS + 1)
    assert world.rest[:2] == (State.FAILED, "max_failures")


def test_a_lost_attempt_uses_up_a_retry():
    """A crash costs nothing by itself, but what fails after it has been tried twice."""
    world = lose(started(1, retries=1, max_failures=0), 0)
    world.report({0: S.FAILED})
    assert world.rest[:2] == (State.FAILED, "max_failures")


def test_a_return_that_is_lost_each_time_ends():
    """A return has one retry at least; then it is a person's."""
    world = started(1, max_failures=0).report({0: S.FAILED}).roll_back().flush()
    for _ in range(REDOS + 2):
        lose(world, 0, RETURN)
    assert world.rest[0] is State.ROLLBACK_FAILED


def test_G6_a_return_tries_twice():
    """A return has one further attempt at least."""
    assert [return_retries(n) for n in (0, 1, 3)] == [1, 1, 3]
