"""The states of deployments and operations, and which may follow which.

It holds names and tables only; what moves a deployment from one state to another
is decided in `progress`, and it knows nothing of targets or time.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a deployment stands, from the first draft to its rest."""

    DRAFT = "draft"
    AWAITING_APPROVAL = "awaiting_approval"
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    COMPLETED = "completed"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class OperationState(StrEnum):
    """Where one effect on one subject stands."""

    PENDING = "pending"
    RUNNING = "running"
    VERIFYING = "verifying"
    UNKNOWN = "unknown"
    UNRESOLVED = "unresolved"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    #: Given back before anything was sent; it is stored as pending at once.
    RELEASED = "released"


class Kind(StrEnum):
    """What an operation does to its subject."""

    #: Change a target to the version.
    DEPLOY = "deploy"
    #: Only look whether a target runs the version and is healthy.
    VERIFY = "verify"
    #: Change a target back to its own earlier version.
    RESTORE = "restore"
    #: Lead traffic to another slot; its subject is a router.
    SHIFT = "shift"


class Direction(StrEnum):
    """Which way an operation moves its target."""

    FORWARD = "forward"
    RETURN = "return"


class Intent(IntEnum):
    """What was asked for beyond going on; it is only ever raised."""

    NONE = 0
    HALT = 1
    ABORT = 2
    ROLL_BACK = 3


#: Before the start: the services' affair, nothing can be in flight.
WAITING = frozenset({State.DRAFT, State.AWAITING_APPROVAL, State.PENDING})
#: From start to rest: these exclude every other deployment of the same place.
LIVE = frozenset({State.IN_PROGRESS, State.PAUSED, State.ROLLING_BACK})
#: At rest: nothing is open, nothing will start by itself.
AT_REST = frozenset(State) - WAITING - LIVE
#: At rest so that what failed may be tried again, by another deployment.
RETRYABLE = frozenset({State.FAILED, State.COMPLETED})

#: Deployment states: what may follow what. A state that is at rest is left only by
#: one return: roll back, or try the roll back again.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.AWAITING_APPROVAL, State.PENDING, State.CANCELLED}),
    State.AWAITING_APPROVAL: frozenset({State.DRAFT, State.PENDING, State.CANCELLED}),
    State.PENDING: frozenset(
        {State.DRAFT, State.IN_PROGRESS, State.CANCELLED, State.SUPERSEDED}
    ),
    State.IN_PROGRESS: frozenset(
        {
            State.PAUSED,
            State.ROLLING_BACK,
            State.COMPLETED,
            State.FAILED,
            State.CANCELLED,
            State.SUPERSEDED,
        }
    ),
    State.PAUSED: frozenset(
        {
            State.IN_PROGRESS,
            State.ROLLING_BACK,
            State.FAILED,
            State.CANCELLED,
            State.SUPERSEDED,
        }
    ),
    State.ROLLING_BACK: frozenset({State.ROLLED_BACK, State.ROLLBACK_FAILED}),
    State.FAILED: frozenset({State.ROLLING_BACK}),
    State.ROLLBACK_FAILED: frozenset({State.ROLLING_BACK}),
    State.COMPLETED: frozenset(),
    State.ROLLED_BACK: frozenset(),
    State.CANCELLED: frozenset(),
    State.SUPERSEDED: frozenset(),
}

_S = OperationState

#: Open operations hold their subject and their slot.
OPEN = frozenset({_S.RUNNING, _S.VERIFYING, _S.UNKNOWN})

#: Operation states: what may follow what, in either direction.
OPERATION_TRANSITIONS: dict[OperationState, frozenset[OperationState]] = {
    _S.PENDING: frozenset({_S.RUNNING, _S.SKIPPED}),
    _S.RUNNING: frozenset(
        {
            _S.VERIFYING,
            _S.SUCCEEDED,
            _S.FAILED,
            _S.SKIPPED,
            _S.UNKNOWN,
            _S.PENDING,
            _S.RELEASED,
        }
    ),
    _S.VERIFYING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.PENDING}),
    # Failed: lost once too often, and not done.
    _S.UNKNOWN: frozenset(
        {_S.SUCCEEDED, _S.VERIFYING, _S.PENDING, _S.UNRESOLVED, _S.FAILED}
    ),
    _S.UNRESOLVED: frozenset({_S.SUCCEEDED, _S.PENDING, _S.FAILED}),
    _S.SUCCEEDED: frozenset({_S.FAILED}),
    _S.FAILED: frozenset({_S.SUCCEEDED, _S.PENDING}),
    _S.SKIPPED: frozenset(),
}
