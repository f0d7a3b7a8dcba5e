"""The rules for one operation: what a probe means before an apply and after a doubt.

It knows versions, attempts and deadlines by their values; it does not know how a
target is asked, nor anything of the deployment around the operation.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from strategies.health import Health
from strategies.states import Direction, Kind, OperationState

#: So many attempts beyond the retries may be lost, and found not done, before it counts
#: as a failure: workers die and lines break, but not each time on the same target.
REDOS = 3


class Sight(NamedTuple):
    """What a probe saw: the version that runs, None if none does, and its health."""

    version: str | None
    healthy: bool


class FirstLook(StrEnum):
    """What to do after the probe that precedes every apply."""

    APPLY = "apply"
    #: It is there already, healthy: leave it untouched.
    SKIP = "skip"
    #: An earlier attempt of ours had worked after all.
    FOUND_DONE = "found_done"
    #: It runs a third version: record that as its own before changing it.
    DRIFT = "drift"
    #: It is not as the plan says, and must not be changed from there.
    REFUSE = "refuse"


#: How a switch is verified: by reading back, until the router says so.
READ_BACK = Health(
    interval_seconds=0.5, min_healthy_seconds=0, deadline_seconds=10, timeout_seconds=5
)


class Move(NamedTuple):
    """What one operation wants: from which version to which, in which attempt.

    The versions of a shift are the slots that traffic leaves and enters, or the shares
    of it, if it `weighs`.
    """

    direction: Direction
    from_version: str | None
    to_version: str | None
    attempt: int
    kind: Kind = Kind.DEPLOY
    weighs: bool = False

    @property
    def evens(self) -> bool:
        """Whether it leads back to how traffic was shared, from wherever that is now.

        A load balancer that was restarted has forgotten its shares.
        """
        return self.weighs and self.direction is Direction.RETURN


def first_look(move: Move, seen: Sight) -> FirstLook:
    """Say what the probe before an apply means.

    Args:
        move: with the attempt that is under way, 1 for the first.
        seen: what the probe saw.
    """
    if move.kind is Kind.SHIFT:
        return _look_at_router(move, seen)
    if _forced(move) and seen.version == move.to_version:
        # It was asked for although it is there already: seeing it proves nothing.
        return FirstLook.APPLY
    if seen.version == move.to_version and seen.healthy:
        again = move.attempt > 1
        return FirstLook.FOUND_DONE if again else FirstLook.SKIP
    expected = {move.from_version, move.to_version, None}
    first = move.direction is Direction.FORWARD and move.attempt == 1
    if first and seen.version not in expected:
        # Only before we touched it: what a later attempt finds may be our own work,
        # and the way back must not lead there.
        return FirstLook.DRIFT
    return FirstLook.APPLY


def _look_at_router(move: Move, seen: Sight) -> FirstLook:
    """Traffic is led only from where the plan says it is.

    Found at its goal, a first switch was made by somebody else, for reasons that are
    not ours; a return, or a further attempt, is simply done. Two shares may come to the
    same weights: then there is nothing to set, and it is ours all the same.
    """
    first = move.direction is Direction.FORWARD and move.attempt == 1
    there = seen.version == move.to_version
    if there and not first:
        return FirstLook.SKIP if move.attempt == 1 else FirstLook.FOUND_DONE
    expected = seen.version == move.from_version or move.evens
    expected = expected or (there and move.weighs)
    return FirstLook.APPLY if expected else FirstLook.REFUSE


def settled(move: Move, seen: Sight, *, may_redo: bool) -> OperationState:
    """Say what an unknown outcome was, from a probe; settling changes nothing.

    Args:
        move: the attempt whose outcome nobody saw.
        seen: what the probe saw, after every earlier fence was shut out.
        may_redo: the target refuses the lost attempt should it still arrive, or the
            time is past until which it could.

    Returns:
        SUCCEEDED, VERIFYING (there, not healthy yet), PENDING (not there, may be done
        again) or UNRESOLVED.
    """
    if seen.version == move.to_version and not _forced(move):
        return OperationState.SUCCEEDED if seen.healthy else OperationState.VERIFYING
    if move.kind is Kind.VERIFY:
        return OperationState.PENDING  # it only looked, and may look again
    undone = seen.version == move.from_version or move.evens
    if undone and may_redo:
        return OperationState.PENDING
    return OperationState.UNRESOLVED


def _forced(move: Move) -> bool:
    """Whether a version is laid down again over itself."""
    forward = move.direction is Direction.FORWARD
    same = move.from_version == move.to_version
    return forward and same and move.kind is Kind.DEPLOY


def after_failure(*, attempt: int, retries: int, may_claim: bool) -> OperationState:
    """Say whether a failed attempt is tried again.

    A deployment that is stopping does not try again: the failure counts at once.
    """
    again = may_claim and attempt <= retries
    return OperationState.PENDING if again else OperationState.FAILED


def after_doubt(*, attempt: int, retries: int, may_claim: bool) -> OperationState:
    """Say whether an attempt that was lost, and was found not done, is made again.

    A crash is ordinary, so it costs no retry at first; but one that is lost each time
    has failed. A deployment that is stopping leaves undone what is not done.
    """
    again = not may_claim or attempt <= retries + REDOS
    return OperationState.PENDING if again else OperationState.FAILED


def return_retries(retries: int) -> int:
    """Return how many further attempts a return has: one at least.

    A return is the safer side, so a single refused call must not end it (`G6`).
    """
    return max(1, retries)
