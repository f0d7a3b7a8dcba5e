"""The steps that a strategy writes, and what holds for all of them.

It knows ranges of positions and durations; it does not know which targets stand at
these positions, nor whether a step has begun.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from strategies.health import Health
from strategies.states import Kind
from strategies.weights import Weights


def later(default: Any) -> Any:
    """Return a dataclass field that earlier plans did not have.

    It is written, and hashed, only where it differs from its default: so plans keep
    the bytes, and the hash, under which they were approved.
    """
    return field(default=default, metadata={"later": True})


@dataclass(frozen=True)
class Range:
    """A range of positions, `start` to `stop` (not included), taken in batches.

    `sizes` are the batch sizes in turn, the last one repeated. At most `parallelism`
    are open at once. Between batches, not after the last, it waits `delay_seconds`.
    """

    start: int
    stop: int
    sizes: tuple[int, ...]
    parallelism: int
    delay_seconds: float = 0.0

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where each batch begins, in plan order."""
        starts, at, number = [], self.start, 0
        while at < self.stop:
            starts.append(at)
            at += self.sizes[min(number, len(self.sizes) - 1)]
            number += 1
        return tuple(starts)

    def batch(self, number: int) -> tuple[int, int]:
        """Return (start, stop) of a batch, counted from 0."""
        starts = self.starts
        following = starts[number + 1] if number + 1 < len(starts) else self.stop
        return starts[number], following


@dataclass(frozen=True)
class Deploy(Range):
    """Change the targets of a range.

    A batch with more failures than `max_failure_bp` of its targets halts; a stage in
    which fewer than `min_success_bp` of those attempted can still succeed halts too.
    `share_bp` is the part of the work set that is changed once the stage is over; a
    stage may add nothing to the one before it, and is then passed over.
    """

    max_failure_bp: int | None = None
    min_success_bp: int | None = later(None)
    share_bp: int | None = later(None)


@dataclass(frozen=True)
class Verify(Range):
    """Look at targets that should run the version already; change nothing."""


@dataclass(frozen=True)
class Shift(Range):
    """Lead traffic from one slot to another; its one position follows the targets'.

    The slot that traffic left is kept as it is for `retain_seconds`.
    """

    from_slot: str = ""
    to_slot: str = ""
    retain_seconds: float = 0.0

    @classmethod
    def at(
        cls, position: int, from_slot: str, to_slot: str, retain_seconds: float = 0.0
    ) -> Shift:
        """Return the shift at a position."""
        return cls(
            start=position,
            stop=position + 1,
            sizes=(1,),
            parallelism=1,
            from_slot=from_slot,
            to_slot=to_slot,
            retain_seconds=retain_seconds,
        )


@dataclass(frozen=True)
class Weigh(Shift):
    """Share traffic between the first targets of a plan and all others.

    A shift between weights instead of slots: these are what `from_slot` and `to_slot`
    hold, as `Weights` are written. A return leads back to them last, since until then
    some targets still run what the share was held small for.
    """

    @classmethod
    def to(cls, position: int, earlier: Weights, weights: Weights) -> Weigh:
        """Return the step at a position that leads from earlier weights to others."""
        return cls(
            start=position,
            stop=position + 1,
            sizes=(1,),
            parallelism=1,
            from_slot=earlier.written(),
            to_slot=weights.written(),
        )

    @property
    def weights(self) -> Weights:
        """What it leads to."""
        return Weights.read(self.to_slot)


@dataclass(frozen=True)
class Delay:
    """Wait before the next step."""

    seconds: float


@dataclass(frozen=True)
class Bake:
    """Wait while accepted targets are watched; what regresses counts as failed."""

    seconds: float


@dataclass(frozen=True)
class Gate:
    """Wait until somebody says go on.

    After `limit_seconds`, if set, it goes on by itself or halts, as `then` says.
    """

    name: str
    limit_seconds: float | None = None
    then: Literal["halt", "promote"] = "halt"


Step = Deploy | Verify | Shift | Weigh | Delay | Bake | Gate
#: The steps that only let time pass.
Wait = Delay | Bake


@dataclass(frozen=True)
class Limits:
    """What holds for the whole deployment, whatever the step."""

    #: How many of the selected targets must stay available.
    floor: int = 0
    #: How many operations may be open at once, in either direction.
    parallelism: int = 1
    #: Failures tolerated in the fleet; None never stops, and then any failure fails.
    max_failures: int | None = 0
    #: Whether tolerated failures still fail the deployment at its end.
    require_all: bool = False
    #: What a rule that stops does next: halt, rollback or freeze.
    on_failure: str = "halt"
    #: Further attempts after a failed one.
    retries: int = 0
    apply_seconds: float = 300.0
    settle_seconds: float = 300.0
    progress_seconds: float = 600.0
    health: Health = field(default_factory=Health)
    #: Whether a threshold of successes accepts failures that no budget counts.
    accepts_failures: bool = later(False)
    #: Whether a return changes targets back, or only leads traffic back.
    returns_targets: bool = later(True)


@dataclass(frozen=True)
class Course:
    """The part of a plan that the machine needs; its size does not grow with a fleet.

    `selected` counts the work set and the skipped together, `work` the work set.
    `standby` counts the targets that carry the traffic meanwhile, when those that are
    changed carry none.
    """

    steps: tuple[Step, ...]
    limits: Limits
    selected: int
    work: int
    standby: int = later(0)

    @cached_property
    def shifts(self) -> int:
        """How many shifts there are; their positions follow those of the work set."""
        return sum(isinstance(step, Shift) for step in self.steps)

    @cached_property
    def weighs(self) -> bool:
        """Whether traffic is shared by weights, and not led from slot to slot."""
        return any(isinstance(step, Weigh) for step in self.steps)

    @property
    def switches(self) -> bool:
        """Whether traffic is led from slot to slot."""
        return self.shifts > 0 and not self.weighs

    @property
    def serving(self) -> int:
        """How many targets can be available."""
        return self.standby or self.selected

    def kind_at(self, position: int) -> Kind:
        """Return what the forward operation at a position does."""
        step = self.step_at(position)
        return _KIND_OF[type(self.steps[step])]

    def step_at(self, position: int) -> int:
        """Return the number of the step that a position belongs to."""
        return self._steps[bisect_right(self._begins, position) - 1]

    @cached_property
    def _ranges(self) -> list[tuple[int, int]]:
        """Where each step with positions begins, and its number, by position."""
        return sorted(
            (step.start, number)
            for number, step in enumerate(self.steps)
            if isinstance(step, Range) and step.stop > step.start
        )

    @cached_property
    def _begins(self) -> list[int]:
        return [start for start, _ in self._ranges]

    @cached_property
    def _steps(self) -> list[int]:
        return [number for _, number in self._ranges]


_KIND_OF: dict[type, Kind] = {
    Deploy: Kind.DEPLOY,
    Verify: Kind.VERIFY,
    Shift: Kind.SHIFT,
    Weigh: Kind.SHIFT,
}
