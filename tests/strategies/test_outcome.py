"""What a ledger came to, where no callback had anything to say."""

from __future__ import annotations

from datetime import timedelta

from strategies import CanaryDeployment, DeploymentState, outcome
from strategies.ledger import Ledger
from strategies.rows import Report
from strategies.states import OperationState
from tests.strategies.worlds import T0, fleet


def test_a_rule_that_stops_without_a_failure_is_named():
    """A gate that nobody answered in time leaves no target's error: the rule does."""
    strategy = CanaryDeployment(
        [50], stage_duration_seconds=0, gates=True, gate_limit_seconds=60
    )
    ledger = Ledger(strategy.plan(fleet(2), "v2"))
    ledger.start(T0, "alice")
    (claim,) = ledger.flush([], T0, 10)
    done = Report(
        claim.direction, claim.position, claim.number, OperationState.SUCCEEDED
    )
    ledger.flush([done], T0, 10)
    ledger.flush([], T0 + timedelta(seconds=60), 10)

    result = outcome.result_of(
        ledger, errors=[], slot=None, seconds=60, is_return=False
    )

    assert result.state is DeploymentState.FAILED
    assert result.errors == ["stopped by rule gate_limit"]
    assert result.metadata["stopped_at_stage"] == 50
