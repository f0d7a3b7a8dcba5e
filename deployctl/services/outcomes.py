"""What a report makes of an operation and its target, as retries and doubts have it.

It reads and writes nothing: how often is tried again is asked of the core.
"""

from __future__ import annotations

from deployctl.services.operations import Change, Report, Row
from strategies.operations import after_doubt, after_failure, return_retries
from strategies.progress import Progress
from strategies.states import OPEN, Direction, OperationState

_S = OperationState
#: What was found not done, lost once too often: reported as this, stored as that.
_GIVEN_UP = (_S.PENDING, _S.FAILED)
_LOST = "each attempt was lost, and it was not done; look at the target and its network"


def change_of(progress: Progress, row: Row, report: Report) -> Change:
    """Return what is to be stored when this was reported of an operation."""
    state = _after_retry(progress, row, report.state)
    released = report.state is _S.RELEASED
    return Change(
        id=row.id,
        target_id=row.target_id,
        state=state,
        attempt=row.attempt - released,
        available=_availability(row, report),
        learnt=report.available is not None and state not in OPEN and not released,
        error=_LOST if (report.state, state) == _GIVEN_UP else report.error,
        output=report.output,
        observed=report.observed,
        recorded=state in (_S.SUCCEEDED, _S.SKIPPED),
        quiet=state is _S.UNKNOWN,
    )


def _after_retry(progress: Progress, row: Row, state: OperationState) -> OperationState:
    if state is _S.RELEASED:
        return _S.PENDING
    undone = state is _S.PENDING and row.state is _S.UNKNOWN
    if state is not _S.FAILED and not undone:
        return state
    after = after_doubt if undone else after_failure
    retries = progress.course.limits.retries
    if row.direction is Direction.RETURN:
        retries = return_retries(retries)
    may_claim = progress.may_retry(row.direction)
    return after(attempt=row.attempt, retries=retries, may_claim=may_claim)


def _availability(row: Row, report: Report) -> bool:
    """Return whether the target is available after a report, as far as is known."""
    if report.state is _S.RELEASED:
        return row.was_available
    return row.target_available if report.available is None else report.available
