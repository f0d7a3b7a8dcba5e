"""What is made to happen in a simulation: durations, and faults of chosen targets.

It draws from a seed and knows ids and labels; it does not know the plan, the machine,
nor what anybody concludes from a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from typing import Literal

from strategies.states import Direction

#: A draw is a whole number below this.
DRAWN = 1 << 64
MILLISECONDS = 1000

Effect = Literal["fails", "regresses", "hangs"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and with which targets.

    Attributes:
        effect: "fails": the operation fails. "regresses": it succeeds and is seen
            unhealthy later. "hangs": nobody learns its outcome, so that it is unknown
            after the plan's apply deadline, and unresolved after its settling time.
        ids: only these targets; None for all.
        label: only targets with this label, as a zone.
        share: which part of those is hit, each one by itself, as a draw from the seed
            and the target's id says; so more targets do not change who is hit.
        direction: on the way to the version, or on the way back.
        router: it is the switch of traffic that is hit, and no target.
        attempts: how many first attempts are hit; None for all, so that no retry helps.
        after_seconds: how long it takes to show: from the claim to the failure (None:
            as long as a success takes), or from the acceptance to the regression.
        at_seconds: for a regression, since the start instead; one that is accepted
            later regresses at once.
        for_seconds: how long a regression lasts until it recovers; None for good.
    """

    effect: Effect = "fails"
    ids: frozenset[str] | None = None
    label: str | None = None
    share: Fraction = Fraction(1)
    direction: Direction = Direction.FORWARD
    router: bool = False
    attempts: int | None = None
    after_seconds: float | None = None
    at_seconds: float | None = None
    for_seconds: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"a share is between 0 and 1, not {self.share}")


@dataclass(frozen=True)
class Between:
    """A duration that is drawn for each target, even between two bounds in seconds."""

    least: float = 0.0
    most: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise ValueError("a duration lies between two bounds of at least 0 seconds")

    def milliseconds(self, draw: int) -> int:
        """Return the whole milliseconds that a draw stands for."""
        least, most = round_ms(self.least), round_ms(self.most)
        return least + (most - least + 1) * draw // DRAWN


@dataclass(frozen=True, kw_only=True)
class World:
    """All that a simulated world does; without arguments everything succeeds at once.

    Attributes:
        seed: what all draws come from; the same seed gives the same world.
        apply: how long a change takes, before its target is looked at.
        shift: how long a switch of traffic takes.
        slow: the seconds that the changes of single targets take instead, by id.
        faults: the first one that hits an operation decides.
        labels: the label of a target, by id.
        unavailable: the ids of targets that are unhealthy before the start.
    """

    seed: int = 0
    apply: Between = Between()
    shift: Between = Between()
    slow: Mapping[str, float] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    unavailable: frozenset[str] = frozenset()

    def apply_milliseconds(self, target: str) -> int:
        """Return how long a change of this target takes; the same for each attempt."""
        if target in self.slow:
            return round_ms(self.slow[target])
        if self.apply.least == self.apply.most:
            return round_ms(self.apply.least)
        return self.apply.milliseconds(self.drawn("apply", target))

    def shift_milliseconds(self, slot: str) -> int:
        """Return how long it takes to lead traffic to a slot."""
        return self.shift.milliseconds(self.drawn("shift", slot))

    def hit(self, target: str, direction: Direction, attempt: int) -> Fault | None:
        """Return what goes wrong with an attempt, from 1, at a target; None if nothing.

        A router has no id: its target is the empty text.
        """
        for number, fault in enumerate(self.faults):
            if (
                fault.direction is direction
                and fault.router is (not target)
                and (fault.attempts is None or attempt <= fault.attempts)
                and (fault.ids is None or target in fault.ids)
                and (fault.label is None or self.labels.get(target) == fault.label)
                and self._is_drawn(fault, number, target)
            ):
                return fault
        return None

    def drawn(self, what: str, target: str) -> int:
        """Return the draw for one target, from 0 to `DRAWN` (not included)."""
        text = f"{self.seed}/{what}/{target}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest())

    def _is_drawn(self, fault: Fault, number: int, target: str) -> bool:
        share = fault.share
        if share == 1:
            return True
        draw = self.drawn(f"fault {number}", target)
        return draw * share.denominator < share.numerator * DRAWN


def round_ms(seconds: float) -> int:
    """Return seconds as whole milliseconds, in which a simulation counts."""
    return round(seconds * MILLISECONDS)
