"""What one strategy object has touched, and what each target ran before that.

It remembers, so that a rollback touches only what was touched; it runs nothing, and it
forgets with the object.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from strategies.plan import SLOTS
from strategies.weights import EVENLY, Weights


@dataclass(frozen=True)
class Touch:
    """One target that was touched: what it ran before, and on the way to what."""

    earlier: str | None
    version: str
    is_done: bool = False


@dataclass
class Memory:
    """The touched targets by id, in the order in which they were touched last.

    Attributes:
        known: every target that was selected, touched or not: what is known and was
            not touched is left alone by a rollback.
        slot: where traffic was led last.
        switched_for: the version for which traffic was switched, if it was.
        weights: how traffic was shared last, or was about to be.
        is_frozen: the last deployment halted, and its options forbid the way back.
    """

    touches: dict[str, Touch] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    slot: str = SLOTS[0]
    switched_for: str | None = None
    weights: Weights = EVENLY
    is_frozen: bool = False

    def begin(self, ids: Iterable[str], version: str) -> None:
        """Note that a deployment of these to `version` begins.

        One to the same version goes on with what the one before it left. One to another
        version is another matter: what arrived before is where it should be, and only
        what was left half done is still owed its way back.
        """
        self.is_frozen = False
        if self.switched_for != version:
            self.switched_for = None
        for each in ids:
            self.known.add(each)
            touch = self.touches.get(each)
            if touch and touch.is_done and touch.version != version:
                del self.touches[each]

    def came_from(self, target_id: str) -> str | None:
        """Return what a target goes back to that was left half done, else None."""
        touch = self.touches.get(target_id)
        return touch.earlier if touch and not touch.is_done else None

    def touch(self, target_id: str, earlier: str | None, version: str) -> None:
        """Note, before anything is called, that a target is about to be changed."""
        known = self.touches.pop(target_id, None)
        earlier = known.earlier if known else earlier
        self.touches[target_id] = Touch(earlier, version)

    def settle(self, target_id: str, *, is_done: bool) -> None:
        """Note whether a touched target is where it should be."""
        touch = self.touches.get(target_id)
        if touch:
            self.touches[target_id] = replace(touch, is_done=is_done)

    def restore(self, target_id: str) -> None:
        """Note that a target was taken back: nothing is owed to it any more."""
        self.known.add(target_id)
        self.touches.pop(target_id, None)
