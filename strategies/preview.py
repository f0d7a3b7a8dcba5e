"""What a plan means, said for people before anything moves; pure facts about a plan.

It computes and words; it does not know the fleet beyond the plan, nor any page.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from strategies.plan import Plan
from strategies.shares import BASIS_POINTS
from strategies.steps import Bake, Delay, Deploy, Limits, Range


@dataclass(frozen=True)
class Batch:
    """One batch: positions `start` to `stop` (not included), numbers from 0.

    `tolerance` is empty when only the budget of the fleet holds.
    """

    step: int
    number: int
    start: int
    stop: int
    tolerance: str

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
            delays, and for each round of a batch the soonest that it can be healthy.
        blast_radius: the most targets that one batch, or a window, has in hand.
        blast_basis_points: the same as a part of the selected targets.
        tolerances: sentences on how many failures are tolerated.
        warnings: sentences on what a careful person would ask about.
        skipped: target ids by the reason why they are skipped.
    """

    batches: tuple[Batch, ...]
    minimum_seconds: float
    blast_radius: int
    blast_basis_points: int
    tolerances: tuple[str, ...]
    warnings: tuple[str, ...]
    skipped: dict[str, tuple[str, ...]]


def preview(plan: Plan) -> Preview:
    """Return what a plan means; the plan's own notices are not repeated."""
    course = plan.course
    batches = _batches(plan)
    widest = max((_in_hand(plan, batch) for batch in batches), default=0)
    return Preview(
        batches=batches,
        minimum_seconds=_minimum_seconds(plan, batches),
        blast_radius=widest,
        blast_basis_points=widest * BASIS_POINTS // course.selected,
        tolerances=_tolerances(plan, batches),
        warnings=_warnings(plan, batches),
        skipped=_skipped(plan),
    )


def _batches(plan: Plan) -> tuple[Batch, ...]:
    return tuple(
        Batch(number, nth, start, stop, _tolerance(step, stop - start))
        for number, step in enumerate(plan.course.steps)
        if isinstance(step, Deploy)
        for nth, (start, stop) in enumerate(map(step.batch, range(len(step.starts))))
    )


def _tolerance(step: Deploy, size: int) -> str:
    if step.max_failure_bp is None:
        return ""
    # A batch that fails as a whole halts, whatever the percentage allows.
    first = min(step.max_failure_bp * size // BASIS_POINTS + 1, size)
    return f"the {ordinal(first)} failure of its {counted(size, 'target')} halts"


def _parallelism(step: Deploy, limits: Limits) -> int:
    return min(step.parallelism, limits.parallelism)


def _is_window(plan: Plan, step: Deploy) -> bool:
    return bool(plan.options.get("window")) and len(step.starts) == 1


def _in_hand(plan: Plan, batch: Batch) -> int:
    """Return how many targets are past their old version before a verdict is due."""
    step = plan.course.steps[batch.step]
    if isinstance(step, Deploy) and _is_window(plan, step):
        return min(batch.size, _parallelism(step, plan.course.limits))
    return batch.size


def _minimum_seconds(plan: Plan, batches: tuple[Batch, ...]) -> float:
    health = plan.course.limits.health
    successes = (health.success_threshold - 1) * health.interval_seconds
    soonest = health.initial_delay_seconds + max(successes, health.min_healthy_seconds)
    seconds = 0.0
    for step in plan.course.steps:
        if isinstance(step, Delay | Bake):
            seconds += step.seconds
        elif isinstance(step, Range):
            seconds += step.delay_seconds * max(0, len(step.starts) - 1)
    for batch in batches:
        step = plan.course.steps[batch.step]
        if isinstance(step, Deploy):
            at_once = _parallelism(step, plan.course.limits)
            seconds += -(-batch.size // at_once) * soonest
    return seconds


def _tolerances(plan: Plan, batches: tuple[Batch, ...]) -> tuple[str, ...]:
    limits = plan.course.limits
    if limits.max_failures is None:
        fleet = "No number of failures in the fleet halts; any fails it at its end."
    else:
        fleet = f"The {ordinal(limits.max_failures + 1)} failure in the fleet halts."
    sentences = [fleet]
    if any(batch.tolerance for batch in batches):
        sentences.append("A batch that fails as a whole halts, whatever its limit.")
    if limits.retries:
        sentences.append(
            f"A target counts as failed after {counted(limits.retries + 1, 'attempt')}."
        )
    return tuple(sentences)


def _warnings(plan: Plan, batches: tuple[Batch, ...]) -> tuple[str, ...]:
    limits = plan.course.limits
    found = []
    if batches and _in_hand(plan, batches[0]) == plan.course.work > 1:
        found.append(
            "The first batch is the whole work set: a bad version reaches every target"
            " before anything is learnt from it."
        )
    widest = max((_in_hand(plan, batch) for batch in batches), default=0)
    left = plan.course.selected - limits.floor
    if limits.floor and left < widest:
        found.append(
            f"Only {left} of a batch of {widest} may be open at once, so that"
            f" {limits.floor} stay available."
        )
    if limits.max_failures is None:
        found.append("It goes on through the whole fleet, however many targets fail.")
    elif batches and limits.max_failures >= len(plan.targets):
        found.append("The budget tolerates the failure of every target.")
    unknown = sum(target.from_version is None for target in plan.targets)
    if unknown:
        found.append(
            f"{counted(unknown, 'target')} with no known version cannot be rolled back"
            " to one."
        )
    return tuple(found)


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
