"""What the machine asks for, done: one function for each kind of action.

Each acts on the rows under the lock of a turn and folds the fact that answers; none of
them decides anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deployctl.queries.plans import plan_of
from deployctl.services import availability, operations, shifts, work
from deployctl.services.operations import Change, Row, unreported
from strategies import rules
from strategies.actions import (
    OpenBatch,
    PlanReturn,
    Record,
    RecordHalt,
    ReviveReturn,
    WriteOff,
)
from strategies.messages import BatchOpened, Recounted, RollbackPlanned
from strategies.states import Direction, OperationState
from strategies.steps import Shift, Weigh

if TYPE_CHECKING:
    from deployctl.services.turn import Turn

_S = OperationState


def in_state(turn: Turn, direction: Direction, *states: str) -> list[Row]:
    """Return the operations of one direction in any of these states."""
    found = operations.in_state(turn.id, direction, *states)
    if turn.progress.course.shifts:
        found += shifts.in_state(turn.id, direction.value, *states)
    return found


def _record(turn: Turn, action: Record) -> None:
    turn.fold(action.fact)


def _open_batch(turn: Turn, action: OpenBatch) -> None:
    span = action.start, action.stop
    if isinstance(turn.progress.current, Shift):
        pending = unavailable = shifts.count_pending(turn.id, *span)
    else:
        gone = operations.excluded(turn.id, *span)
        text = "removed since the plan was made"
        turn.move([(row, unreported(row, _S.SKIPPED, error=text)) for row in gone])
        pending, unavailable = availability.count_pending(turn.id, *span)
        unavailable = unavailable if turn.counts_changed else pending
    skipped = action.stop - action.start - pending
    turn.fold(
        BatchOpened(action.step, action.batch, *span, pending, unavailable, skipped)
    )


def _record_halt(turn: Turn, action: RecordHalt) -> None:
    halted = action.halted
    span = rules.evidence_span(turn.progress, halted)
    limit = halted.evidence_at_most
    positions = operations.failed_positions(turn.id, *span, limit)
    turn.fold(replace(halted, positions=tuple(positions)))


def _write_off(turn: Turn, action: WriteOff) -> None:
    rows = in_state(turn, action.direction, "unresolved")
    text = "its outcome was never found; written off"
    turn.move([(row, unreported(row, _S.FAILED, error=text)) for row in rows])


def _plan_return(turn: Turn, action: PlanReturn) -> None:
    _write_off(turn, WriteOff(Direction.FORWARD))
    written = work.write_return(turn.id) if action.targets else []
    led = turn.progress.course.shifts
    back = shifts.write_return(turn.id, evens=action.evens) if led else 0
    digest = hashlib.sha256(repr([row[:3] for row in written]).encode())
    unavailable = sum(1 for row in written if not (row[3] and turn.counts_changed))
    planned = RollbackPlanned(len(written), unavailable, digest.hexdigest(), back)
    turn.fold(planned)
    _recount(turn)


def _recount(turn: Turn) -> None:
    """Count what is available: others may have changed the fleet meanwhile."""
    plan = plan_of(turn.row)
    ids = [target.id for target in plan.targets] + [s.id for s in plan.skipped]
    if plan.router is not None and plan.router.standby:
        ids = list(plan.router.standby)
        _look_at_standby(turn, ids)
    available, unavailable = availability.count_available(
        turn.id, [int(i) for i in ids]
    )
    if not turn.counts_changed:
        unavailable = turn.progress.back.pending
    turn.fold(Recounted(available, unavailable))


def regard_standby(turn: Turn) -> None:
    """Count anew what stands by, if looks at it have changed what is healthy."""
    plan = plan_of(turn.row)
    if plan.router is None or not plan.router.standby:
        return
    _look_at_standby(turn, plan.router.standby)
    ids = [int(each) for each in plan.router.standby]
    available, _ = availability.count_available(turn.id, ids)
    if available != turn.progress.available:
        turn.fold(Recounted(available, turn.progress.return_unavailable))


def _look_at_standby(turn: Turn, ids: Sequence[str]) -> None:
    health = turn.progress.course.limits.health
    availability.look_at_standby(
        [int(each) for each in ids], health.success_threshold, health.failure_threshold
    )


def _revive_return(turn: Turn, _: ReviveReturn) -> None:
    rows = in_state(turn, Direction.RETURN, "failed", "unresolved")
    turn.move([(row, unreported(row, _S.PENDING, attempt=0)) for row in rows])
    _recount(turn)


def retain(turn: Turn, row: Row, change: Change) -> None:
    """Keep the slot that traffic has left; let it go when traffic has returned."""
    step = turn.progress.course.steps[row.step]
    if not isinstance(step, Shift) or change.state is not _S.SUCCEEDED:
        return
    if isinstance(step, Weigh):  # It leaves no slot.
        return
    if row.direction is Direction.RETURN:
        shifts.release(row.target_id)
        return
    until = shifts.retained_until(turn.now, step)
    shifts.retain(row.target_id, step.from_slot, until)


PERFORM: dict[type, Callable[[Turn, Any], None]] = {
    Record: _record,
    OpenBatch: _open_batch,
    RecordHalt: _record_halt,
    WriteOff: _write_off,
    PlanReturn: _plan_return,
    ReviveReturn: _revive_return,
}
