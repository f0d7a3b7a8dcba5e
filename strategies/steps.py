"""What a plan is made of, its canonical form and its hash.

It knows what will be done and in which order; it does not know whether any of it
has happened, nor how a target is reached.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from typing import TypeAlias

from strategies.health import Health
from strategies.shares import written_seconds

#: Raised whenever the canonical form changes its meaning; part of every hash.
PLAN_FORMAT = 1

OptionValue: TypeAlias = "str | int | bool | list[OptionValue] | None"


@dataclass(frozen=True)
class Candidate:
    """A selected target as it was when the plan was made.

    `version` is the one it runs now, None when nobody knows.
    """

    id: str
    version: str | None
    healthy: bool = True
    slot: str | None = None
    driver_digest: str = ""


@dataclass(frozen=True)
class PlannedTarget:
    """One row of the work set; its index in the plan is its position."""

    id: str
    from_version: str | None
    slot: str | None = None
    driver_digest: str = ""


@dataclass(frozen=True)
class SkippedTarget:
    """A selected target that needs nothing, and the reason in one word."""

    id: str
    why: str


@dataclass(frozen=True)
class Deploy:
    """Change the targets at positions `start` to `stop` (not included), in batches.

    `sizes` are the batch sizes in turn, the last one repeated. At most `parallelism`
    are open at once. Between batches, not after the last, it waits `delay_seconds`.
    A batch with more failures than `max_failure_bp` of its targets halts.
    """

    start: int
    stop: int
    sizes: tuple[int, ...]
    parallelism: int
    delay_seconds: float = 0.0
    max_failure_bp: int | None = None

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
class Delay:
    """Wait before the next step."""

    seconds: float


Step = Deploy | Delay


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


@dataclass(frozen=True)
class Course:
    """The part of a plan that the machine needs; its size does not grow with a fleet.

    `selected` counts the work set and the skipped together, `work` the work set.
    """

    steps: tuple[Step, ...]
    limits: Limits
    selected: int
    work: int


@dataclass(frozen=True)
class Plan:
    """All that will be done, in order; the same inputs make the same bytes.

    `notices` explain the plan to people and are not part of its hash.
    """

    strategy: str
    options: Mapping[str, OptionValue]
    version: str
    version_digest: str
    targets: tuple[PlannedTarget, ...]
    skipped: tuple[SkippedTarget, ...]
    course: Course
    notices: tuple[str, ...] = ()

    def canonical(self) -> str:
        """Return the JSON text that is hashed: sorted keys, no floats, UTF-8."""
        content = {
            "format": PLAN_FORMAT,
            "strategy": self.strategy,
            "options": dict(self.options),
            "version": self.version,
            "version_digest": self.version_digest,
            "targets": [
                [t.id, t.from_version, t.slot, t.driver_digest] for t in self.targets
            ],
            "skipped": [[s.id, s.why] for s in self.skipped],
            "course": _canonical(self.course),
        }
        return json.dumps(
            content, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of the canonical form, in hexadecimal: what is approved."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def _canonical(value: object) -> object:
    """Return a value as canonical JSON has it: durations become decimal text."""
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    if is_dataclass(value):
        # Durations by name, not by type: 5 and 5.0 seconds are the same.
        content = {
            name: written_seconds(item) if name.endswith("seconds") else item
            for name, item in ((f.name, getattr(value, f.name)) for f in fields(value))
        }
        written = {name: _canonical(item) for name, item in content.items()}
        return {"kind": type(value).__name__, **written}
    return value
