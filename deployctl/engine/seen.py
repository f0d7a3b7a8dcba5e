"""What the last flushes of a deployment were like, and so what the next may bring.

What begins together ends together, and then waits for one long flush together. Brought
in groups it parts and does not meet again: while one is brought, the others work. That
needs places that are filled again as they come free, and work that is long beside a
flush. It asks no database, and nothing breaks if all of it is forgotten.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass

from deployctl.services.journal import Answer, Ask

#: A group is this part of what a worker holds, and never fewer than so many, for which
#: a flush takes hardly longer than for one.
GROUPS, FEWEST = 5, 8
#: Work is long that takes so many times as long as a flush: else flushes, and not the
#: work, are what takes the time, and the fewer the better.
LONG = 4
#: A flush that began nothing was of a batch: the next batch waits for all of this one.
#: So many flushes have to begin something before groups are tried again.
WARY = 30


@dataclass(frozen=True)
class Look:
    """A wish to look at a deployment, as it is at `seq` now, or whatever it is at."""

    seq: int = sys.maxsize
    sweep: bool = False

    def and_(self, other: Look) -> Look:
        """Return one look for both."""
        return Look(max(self.seq, other.seq), self.sweep or other.sweep)


@dataclass
class Seen:
    """One deployment, as its flushes showed it to this worker."""

    may_claim: bool = True
    seq: int = 0
    rung_at: float = 0.0
    called_at: float = 0.0
    _wary: int = 1
    _flush_seconds: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def at_most(self, held: int, work_seconds: float) -> int:
        """Return how many findings the next flush may bring.

        Args:
            held: operations that the worker holds.
            work_seconds: how long ago that was claimed whose finding came first.
        """
        if self._wary > 0 or work_seconds < LONG * self._flush_seconds:
            return sys.maxsize
        return max(FEWEST, held // GROUPS)

    def flushed(self, *, brought: int, begun: int, seconds: float) -> None:
        """Take note of what a flush brought and began, and how long it took."""
        self._flush_seconds = seconds
        if brought:
            self._wary = self._wary - 1 if begun else WARY

    def rang(self, ask: Ask, answer: Answer, at: float) -> None:
        """Take note of whom a flush rang for."""
        calls = answer.calls and not ask.called
        if calls:
            self.called_at = at
        if calls or not ask.quiet:
            self.rung_at = at

    def wake(self, seconds: float | None, look: Callable[[], None]) -> None:
        """Look again then, and not when it was said before; None for never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, look)
