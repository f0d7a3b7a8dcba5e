"""Verdicts computed anew, from the plan and the grid alone.

They say whether a limit is broken, and whether a halt or an end is the right one.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from strategies.messages import Halted, Rested
from strategies.states import Direction, OperationState, State
from strategies.steps import Deploy, Gate, Shift, Verify

if TYPE_CHECKING:
    from tests.strategies.oracles import Oracle

S = OperationState
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN
GOOD = {S.SUCCEEDED, S.SKIPPED}


def stage(oracle: Oracle) -> Deploy | Verify | None:
    """Return the range of targets that has begun last."""
    begun = oracle.step + (oracle.opened is not None or oracle.batch > 0)
    for step in reversed(oracle.course.steps[:begun]):
        if isinstance(step, Deploy | Verify) and step.start < step.stop:
            return step
    return None


def samples(oracle: Oracle) -> list[tuple[set[int], int]]:
    """Return what a threshold counts, of the stage and of all so far."""
    step, grid = stage(oracle), oracle.grid
    if not isinstance(step, Deploy) or step.min_success_bp is None:
        return []
    skipped = grid.at(FORWARD, S.SKIPPED)
    return [
        (
            grid.failed(step.stop, start),
            step.stop - start - len(skipped & set(range(start, step.stop))),
        )
        for start in (step.start, 0)
    ]


def broken_threshold(oracle: Oracle) -> list[tuple[set[int], int]]:
    """Return the samples in which fewer than the threshold can still succeed."""
    step = stage(oracle)
    least = step.min_success_bp if isinstance(step, Deploy) else None
    return [
        (failed, sample)
        for failed, sample in samples(oracle)
        if least is not None and len(failed) * 10_000 > (10_000 - least) * sample
    ]


def over_the_limit(oracle: Oracle) -> str | None:
    """Return a rule that must have halted what has come so far, if one must."""
    limits, failed = oracle.course.limits, oracle.grid.failed(oracle.course.work)
    if limits.max_failures is not None and len(failed) > limits.max_failures:
        return "max_failures"
    if broken_threshold(oracle):
        return "success_threshold"
    step = oracle.current
    if oracle.opened is None or not isinstance(step, Deploy | Shift):
        return None
    start, stop = oracle.opened
    bad = len(oracle.grid.failed(stop, start))
    if isinstance(step, Shift):
        return "shift_failed" if bad else None
    if step.max_failure_bp is None:
        return None
    return "batch" if bad * 10_000 > step.max_failure_bp * oracle.size else None


def check_halt(oracle: Oracle, fact: Halted, at: datetime) -> None:
    """Check that a halt is due, and that its record says why."""
    grid, course = oracle.grid, oracle.course
    evidence = set(fact.positions)
    assert evidence <= grid.at(FORWARD, S.FAILED), "evidence is what failed"
    assert len(evidence) == len(fact.positions)
    if fact.rule == "max_failures":
        assert fact.threshold == course.limits.max_failures
        assert len(grid.failed(course.work)) > fact.threshold, "not before the budget"
    elif fact.rule == "success_threshold":
        _check_threshold(oracle, fact)
    elif fact.rule == "shift_failed":
        assert isinstance(oracle.current, Shift)
        assert evidence == {oracle.current.start}
    elif fact.rule == "gate_limit":
        gate = oracle.current
        assert isinstance(gate, Gate)
        assert (gate.then, oracle.entered) == ("halt", True)
        assert gate.limit_seconds is not None
        assert at >= oracle.after(gate.limit_seconds)
    elif fact.rule in ("targets_failed", "nothing_succeeded"):
        assert isinstance(oracle.current, Shift), "elsewhere it is an end, not a halt"
    if fact.rule not in ("gate_limit", "progress_deadline", "floor"):
        assert fact.observed == fact.threshold + 1, "the first over the limit"
        assert len(evidence) == min(fact.observed, 50)


def _check_threshold(oracle: Oracle, fact: Halted) -> None:
    step = stage(oracle)
    assert isinstance(step, Deploy)
    tolerated_bp = 10_000 - (step.min_success_bp or 0)
    broken = broken_threshold(oracle)
    due = {(sample, tolerated_bp * sample // 10_000) for _, sample in broken}
    assert (fact.sample, fact.threshold) in due, "not before the threshold is lost"
    assert any(set(fact.positions) <= failed for failed, _ in broken)


def check_rest(oracle: Oracle, fact: Rested) -> None:
    """Check that an end is the right one."""
    assert not oracle.grid.open, "no rest while something is open"
    _ENDS[fact.state](oracle, fact)


def _completed(oracle: Oracle, fact: Rested) -> None:
    grid, course = oracle.grid, oracle.course
    assert oracle.current is None, "the whole course was gone"
    assert not oracle.stopped
    states = {grid.now(FORWARD, p) for p in range(course.work)}
    assert states <= GOOD | {S.FAILED}, "every target has an outcome"
    shifts = range(course.work, course.work + course.shifts)
    assert {grid.now(FORWARD, p) for p in shifts} <= GOOD, "traffic was led over"
    assert (S.FAILED in states) is (fact.outcome == "completed_with_failures")
    done = grid.at(FORWARD, S.SUCCEEDED) | grid.at(FORWARD, S.FAILED)
    assert bool(done) is (fact.outcome != "no_op")
    assert S.SUCCEEDED in states or S.FAILED not in states, "one at least succeeded"


def _failed(oracle: Oracle, fact: Rested) -> None:
    if oracle.halt is not None and fact.reason == oracle.halt.rule:
        return
    if fact.reason == "aborted_by_user":
        assert oracle.stopped
        assert oracle.grid.touched(), "untouched it is cancelled"
        return
    assert fact.reason in ("targets_failed", "nothing_succeeded")
    assert oracle.grid.failed(oracle.course.work)


def _rolled_back(oracle: Oracle, fact: Rested) -> None:
    assert oracle.planned
    targets, shifts = oracle.to_return()
    back = {oracle.grid.now(RETURN, p) for p in targets | shifts}
    assert back <= GOOD, "rolled back means restored"


def _rollback_failed(oracle: Oracle, fact: Rested) -> None:
    assert oracle.planned
    failed = oracle.grid.at(RETURN, S.FAILED)
    if fact.reason == "standby_unhealthy":
        assert oracle.standby < max(1, oracle.floor)
    elif fact.reason == "not_shifted_back":
        assert any(position >= oracle.course.work for position in failed)
    else:
        assert failed


def _cancelled(oracle: Oracle, fact: Rested) -> None:
    assert not oracle.grid.touched(), "what was touched is no cancelled one"


_ENDS = {
    State.COMPLETED: _completed,
    State.FAILED: _failed,
    State.ROLLED_BACK: _rolled_back,
    State.ROLLBACK_FAILED: _rollback_failed,
    State.CANCELLED: _cancelled,
}
