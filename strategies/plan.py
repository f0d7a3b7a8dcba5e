"""A plan: what is done to which targets, in order; its canonical form and its hash.

It knows what will be done; it does not know whether any of it has happened, nor how
a target is reached.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, TypeAlias

from strategies.shares import written_seconds
from strategies.steps import Course, later

#: Raised whenever the canonical form changes its meaning; part of every hash.
PLAN_FORMAT = 1
#: What the two sides are called where no router names them: old, new.
SLOTS = ("blue", "green")

OptionValue: TypeAlias = "str | int | bool | list[OptionValue] | None"


@dataclass(frozen=True)
class Candidate:
    """A selected target as it was when the plan was made.

    `version` is the one it runs now, None when nobody knows. `came_from` is set for a
    target that an earlier deployment has left half done: what it goes back to. One that
    `goes_to` a version of its own does not follow the others. One that somebody has
    `left_out`, and why, is not touched and not counted.
    """

    id: str
    version: str | None
    healthy: bool = True
    slot: str | None = None
    driver_digest: str = ""
    zone: str | None = None
    came_from: str | None = None
    goes_to: str | None = None
    left_out: str | None = None


@dataclass(frozen=True)
class RouterSight:
    """A router as it was read back when the plan was made.

    `slots` are all it knows; none, if it shares traffic by weights. What `retained`
    names, if anything, may not be changed yet: traffic must be able to return to it.
    """

    id: str
    serving: str
    slots: tuple[str, ...]
    retained: str | None = None
    driver_digest: str = ""


@dataclass(frozen=True)
class PlannedTarget:
    """One row of the work set; its index in the plan is its position.

    `found` is the version it ran when the plan was made, where that is not the one it
    goes back to; `to_version` is its goal, where that is not the plan's.
    """

    id: str
    from_version: str | None
    slot: str | None = None
    driver_digest: str = ""
    found: str | None = later(None)
    to_version: str | None = later(None)

    @property
    def seen_version(self) -> str | None:
        """The version that it ran when the plan was made."""
        return self.from_version if self.found is None else self.found


@dataclass(frozen=True)
class SkippedTarget:
    """A selected target that needs nothing, and the reason in one word."""

    id: str
    why: str


@dataclass(frozen=True)
class PlannedRouter:
    """The router that a plan switches, and what it must be found serving.

    `standby` are the targets of the serving slot: nothing changes them, and traffic
    returns to them. One that shares traffic by weights serves these, and has no `idle`
    slot.
    """

    id: str
    serving: str
    idle: str
    standby: tuple[str, ...] = ()
    driver_digest: str = ""

    @property
    def has_slots(self) -> bool:
        """Whether it leads traffic from slot to slot, between targets that are known.

        The library's has no id: there one set of targets is changed, then switched to.
        """
        return bool(self.id and self.idle)


@dataclass(frozen=True)
class Plan:
    """All that will be done, in order; the same inputs make the same bytes.

    `notices` explain the plan to people and are not part of its hash. What somebody has
    `left_out`, each with the reason in their words, is no part of what was selected.
    """

    strategy: str
    options: Mapping[str, OptionValue]
    version: str
    version_digest: str
    targets: tuple[PlannedTarget, ...]
    skipped: tuple[SkippedTarget, ...]
    course: Course
    notices: tuple[str, ...] = ()
    router: PlannedRouter | None = later(None)
    left_out: tuple[SkippedTarget, ...] = later(())

    def canonical(self) -> str:
        """Return the JSON text that is hashed: sorted keys, no floats, UTF-8."""
        content = {
            "format": PLAN_FORMAT,
            "strategy": self.strategy,
            "options": dict(self.options),
            "version": self.version,
            "version_digest": self.version_digest,
            "targets": [_row(target) for target in self.targets],
            "skipped": [[s.id, s.why] for s in self.skipped],
            "course": _canonical(self.course),
        }
        if self.router is not None:
            content["router"] = _canonical(self.router)
        if self.left_out:
            content["left_out"] = [[each.id, each.why] for each in self.left_out]
        return json.dumps(
            content, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of the canonical form, in hexadecimal: what is approved."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def is_written(f: Field[Any], value: object) -> bool:
    """Say whether a field is written: a later one only where it says something."""
    return not f.metadata.get("later") or value != f.default


def _row(target: PlannedTarget) -> list[str | None]:
    row = [target.id, target.from_version, target.slot, target.driver_digest]
    further = [target.found, target.to_version]
    return [*row, *further] if any(further) else row


def _canonical(value: object) -> object:
    """Return a value as canonical JSON has it: durations become decimal text."""
    if isinstance(value, tuple):
        return [_canonical(item) for item in value]
    if is_dataclass(value):
        # Durations by name, not by type: 5 and 5.0 seconds are the same.
        content = {
            name: written_seconds(item)
            if name.endswith("seconds") and isinstance(item, int | float)
            else item
            for f in fields(value)
            if is_written(f, item := getattr(value, name := f.name))
        }
        written = {name: _canonical(item) for name, item in content.items()}
        return {"kind": type(value).__name__, **written}
    return value
