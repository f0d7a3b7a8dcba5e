"""What a plan means, said for people before anything moves; pure facts about a plan.

It computes and words; it does not know the fleet beyond the plan, nor any page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from strategies.plan import Plan
from strategies.shares import BASIS_POINTS
from strategies.stages import Stage, in_hand, stages
from strategies.states import Kind
from strategies.steps import Deploy, Limits, Verify


@dataclass(frozen=True)
class Batch:
    """One batch: positions `start` to `stop` (not included), numbers from 0.

    `tolerance` is empty when only a stage's or the fleet's limit holds. `kind` says
    whether its targets are changed or only looked at.
    """

    step: int
    number: int
    start: int
    stop: int
    tolerance: str
    kind: Kind = Kind.DEPLOY

    @property
    def size(self) -> int:
        """How many targets it has."""
        return self.stop - self.start


@dataclass(frozen=True)
class Preview:
    """What a plan means.

    Attributes:
        batches: in order.
        minimum_seconds: the time that waiting alone takes when nothing goes wrong:
            delays, bakes, and for each round of a batch the soonest that it can be
            healthy; what a person takes at a gate is not in it.
        blast_radius: the most targets that one batch, or a window, has in hand.
        blast_basis_points: the same as a part of the selected targets.
        tolerances: sentences on how many failures are tolerated.
        warnings: sentences on what a careful person would ask about.
        skipped: target ids by the reason why they are skipped.
        stages: what people count, in order, those that add nothing too.
    """

    batches: tuple[Batch, ...]
    minimum_seconds: float
    blast_radius: int
    blast_basis_points: int
    tolerances: tuple[str, ...]
    warnings: tuple[str, ...]
    skipped: dict[str, tuple[str, ...]]
    stages: tuple[Stage, ...] = ()

    @property
    def curve(self) -> tuple[tuple[float, int], ...]:
        """The planned line: (seconds after the start, targets changed by then)."""
        points, reached = [(0.0, 0)], 0
        for stage in self.stages:
            points += [
                (stage.begins_seconds, reached),
                (stage.ends_seconds, stage.reach),
                (stage.after_seconds, stage.reach),
            ]
            reached = stage.reach
        return tuple(dict.fromkeys(points))


def preview(plan: Plan, apply_seconds: float = 0.0) -> Preview:
    """Return what a plan means; the plan's own notices are not repeated.

    Args:
        plan: of any strategy.
        apply_seconds: how long a change is taken to last, for the times of the stages;
            with 0 they are the soonest. `minimum_seconds` always is.
    """
    course = plan.course
    batches = _batches(plan)
    soonest = stages(plan)
    widest = max((_in_hand(plan, batch) for batch in batches), default=0)
    return Preview(
        batches=batches,
        minimum_seconds=soonest[-1].after_seconds if soonest else 0.0,
        blast_radius=widest,
        blast_basis_points=widest * BASIS_POINTS // course.selected,
        tolerances=_tolerances(plan, batches),
        warnings=_warnings(plan, batches),
        skipped=_skipped(plan),
        stages=stages(plan, apply_seconds) if apply_seconds else soonest,
    )


def _batches(plan: Plan) -> tuple[Batch, ...]:
    return tuple(
        Batch(number, nth, start, stop, _tolerance(step, stop - start), kind)
        for number, step in enumerate(plan.course.steps)
        if isinstance(step, Deploy | Verify)
        for kind in (Kind.DEPLOY if isinstance(step, Deploy) else Kind.VERIFY,)
        for nth, (start, stop) in enumerate(map(step.batch, range(len(step.starts))))
    )


def _tolerance(step: Deploy | Verify, size: int) -> str:
    if not isinstance(step, Deploy) or step.max_failure_bp is None:
        return ""
    # A batch that fails as a whole halts, whatever the percentage allows.
    first = min(step.max_failure_bp * size // BASIS_POINTS + 1, size)
    return f"the {ordinal(first)} failure of its {counted(size, 'target')} halts"


def _in_hand(plan: Plan, batch: Batch) -> int:
    """Return how many targets are changed before a verdict on the batch is due."""
    step = plan.course.steps[batch.step]
    return in_hand(plan, step, batch.size) if isinstance(step, Deploy) else 0


def _tolerances(plan: Plan, batches: tuple[Batch, ...]) -> tuple[str, ...]:
    limits = plan.course.limits
    sentences = [_fleet_tolerance(limits)]
    if any(batch.tolerance for batch in batches):
        sentences.append("A batch that fails as a whole halts, whatever its limit.")
    if limits.retries:
        sentences.append(
            f"A target counts as failed after {counted(limits.retries + 1, 'attempt')}."
        )
    return tuple(sentences)


def _fleet_tolerance(limits: Limits) -> str:
    if limits.max_failures is not None:
        return f"The {ordinal(limits.max_failures + 1)} failure in the fleet halts."
    if limits.accepts_failures:
        return "Failures within the threshold of each stage are accepted."
    return "No number of failures in the fleet halts; any fails it at its end."


def _warnings(plan: Plan, batches: tuple[Batch, ...]) -> tuple[str, ...]:
    limits = plan.course.limits
    found = list(_reach_warnings(plan, batches))
    widest = max((_in_hand(plan, batch) for batch in batches), default=0)
    left = plan.course.selected - limits.floor
    if limits.floor and left < widest and not plan.course.standby:
        found.append(
            f"Only {left} of a batch of {widest} may be open at once, so that"
            f" {limits.floor} stay available."
        )
    if limits.max_failures is None and not limits.accepts_failures:
        found.append("It goes on through the whole fleet, however many targets fail.")
    elif limits.max_failures is not None and (
        batches and limits.max_failures >= len(plan.targets)
    ):
        found.append("The budget tolerates the failure of every target.")
    unknown = sum(target.from_version is None for target in plan.targets)
    if unknown:
        found.append(
            f"{counted(unknown, 'target')} with no known version cannot be rolled back"
            " to one."
        )
    return tuple(found)


def _reach_warnings(plan: Plan, batches: tuple[Batch, ...]) -> Iterator[str]:
    """Say when everything is reached before anything is learnt."""
    steps, work = plan.course.steps, plan.course.work
    ranges = [s for s in steps if isinstance(s, Deploy) and s.stop > s.start]
    if not ranges or plan.course.standby:  # an idle slot carries no traffic meanwhile
        return
    if ranges[0].share_bp is not None and ranges[0].stop == work:
        yield "Stage 1 is the whole fleet; no control group."
    elif _in_hand(plan, batches[0]) == work > 1:
        yield (
            "The first batch is the whole work set: a bad version reaches every target"
            " before anything is learnt from it."
        )


def _skipped(plan: Plan) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, list[str]] = defaultdict(list)
    for skipped in plan.skipped:
        grouped[skipped.why].append(skipped.id)
    return {why: tuple(ids) for why, ids in grouped.items()}


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: "1 target", "3 targets"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, 11th, 21st."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else endings.get(number % 10, 'th')}"
