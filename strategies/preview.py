"""What a plan means for people, in numbers and sentences; it changes no plan.

Everything here follows from the plan alone: no health, no names, no clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from strategies.shares import BASIS_POINTS
from strategies.steps import Course, Delay, Deploy, Limits, Plan


@dataclass(frozen=True)
class PlannedBatch:
    """One batch: positions `start` to `stop` (not included), and when it may begin.

    `may_fail` says in words how many failures it survives; `begins_seconds` is counted
    from the start of the deployment and is a lower bound.
    """

    number: int
    start: int
    stop: int
    may_fail: str
    begins_seconds: float


@dataclass(frozen=True)
class Preview:
    """What a person should know before a plan starts."""

    batches: tuple[PlannedBatch, ...]
    #: No run is shorter: delays, and for each batch what health must last.
    least_seconds: float
    largest_batch: int
    tolerated: str
    warnings: tuple[str, ...]
    skipped: tuple[tuple[str, int], ...]


def preview(plan: Plan) -> Preview:
    """Return what a person should know of a plan.

    The shortest duration is the sum of delays, and for each batch the initial delay and
    the minimum healthy time of the health rule (after Flagger's interval arithmetic).
    """
    batches, least_seconds = _batches(plan.course)
    largest = max((batch.stop - batch.start for batch in batches), default=0)
    return Preview(
        batches=tuple(batches),
        least_seconds=least_seconds,
        largest_batch=largest,
        tolerated=tolerated(plan.course.limits),
        warnings=tuple(_warnings(plan, batches, largest)),
        skipped=tuple(sorted(Counter(s.why for s in plan.skipped).items())),
    )


def tolerated(limits: Limits) -> str:
    """Return how many failures in the fleet are tolerated, as people say it."""
    return "any number" if limits.max_failures is None else str(limits.max_failures)


def _batches(course: Course) -> tuple[list[PlannedBatch], float]:
    health, elapsed = course.limits.health, 0.0
    each = health.initial_delay_seconds + health.min_healthy_seconds
    batches: list[PlannedBatch] = []
    for step in course.steps:
        if isinstance(step, Delay):
            elapsed += step.seconds
            continue
        for number in range(len(step.starts)):
            elapsed += step.delay_seconds if number else 0.0
            start, stop = step.batch(number)
            words = _may_fail(step, course.limits, stop - start)
            batches.append(PlannedBatch(len(batches) + 1, start, stop, words, elapsed))
            rounds = -(
                -(stop - start) // min(step.parallelism, course.limits.parallelism)
            )
            elapsed += each * rounds
    return batches, elapsed


def _may_fail(step: Deploy, limits: Limits, size: int) -> str:
    fleet = limits.max_failures
    if step.max_failure_bp is None:
        return "any" if fleet is None else str(min(fleet, size))
    batch = min(step.max_failure_bp * size // BASIS_POINTS, size - 1)
    return str(batch if fleet is None else min(batch, fleet))


def _warnings(plan: Plan, batches: list[PlannedBatch], largest: int) -> list[str]:
    limits, work = plan.course.limits, plan.course.work
    found = list(plan.notices)
    if work > 1 and batches and batches[0].stop - batches[0].start == work:
        found.append(
            "The first batch is the whole work set: a bad version reaches every target"
            " before anything is learnt from it."
        )
    widest = min(limits.parallelism, largest)
    if widest < largest and any(
        isinstance(step, Deploy) and step.parallelism > limits.parallelism
        for step in plan.course.steps
    ):
        found.append(
            f"The floor of {limits.floor} available targets allows only"
            f" {widest} at once, though batches have up to {largest}."
        )
    if limits.max_failures is None:
        found.append(
            "No number of failures stops this plan; any failure fails it at its end."
        )
    return found
