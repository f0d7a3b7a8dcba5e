"""A plan's stages as people count them: sizes, limits, waits, and the soonest times.

It reads steps and adds up; it words nothing but one sentence a stage, and it does not
know what has happened to any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from strategies.plan import Plan
from strategies.sensitivity import (
    SURE_BP,
    Chance,
    chance_of_finding,
    rarest_found,
    tolerated_failures,
)
from strategies.shares import BASIS_POINTS
from strategies.states import Kind
from strategies.steps import (
    Bake,
    Delay,
    Deploy,
    Gate,
    Limits,
    Range,
    Shift,
    Verify,
    Weigh,
)


@dataclass(frozen=True)
class Stage:
    """A range of positions, with the waits and gates behind it.

    Attributes:
        number: from 1. 0 is what waits, or asks, before the first range.
        step: the index of its range among the plan's steps; -1 for number 0.
        kind: what is done: deploy, verify or shift.
        share_bp: the part of the work set that is reached after it, if it says so.
        start: its first position.
        stop: the one behind its last; equal to `start` if it adds nothing.
        batches: how many it has.
        parallelism: how many may be open at once.
        tolerated: failures of its own that are tolerated; None: any number.
        tolerated_so_far: failures tolerated among all up to its end; None: any number.
        tolerance: the same as a sentence; empty where nothing can fail.
        reach: the most targets that are changed, or begun, when it is stopped in here.
        to_slot: where a shift leads traffic.
        traffic: the part of the traffic that all changed by then get, as "5%", where
            it is set when the stage begins; "even" where it is as it was before.
        bake_seconds: how long it is watched afterwards.
        wait_seconds: how long it waits besides, before the next.
        gates: who is asked afterwards.
        begins_seconds: the soonest that it begins, counted from the start.
        ends_seconds: the soonest that its last target is accepted; bake, waits and
            gates follow.
    """

    number: int
    step: int
    kind: Kind
    share_bp: int | None
    start: int
    stop: int
    batches: int
    parallelism: int
    tolerated: int | None
    tolerated_so_far: int | None
    tolerance: str
    reach: int
    to_slot: str | None = None
    traffic: str | None = None
    bake_seconds: float = 0.0
    wait_seconds: float = 0.0
    gates: tuple[Gate, ...] = ()
    begins_seconds: float = 0.0
    ends_seconds: float = 0.0

    @property
    def size(self) -> int:
        """How many targets it adds; 0 for a shift."""
        return 0 if self.kind is Kind.SHIFT else self.stop - self.start

    @property
    def is_passed_over(self) -> bool:
        """Whether it adds no target to the one before it, nor traffic."""
        idle = self.start == self.stop and self.traffic is None
        return self.kind is not Kind.SHIFT and idle

    def finding(self, broken: Fraction) -> Chance:
        """Return the chance that its own targets halt such a version.

        Of faults that show before it is over, and with no retries to hide them.
        """
        return chance_of_finding(self.size, self.tolerated, broken)

    def finding_so_far(self, broken: Fraction) -> Chance:
        """Return the least chance that such a version was stopped by its end.

        By the failures among all up to there; the stages' own limits come on top, and
        `outlook` has them.
        """
        return chance_of_finding(self.stop, self.tolerated_so_far, broken)

    def rarest_found(self, sure_bp: int = SURE_BP) -> int | None:
        """Return the k of the rarest fault, 1 in k, that it finds in so many runs."""
        return rarest_found(self.size, self.tolerated, sure_bp)

    @property
    def after_seconds(self) -> float:
        """The soonest that the next one may begin, gates not counted."""
        return self.ends_seconds + self.bake_seconds + self.wait_seconds


def stages(plan: Plan, apply_seconds: float = 0.0) -> tuple[Stage, ...]:
    """Return the stages of a plan in order, those that add nothing too.

    Args:
        plan: of any strategy.
        apply_seconds: how long a change is taken to last, beyond what the health rule
            waits; 0 gives the soonest times of all.
    """
    found: list[Stage] = []
    traffic = None
    for number, step in enumerate(plan.course.steps):
        if isinstance(step, Weigh):
            traffic = step.weights.share if step.weights.count else step.to_slot
        elif isinstance(step, Range):
            begins = found[-1].after_seconds if found else 0.0
            stage = _stage(plan, number, step, sum(s.number > 0 for s in found) + 1)
            takes = range_seconds(step, plan.course.limits, apply_seconds)
            ends = begins + takes
            stage = replace(stage, begins_seconds=begins, ends_seconds=ends)
            found.append(replace(stage, traffic=traffic))
            traffic = None
        else:
            found.append(_waiting(found.pop() if found else _opening(), step))
    return tuple(found)


def _waiting(last: Stage, step: Bake | Delay | Gate) -> Stage:
    """Return a stage with one more of what is behind its range."""
    if isinstance(step, Bake):
        return replace(last, bake_seconds=last.bake_seconds + step.seconds)
    if isinstance(step, Delay):
        return replace(last, wait_seconds=last.wait_seconds + step.seconds)
    return replace(last, gates=(*last.gates, step))


def range_seconds(step: Range, limits: Limits, apply_seconds: float = 0.0) -> float:
    """Return the soonest that a range can be over, from its beginning.

    Each batch takes as many rounds as it has parallel parts; between batches it waits.
    A switch of traffic is taken to need no time.
    """
    if isinstance(step, Shift):
        return 0.0
    at_once = min(step.parallelism, limits.parallelism)
    each = limits.health.soonest_seconds
    each += apply_seconds if isinstance(step, Deploy) else 0.0
    rounds = sum(-(-size // at_once) for size in batch_sizes(step))
    return rounds * each + step.delay_seconds * max(0, len(step.starts) - 1)


def batch_sizes(step: Range) -> Iterator[int]:
    """Yield how many positions each batch has."""
    for number in range(len(step.starts)):
        start, stop = step.batch(number)
        yield stop - start


def is_window(plan: Plan, step: Range) -> bool:
    """Whether the range is one batch that is kept filled, instead of many."""
    return bool(plan.options.get("window")) and len(step.starts) == 1


def in_hand(plan: Plan, step: Range, size: int) -> int:
    """Return how many of a batch are past their old version before a verdict is due."""
    if is_window(plan, step):
        return min(size, step.parallelism, plan.course.limits.parallelism)
    return size


def _opening() -> Stage:
    return Stage(0, -1, Kind.DEPLOY, None, 0, 0, 0, 0, None, None, "", 0)


def _stage(plan: Plan, number: int, step: Range, nth: int) -> Stage:
    limits = plan.course.limits
    own, so_far = _tolerated(plan, step)
    return Stage(
        number=nth,
        step=number,
        kind=_kind(step),
        share_bp=step.share_bp if isinstance(step, Deploy) else None,
        start=step.start,
        stop=step.stop,
        batches=len(step.starts),
        parallelism=min(step.parallelism, limits.parallelism),
        tolerated=own,
        tolerated_so_far=so_far,
        tolerance=_sentence(step, own),
        reach=_reach(plan, number),
        to_slot=step.to_slot if isinstance(step, Shift) else None,
    )


def _kind(step: Range) -> Kind:
    if isinstance(step, Shift):
        return Kind.SHIFT
    return Kind.VERIFY if isinstance(step, Verify) else Kind.DEPLOY


def _tolerated(plan: Plan, step: Range) -> tuple[int | None, int | None]:
    """Return failures tolerated in a range, and in all up to its end."""
    most = plan.course.limits.max_failures
    if isinstance(step, Shift):
        return 0, most
    if not isinstance(step, Deploy) or step.min_success_bp is None:
        return most, most
    own = tolerated_failures(step.stop - step.start, step.min_success_bp)
    so_far = tolerated_failures(step.stop, step.min_success_bp)
    if most is None:
        return min(own, so_far), so_far
    return min(own, so_far, most), min(so_far, most)


def _sentence(step: Range, own: int | None) -> str:
    if not isinstance(step, Deploy | Verify) or step.start == step.stop:
        return ""
    if own is None:
        return "tolerates any number of failures"
    failures = "1 failure" if own == 1 else f"{own} failures"
    by_rule = isinstance(step, Deploy) and step.min_success_bp is not None
    if own == 0 and by_rule and isinstance(step, Deploy):
        tolerated_bp = BASIS_POINTS - (step.min_success_bp or 0)
        least = -(-BASIS_POINTS // tolerated_bp) if tolerated_bp else 0
        if step.stop - step.start < least:
            return f"tolerates 0 failures (< {least} targets)"
    return f"tolerates {failures}"


def _reach(plan: Plan, number: int) -> int:
    """Return how many targets are changed by all ranges up to this one."""
    begun = plan.course.steps[: number + 1]
    return sum(step.stop - step.start for step in begun if isinstance(step, Deploy))
