"""What of the selected targets a plan changes, looks at, skips and leaves out.

It knows no strategy, and no order but the one that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strategies.plan import (
    Candidate,
    PlannedRouter,
    PlannedTarget,
    SkippedTarget,
)


@dataclass(frozen=True)
class Selection:
    """The selected targets, sorted out: each once, work apart from what needs none.

    `verified` are looked at and not changed; they follow the work. With a `router` that
    has slots the targets carry no traffic until it is switched.
    """

    work: tuple[Candidate, ...]
    skipped: tuple[SkippedTarget, ...]
    notices: tuple[str, ...] = ()
    verified: tuple[Candidate, ...] = ()
    router: PlannedRouter | None = None

    @property
    def size(self) -> int:
        """How many targets were selected."""
        return len(self.work) + len(self.verified) + len(self.skipped)

    @property
    def carries_none(self) -> bool:
        """Whether what is changed carries no traffic meanwhile."""
        return self.router is not None and bool(self.router.idle)


def unique(
    selected: Sequence[Candidate],
) -> tuple[list[Candidate], tuple[str, ...]]:
    """Return each target once, and what is to be said if some came twice."""
    by_id = {candidate.id: candidate for candidate in reversed(selected)}
    once = [by_id[i] for i in dict.fromkeys(c.id for c in selected)]
    doubled = len(selected) - len(once)
    notice = f"{doubled} targets were named twice and are taken once"
    return once, (notice,) if doubled else ()


def left_out(selected: Sequence[Candidate]) -> tuple[SkippedTarget, ...]:
    """Return those that no plan may count, each with why."""
    reasons = {each.id: each.left_out for each in selected}
    return tuple(SkippedTarget(i, why) for i, why in reasons.items() if why is not None)


def why_none(selected: Sequence[Candidate]) -> str:
    """Say why nothing is left, when all are left out."""
    first = selected[0].left_out
    return f"all that are selected are left out, the first because: {first}"


def planned_as(candidate: Candidate, version: str) -> PlannedTarget:
    """Return a target as it stands in the plan to reach a version."""
    came_from = candidate.came_from
    return PlannedTarget(
        id=candidate.id,
        from_version=candidate.version if came_from is None else came_from,
        slot=candidate.slot,
        driver_digest=candidate.driver_digest,
        found=None if came_from in (None, candidate.version) else candidate.version,
        to_version=None if candidate.goes_to == version else candidate.goes_to,
    )
