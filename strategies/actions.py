"""What the machine asks of whoever drives it: to record, to open, to claim, to wake.

They hold no behaviour, and no outcome: what became of them comes back as facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from strategies.messages import Fact, Halted, Timer
from strategies.states import Direction


@dataclass(frozen=True)
class Start:
    """Claim up to `at_most` pending operations.

    At most `available_at_most` of them are on targets that are available.

    Forward ones are taken from `start` to `stop` in plan order, a return's in reverse.
    """

    direction: Direction
    start: int
    stop: int
    at_most: int
    available_at_most: int


@dataclass(frozen=True)
class WakeAt:
    """Record `TimePassed(timer)` when the time has come, unless asked otherwise."""

    timer: Timer
    at: datetime


@dataclass(frozen=True)
class OpenBatch:
    """Count what is pending from `start` to `stop`; answer with `BatchOpened`."""

    step: int
    batch: int
    start: int
    stop: int


@dataclass(frozen=True)
class Record:
    """Record a fact that needs nothing from outside."""

    fact: Fact


@dataclass(frozen=True)
class RecordHalt:
    """Record this halt with the positions of its evidence: the failed operations."""

    halted: Halted


@dataclass(frozen=True)
class WriteOff:
    """Move the unresolved operations of this direction to failed."""

    direction: Direction


@dataclass(frozen=True)
class PlanReturn:
    """Write an operation for each one ever claimed; answer with `RollbackPlanned`.

    Of targets only if `targets`; of routers always. What only looked is left alone.
    Forward operations still unresolved are written off: the return asks again.
    With `evens`, all shares of traffic are taken back as one: the first of them, to
    what was there before it.
    """

    targets: bool = True
    evens: bool = False


@dataclass(frozen=True)
class ReviveReturn:
    """Put the return's failed and unresolved operations back to pending."""


Action = (
    Start
    | WakeAt
    | OpenBatch
    | Record
    | RecordHalt
    | WriteOff
    | PlanReturn
    | ReviveReturn
)
