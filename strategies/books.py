"""The in-memory books of a deployment: its rows, its progress, and its events.

They keep what happened and fold it; what is to happen, and when, is asked elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from strategies import folds
from strategies.messages import Fact, OperationsMoved, Where
from strategies.plan import Plan
from strategies.progress import Progress
from strategies.rows import Queues, Row
from strategies.states import OPEN, Direction, Kind, OperationState
from strategies.steps import Shift

_S = OperationState


class Change(NamedTuple):
    """What a row becomes, and whether its target is healthy then."""

    row: Row
    now: OperationState
    is_available: bool


class _Moved(NamedTuple):
    """What changes have in common that are told as one fact."""

    direction: Direction
    where: Where
    was: OperationState
    now: OperationState
    was_available: bool
    is_available: bool
    effect: Kind


class Books:
    """A deployment in memory: one row an operation, and the events so far.

    Attributes:
        rows: one for each operation, by direction and position; the shifts' positions
            follow those of the targets.
        available: whether each target, by position, is healthy as far as is known.
        removed: positions of targets that are gone, to be skipped by their batch.
        spare: how many healthy targets serve that the plan does not change.
        events: (at, facts), in order; `replay` of them gives `progress`.
    """

    def __init__(self, plan: Plan, unavailable_ids: Collection[str] = ()) -> None:
        self.plan = plan
        self.progress = Progress.begin(plan.course)
        self.events: list[tuple[datetime, list[Fact]]] = []
        self.available = [t.id not in unavailable_ids for t in plan.targets]
        self.rows: dict[tuple[Direction, int], Row] = {}
        steps = plan.course.steps
        self.shifts = {step.start: step for step in steps if isinstance(step, Shift)}
        #: Where an idle slot is changed, only the slot that serves is counted.
        self.standby = set(plan.router.standby) if plan.router else set()
        spare = self.standby or {s.id for s in plan.skipped}
        self.spare = len(spare - set(unavailable_ids))
        self.removed: set[int] = set()
        self.queues = Queues()
        self._moves = 0
        self._facts: list[Fact] = []
        for position in range(plan.course.work + plan.course.shifts):
            kind = plan.course.kind_at(position)
            self.write(Row(Direction.FORWARD, position, kind))

    def in_state(self, direction: Direction, *states: OperationState) -> list[Row]:
        """Return the rows of one direction that are in one of these states."""
        return [
            row
            for row in self.rows.values()
            if row.direction is direction and row.state in states
        ]

    def touched(self) -> list[Row]:
        """Return what a return takes back, in plan order."""
        return [r for r in self.in_state(Direction.FORWARD, *_S) if r.touched]

    def fold(self, fact: Fact, at: datetime) -> None:
        """Let something have happened."""
        self.progress = folds.apply(self.progress, fact, at)
        self._facts.append(fact)

    def close(self, at: datetime) -> None:
        """End a transaction: what was folded in it is one entry of the events."""
        if self._facts:
            self.events.append((at, self._facts))
            self._facts = []

    def move(self, changes: Sequence[Change], at: datetime) -> None:
        """Store new states, and fold them, one fact for each group of equal moves."""
        groups: dict[_Moved, list[int]] = defaultdict(list)
        for change in changes:
            groups[self._stored(change)].append(change.row.position)
        for key, positions in groups.items():
            moved = OperationsMoved(*key[:-1], tuple(sorted(positions)), key.effect)
            self.fold(moved, at)

    def _stored(self, change: Change) -> _Moved:
        """Store one change, and return its fact, but for the positions."""
        row, now = change.row, change.now
        was, was_available = row.state, self.is_available(row)
        self._moves += 1
        row.moved = self._moves
        row.state = _S.PENDING if now is _S.RELEASED else now
        if row.state not in OPEN and row.kind is not Kind.SHIFT:
            self.available[row.position] = change.is_available
        if row.state is _S.PENDING:
            self.queues.push(row, self.serves(row))
        where = self.progress.where(row.direction, row.position)
        is_available = self.is_available(row)
        return _Moved(
            row.direction, where, was, now, was_available, is_available, row.kind
        )

    def is_available(self, row: Row) -> bool:
        """Whether the row's subject counts as available."""
        return row.state not in OPEN and self.serves(row)

    def serves(self, row: Row) -> bool:
        """Whether the row's subject counts as available, but for being open."""
        return not self.standby and self.is_healthy(row)

    def is_healthy(self, row: Row) -> bool:
        """Whether the row's target was healthy when it was last closed."""
        return row.kind is not Kind.SHIFT and self.available[row.position]

    def counted(self) -> int:
        """Count the targets that are available while nothing is open."""
        return self.spare + (0 if self.standby else sum(self.available))

    def write(self, row: Row) -> None:
        """Add an operation, which waits."""
        self.rows[row.direction, row.position] = row
        self.queues.push(row, self.serves(row))

    def kept(self, row: Row, now: OperationState) -> Change:
        """Return a change that is nobody's report: its target is as it was."""
        return Change(row, now, self.is_healthy(row))
