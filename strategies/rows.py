"""Operations as the in-memory driver keeps them: rows, claims, reports, and queues.

They hold what happened to an operation; what that means is decided elsewhere.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from strategies.actions import Start
from strategies.plan import PlannedTarget
from strategies.states import Direction, Kind, OperationState
from strategies.steps import Shift

_S = OperationState


@dataclass
class Row:
    """One operation. `number` is that of its last claim, which a report must name."""

    direction: Direction
    position: int
    kind: Kind = Kind.DEPLOY
    state: OperationState = _S.PENDING
    attempt: int = 0
    number: int = 0
    was_available: bool = False
    #: Which move put it where it is, counted over the whole ledger.
    moved: int = 0
    #: It had succeeded, and was seen unhealthy since.
    regressed: bool = False

    @property
    def touched(self) -> bool:
        """Claimed at some time, and neither given back nor found done already."""
        changes = self.kind is not Kind.VERIFY
        return changes and self.attempt > 0 and self.state is not _S.SKIPPED


class Claim(NamedTuple):
    """A committed intent to act on one subject; the claimant owes a report.

    A `SHIFT` has a `shift` and no target; all others have a target.
    """

    direction: Direction
    position: int
    number: int
    attempt: int
    state: OperationState
    kind: Kind
    target: PlannedTarget | None
    shift: Shift | None = None


@dataclass(frozen=True)
class Report:
    """What the holder of claim `number` found out.

    `available` says whether the target is healthy now; None means as the state tells.
    """

    direction: Direction
    position: int
    number: int
    state: OperationState
    available: bool | None = None


#: Whether it is available, and whether it is a shift, whose positions are its own.
_Lane = tuple[Direction, bool, bool]


class Queues:
    """Pending operations, apart by direction and by whether taking them costs room."""

    def __init__(self) -> None:
        self._heaps: dict[_Lane, list[int]] = defaultdict(list)

    def push(self, row: Row, is_available: bool) -> None:
        """Let a row wait; a return is taken from the highest position down."""
        sign = -1 if row.direction is Direction.RETURN else 1
        lane = row.direction, is_available, row.kind is Kind.SHIFT
        heapq.heappush(self._heaps[lane], sign * row.position)

    def drop(self, direction: Direction, positions: Collection[int]) -> None:
        """Let these wait no more."""
        for lane, heap in self._heaps.items():
            if lane[0] is direction:
                heap[:] = [p for p in heap if abs(p) not in positions]
                heapq.heapify(heap)

    def pop(self, start: Start, at_most: int) -> list[int]:
        """Take positions off the queues, in the order of their direction."""
        free = start.available_at_most
        picked: list[int] = []
        while len(picked) < at_most:
            lanes = [
                (heap[0], available, heap)
                for (whose, available, _), heap in self._heaps.items()
                if whose is start.direction and (free > 0 or not available)
                if heap and start.start <= abs(heap[0]) < start.stop
            ]
            if not lanes:
                break
            position, available, heap = min(lanes)
            heapq.heappop(heap)
            free -= available
            picked.append(abs(position))
        return picked
