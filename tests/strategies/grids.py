"""The grid: which operation is in which state, rebuilt from the events alone."""

from __future__ import annotations

from collections import Counter

from strategies.messages import OperationsMoved
from strategies.operations import REDOS
from strategies.plan import Plan
from strategies.states import (
    OPEN,
    OPERATION_TRANSITIONS,
    Direction,
    Kind,
    OperationState,
)

S = OperationState
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN
Key = tuple[Direction, int]


class Grid:
    """States and attempts by direction and position."""

    def __init__(self, plan: Plan) -> None:
        self._limits = plan.course.limits
        self._states: dict[Key, OperationState] = {}
        self._attempts: Counter[Key] = Counter()
        #: What changes its subject: looking touches nothing.
        self._changes: set[int] = set()
        self.open: set[Key] = set()

    def now(self, direction: Direction, position: int) -> OperationState:
        """Return the state of one operation."""
        return self._states.get((direction, position), S.PENDING)

    def at(self, direction: Direction, state: OperationState) -> set[int]:
        """Return the positions that are in a state."""
        return {
            p for (d, p), s in self._states.items() if d is direction and s is state
        }

    def failed(self, stop: int, start: int = 0) -> set[int]:
        """Return the failed positions of a range."""
        return {p for p in self.at(FORWARD, S.FAILED) if start <= p < stop}

    def touched(self) -> set[int]:
        """Return what was claimed, not given back, nor found done, nor looked at."""
        return {
            position
            for (direction, position), attempts in self._attempts.items()
            if direction is FORWARD and attempts > 0 and position in self._changes
            if self._states[FORWARD, position] is not S.SKIPPED
        }

    def moved(self, fact: OperationsMoved, *, again: bool) -> None:
        """Note a move, and check that it is possible.

        `again` says whether failures may be tried again now.
        """
        stored = S.PENDING if fact.now is S.RELEASED else fact.now
        assert fact.now in OPERATION_TRANSITIONS[fact.was], fact
        assert len(set(fact.positions)) == len(fact.positions)
        for position in fact.positions:
            key = fact.direction, position
            before = self._states.get(key, S.PENDING)
            assert before is fact.was, "the event stream rebuilds the grid"
            self._states[key] = stored
            (self.open.add if stored in OPEN else self.open.discard)(key)
            if fact.effect is not Kind.VERIFY:
                self._changes.add(position)
            self._count(fact, key, again)

    def _count(self, fact: OperationsMoved, key: Key, again: bool) -> None:
        self._attempts[key] += (fact.now is S.RUNNING) - (fact.now is S.RELEASED)
        if fact.now is not S.PENDING:
            return
        if fact.was in (S.FAILED, S.UNRESOLVED):
            self._attempts[key] *= fact.direction is FORWARD  # a return tried anew
        else:
            retries = self._limits.retries
            allowed = retries if fact.direction is FORWARD else max(1, retries)
            allowed += REDOS if fact.was is S.UNKNOWN else 0
            assert self._attempts[key] <= allowed or not again, "retries run out"
