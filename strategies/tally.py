"""How many operations are in which state; it does not know which ones they are."""

from __future__ import annotations

from dataclasses import dataclass

from strategies.states import OperationState
from strategies.values import replace

#: The field that counts a state; what is released is stored as pending.
_FIELD = {state: state.value for state in OperationState}
_FIELD[OperationState.RELEASED] = OperationState.PENDING.value


@dataclass(frozen=True)
class Tally:
    """Counts of operations by state; the field names are the states."""

    pending: int = 0
    running: int = 0
    verifying: int = 0
    unknown: int = 0
    unresolved: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def open(self) -> int:
        """Operations that hold their subject."""
        return self.running + self.verifying + self.unknown

    @property
    def total(self) -> int:
        """All operations that are counted here."""
        return self.pending + self.open + self.unresolved + self.done

    @property
    def done(self) -> int:
        """Operations with an outcome that is not a question."""
        return self.succeeded + self.failed + self.skipped

    @property
    def attempted(self) -> int:
        """Operations whose outcome counts in a share: neither skipped nor open."""
        return self.succeeded + self.failed

    def moved(self, was: OperationState, now: OperationState, count: int) -> Tally:
        """Return the tally after `count` operations went from one state to another."""
        left, entered = _FIELD[was], _FIELD[now]
        if left == entered:
            return self
        counts = self.__dict__
        changed = {left: counts[left] - count, entered: counts[entered] + count}
        return replace(self, **changed)
