"""The ledger where no other test reaches it: work that an earlier deployment did."""

from __future__ import annotations

import pytest

from strategies.blue_green import BlueGreenDeployment
from strategies.ledger import Ledger
from strategies.messages import Rested, RollBack
from strategies.rows import Report
from strategies.states import OperationState, State
from tests.strategies.counts import check_rows
from tests.strategies.worlds import (
    FORWARD,
    RETURN,
    T0,
    check_replay,
    fleet,
    plan_of,
)


@pytest.mark.parametrize("unhealthy", [set(), {0}, {0, 1, 2}])
def test_adopted_work_returns_as_if_it_were_its_own(unhealthy):
    """All of it, the last first, within floor and parallelism; history replays."""
    plan = plan_of(3, unhealthy=unhealthy, batch_size=2, min_healthy=1)
    ledger = Ledger(plan, {f"t{n}" for n in unhealthy})
    ledger.start(T0, "alice")
    ledger.adopt(T0)
    ledger.command(RollBack("alice"), T0)

    back = []
    claims = ledger.flush([], T0, 10)
    while claims:
        assert len(claims) <= plan.course.limits.parallelism
        back += [(claim.direction, claim.position) for claim in claims]
        done = OperationState.SUCCEEDED
        reports = [Report(c.direction, c.position, c.number, done) for c in claims]
        claims = ledger.flush(reports, T0, 10)
        check_rows(ledger)

    assert ledger.progress.rest == Rested(State.ROLLED_BACK, "", "")
    assert sorted(back) == [(RETURN, position) for position in range(3)]
    check_replay(ledger)


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
