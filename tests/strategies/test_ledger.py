"""The ledger where no other test reaches it: work that an earlier deployment did."""

from __future__ import annotations

import pytest

from strategies.blue_green import BlueGreenDeployment
from strategies.ledger import Ledger
from strategies.messages import RollBack
from strategies.states import OperationState, State
from tests.strategies.worlds import (
    FORWARD,
    RETURN,
    T0,
    World,
    check_replay,
    fleet,
    plan_of,
)


@pytest.mark.parametrize("unhealthy", [set(), {0}, {0, 1, 2}])
def test_adopted_work_returns_as_if_it_were_its_own(unhealthy):
    """All of it, the last first, within floor and parallelism; history replays."""
    plan = plan_of(3, unhealthy=unhealthy, batch_size=2, min_healthy=1)
    world = World(plan, unhealthy=unhealthy).start()

    world.ledger.adopt(world.at)
    world.check()
    world.roll_back().finish()

    assert world.rest == (State.ROLLED_BACK, "", "")
    assert sorted(world.calls(RETURN)) == [0, 1, 2]
    assert world.calls(FORWARD) == []
    check_replay(world.ledger)


def test_an_adopted_switch_is_led_back_first():
    """The router counts as touched like the targets."""
    plan = BlueGreenDeployment().plan(fleet(2), "v2")
    ledger = Ledger(plan)
    ledger.start(T0, "alice")

    ledger.adopt(T0)
    ledger.command(RollBack("alice"), T0)

    (first,) = ledger.flush([], T0, 10)
    check_replay(ledger)
    assert first.shift is not None
    assert {row.state for row in ledger.in_state(FORWARD, *OperationState)} == {
        OperationState.SUCCEEDED
    }
