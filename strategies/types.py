"""Targets and results as the library's callers have them; they decide nothing.

A target here is a caller's own, mutable object: the machine knows it by its id only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from strategies.states import State


class DeploymentState(StrEnum):
    """Where a deployment stands, in the library's six words; see `State` for all.

    What has not begun is PENDING, a return under way is IN_PROGRESS, and whatever ended
    without the version or the way back is FAILED.
    """

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"

    @classmethod
    def of(cls, state: State) -> DeploymentState:
        """Return the word for one of the machine's states."""
        return _OF[state]

    @property
    def is_success(self) -> bool:
        """Whether it ended as it was asked to, forward or back."""
        return self in (DeploymentState.COMPLETED, DeploymentState.ROLLED_BACK)


_OF: dict[State, DeploymentState] = {
    State.DRAFT: DeploymentState.PENDING,
    State.AWAITING_APPROVAL: DeploymentState.PENDING,
    State.PENDING: DeploymentState.PENDING,
    State.IN_PROGRESS: DeploymentState.IN_PROGRESS,
    State.ROLLING_BACK: DeploymentState.IN_PROGRESS,
    State.PAUSED: DeploymentState.PAUSED,
    State.COMPLETED: DeploymentState.COMPLETED,
    State.FAILED: DeploymentState.FAILED,
    State.ROLLBACK_FAILED: DeploymentState.FAILED,
    State.CANCELLED: DeploymentState.FAILED,
    State.SUPERSEDED: DeploymentState.FAILED,
    State.ROLLED_BACK: DeploymentState.ROLLED_BACK,
}


@dataclass
class DeploymentTarget:
    """One instance to deploy to: a server, a pod, a device.

    The callbacks get this object. `deploy` and `rollback` write two of its fields.

    Attributes:
        id: what tells it from others; a list that names one twice changes it once.
        name: for people.
        address: for `deploy_fn`; nothing here reads it.
        healthy: as it was last checked; written after each `health_check`.
        version: what it runs, None if nobody knows; written when its deploy succeeded.
        metadata: the caller's own. A text under `"zone"` lets a canary spread its first
            stages over zones; nothing else is read.
    """

    id: str
    name: str
    address: str
    healthy: bool = True
    version: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class DeploymentResult:
    """What a deployment, or a rollback, came to.

    Attributes:
        success: true for COMPLETED and ROLLED_BACK.
        targets_updated: of a deployment, how many run the new version because of it; of
            a rollback, how many were taken back.
        targets_failed: of a deployment, how many were attempted and failed; of a
            rollback, how many should have been taken back and were not.
        duration_ms: from the call to its end, waits included, in milliseconds.
        state: COMPLETED, FAILED or ROLLED_BACK.
        errors: one sentence for each failure that stands, each with the target's id, in
            the order in which they happened. A failure mended by a retry is not here.
        metadata: what else is known, each key only where it says something:

            - `no_op`: True if nothing had to be done, so that nothing was called
            - `outcome`: `clean`, `no_op` or `completed_with_failures`, when COMPLETED
            - `reason`: one word for why it FAILED, as `max_failures`
            - `halt`: which rule stopped it: `rule`, `observed`, `threshold`, `sample`
            - `stopped_at_stage`: the percentage of the canary stage it stopped in
            - `active_slot`: where traffic goes after a blue-green call
            - `failed_targets`, `skipped_targets`: ids
            - `restored_targets`, `unrestored_targets`: ids, after a return
            - `notices`: what the plan has to say, as that a target was named twice
    """

    success: bool
    targets_updated: int
    targets_failed: int
    duration_ms: float
    state: DeploymentState
    errors: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON; the state as its lower-case word."""
        return {
            "success": self.success,
            "targets_updated": self.targets_updated,
            "targets_failed": self.targets_failed,
            "duration_ms": self.duration_ms,
            "state": self.state.value,
            "errors": list(self.errors),
            "metadata": dict(self.metadata),
        }
