"""What passes between people, the world and the machine.

Commands are asked by people and may be refused; facts have happened and may not. They
hold no behaviour; what the machine asks its driver to do are `actions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from strategies.states import Direction, Kind, OperationState, State
from strategies.steps import later

# -- commands: people ask -------------------------------------------------------


@dataclass(frozen=True)
class Pause:
    """Claim nothing more; what is open finishes."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class Resume:
    """Lift the hold; unresolved operations that are resumed over count as failed."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class Abort:
    """Stop for good where it stands; what is open finishes first."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class RollBack:
    """Take every touched target back to its own earlier version."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class Promote:
    """Go on at a gate, or cut short the bake or delay that is under way."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class PromoteFully:
    """Go on at this gate or bake and at all that follow; batches stay as planned."""

    by: str
    reason: str = ""


Command = Pause | Resume | Abort | RollBack | Promote | PromoteFully

# -- facts: it happened ---------------------------------------------------------

#: So many failed operations are enough to say why it stopped.
_EVIDENCE = 50
#: Where an operation stands as seen from the machine: in the open batch, in an earlier
#: batch of the open step, or elsewhere. `Progress.where` says it.
Where = Literal["batch", "step", "elsewhere"]
#: What a time that has passed was waited for.
Timer = Literal["step", "delay", "progress", "gate"]


@dataclass(frozen=True)
class Started:
    """The deployment began, with so many of the selected targets available."""

    available: int
    by: str


@dataclass(frozen=True)
class StepEntered:
    """A step that only takes time, or asks somebody, began."""

    step: int


@dataclass(frozen=True)
class StepSkipped:
    """A stage was passed over: it adds no target to the one before it."""

    step: int


@dataclass(frozen=True)
class GateDecided:
    """Somebody, or a rule, said go on at a gate."""

    step: int
    by: str
    reason: str
    rule: str | None = None


@dataclass(frozen=True)
class WaitCut:
    """A bake or a delay was ended `left_seconds` before its time."""

    step: int
    by: str
    reason: str
    left_seconds: int
    rule: str | None = None


@dataclass(frozen=True)
class PromotedFully:
    """Nothing is asked or baked any more; batches and their verdicts stay."""

    by: str
    reason: str


@dataclass(frozen=True)
class BatchOpened:
    """A batch began: `pending` of its positions may be claimed.

    `unavailable` of these are on targets that are unavailable already, so that
    taking them costs no room; `skipped` are those left out before it began. All are
    counted under the lock.
    """

    step: int
    batch: int
    start: int
    stop: int
    pending: int
    unavailable: int
    skipped: int = 0


@dataclass(frozen=True)
class BatchClosed:
    """A batch is over and its verdict was to go on."""

    step: int
    batch: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class OperationsMoved:
    """Operations at `positions` went from one state to another.

    The machine uses only how many there are, the grid which. `was_available` and
    `is_available` say whether their targets counted as available before and after;
    an open one never does, nor does a router or the target of an idle slot.
    Succeeded to failed is a regression, failed to succeeded its recovery.
    """

    direction: Direction
    where: Where
    was: OperationState
    now: OperationState
    was_available: bool
    is_available: bool
    positions: tuple[int, ...]
    effect: Kind = later(Kind.DEPLOY)


@dataclass(frozen=True)
class TargetsDrifted:
    """Targets were found at a version that the plan did not expect, before an apply."""

    positions: tuple[int, ...]


@dataclass(frozen=True)
class Held:
    """Nothing is claimed until somebody resumes."""

    by: str
    reason: str
    rule: str | None = None


@dataclass(frozen=True)
class Resumed:
    """The hold was lifted."""

    by: str
    reason: str


@dataclass(frozen=True)
class TimePassed:
    """A timer that the machine had asked for has run out."""

    timer: Timer


@dataclass(frozen=True)
class Halted:
    """A rule stopped the deployment; kept as its halt record.

    `observed` is the first count over `threshold`, whatever came with it; `sample` is
    out of how many. `positions` are the evidence.
    """

    rule: str
    observed: int
    threshold: int
    sample: int
    positions: tuple[int, ...] = ()

    @property
    def evidence_at_most(self) -> int:
        """How many failed operations are named as its evidence, at the most."""
        return min(max(self.observed, 1), _EVIDENCE)


@dataclass(frozen=True)
class AbortAsked:
    """A person stopped the deployment."""

    by: str
    reason: str


@dataclass(frozen=True)
class RollBackAsked:
    """A person, or a rule by its policy, asked for the return."""

    by: str
    reason: str
    rule: str | None = None


@dataclass(frozen=True)
class RollbackPlanned:
    """The return's operations were written: `count` of targets, by their hash.

    `unavailable` of these are unavailable already. `shifts` lead traffic back.
    """

    count: int
    unavailable: int
    hash: str
    shifts: int = later(0)


@dataclass(frozen=True)
class Recounted:
    """Availability was counted anew, since others may have changed the fleet meanwhile.

    `available` of the selected targets are, `unavailable` of those that wait to be
    taken back are not.
    """

    available: int
    unavailable: int


@dataclass(frozen=True)
class Rested:
    """Nothing is open and nothing more will start by itself."""

    state: State
    reason: str
    outcome: str = ""


Fact = (
    Started
    | StepEntered
    | StepSkipped
    | GateDecided
    | WaitCut
    | PromotedFully
    | BatchOpened
    | BatchClosed
    | OperationsMoved
    | TargetsDrifted
    | Held
    | Resumed
    | TimePassed
    | Halted
    | AbortAsked
    | RollBackAsked
    | RollbackPlanned
    | Recounted
    | Rested
)
