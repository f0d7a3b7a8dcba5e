"""Where a rollout of a faulty version would stop: the chance for each stage, computed.

It reads a plan's stages and limits; it runs nothing and draws nothing. A simulation
asks what happens in one world, this asks about all worlds at once: every target is
broken by itself with the same chance, at its change, and retries do not mend it.
`simulate` over every pattern of broken targets gives the same chances (tested).

Chances are whole numbers over 2^128. Each operation rounds down, so that what is lost
stays far below a basis point; what is possible never becomes 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from strategies.plan import Plan
from strategies.sensitivity import Chance
from strategies.shares import BASIS_POINTS
from strategies.stages import Stage, batch_sizes, stages
from strategies.states import Kind
from strategies.steps import Deploy, Range

#: Certainty; every chance below is a part of it.
ONE = 1 << 128
#: Bytes that hold a sum of products of two chances.
_SLOT = 36
#: A range without limits of its own is told in so many parts.
MOST_PARTS = 12


@dataclass(frozen=True)
class Stop:
    """One place where it may stop: a stage, or a part of a long one.

    Attributes:
        stage: the stage's number, as in the preview.
        start: its first position.
        stop: the one behind its last.
        reach: the most targets that are changed when it stops here.
        at_seconds: the soonest that its last target is judged.
        chance: that the deployment stops here.
    """

    stage: int
    start: int
    stop: int
    reach: int
    at_seconds: float
    chance: Chance


@dataclass(frozen=True)
class Outlook:
    """Where a version that breaks a share of targets would stop.

    Attributes:
        broken: that share.
        stops: in order, also those with no chance.
        completes: the chance that no rule stops it.
        reach: how many targets are changed then.
    """

    broken: Fraction
    stops: tuple[Stop, ...]
    completes: Chance
    reach: int

    @property
    def expected_reach(self) -> int:
        """How many targets are changed at the most, on average, to the nearest."""
        summed = sum(stop.reach * stop.chance.numerator for stop in self.stops)
        summed += self.reach * self.completes.numerator
        return (2 * summed + ONE) // (2 * ONE)

    def reach_in(self, basis_points: int) -> int:
        """Return the targets that are not exceeded in so many of 10,000 runs."""
        summed = 0
        for stop in self.stops:
            summed += stop.chance.numerator
            if summed * BASIS_POINTS >= basis_points * ONE:
                return stop.reach
        return self.reach


def outlook(plan: Plan, broken: Fraction, apply_seconds: float = 0.0) -> Outlook:
    """Return where a version that breaks this share of targets would stop.

    The work grows with the number of stages and with the failures tolerated, not with
    the targets: tens of milliseconds for 10,000.

    Args:
        plan: of any strategy; what it does after its last range is not looked at.
        broken: the part of targets that the version breaks, 0 to 1.
        apply_seconds: how long a change is taken to last, for the times.

    Raises:
        ValueError: if `broken` is no share.
    """
    if not 0 <= broken <= 1:
        raise ValueError(f"a share of targets is between 0 and 1, not {broken}")
    alive, stops, summed = [ONE], [], 0
    for part in _parts(plan, apply_seconds):
        stopped, within = _kernel(part, broken)
        stopped = sum(alive) * stopped // ONE
        alive, beyond = _cut(_convolved(alive, within), part.so_far, part.counts)
        chance = stopped + beyond
        if not chance and 0 < broken < 1 and part.may_stop:
            chance = 1
        summed += chance
        stops.append(_stop(part, chance))
    completes = max(ONE - summed, 1 if broken < 1 else 0)
    reach = stops[-1].reach if stops else 0
    return Outlook(broken, tuple(stops), Chance(completes, ONE), reach)


@dataclass(frozen=True)
class _Part:
    """Targets that are judged together: by batch, among themselves, and so far."""

    stage: Stage
    start: int
    stop: int
    reach: int
    at_seconds: float
    #: Failures tolerated in the stage, if it is a whole one; None: any number.
    own: int | None
    #: Failures tolerated in all up to here; None: any number.
    so_far: int | None
    #: Whether anything asks, here or later, how many have failed so far.
    counts: bool
    #: How often each (batch size, failures tolerated in it) occurs.
    batches: Counter[tuple[int, int | None]]

    @property
    def may_stop(self) -> bool:
        size = self.stop - self.start
        limits = [self.own, *(most for _, most in self.batches)]
        inside = any(most is not None and most < size for most in limits)
        return inside or (self.so_far is not None and self.so_far < self.stop)


def _stop(part: _Part, chance: int) -> Stop:
    return Stop(
        part.stage.number,
        part.start,
        part.stop,
        part.reach,
        part.at_seconds,
        Chance(min(chance, ONE), ONE),
    )


def _parts(plan: Plan, apply_seconds: float) -> Iterator[_Part]:
    judged = [stage for stage in stages(plan, apply_seconds) if stage.size]
    limited = [stage.tolerated_so_far is not None for stage in judged]
    for number, stage in enumerate(judged):
        step = plan.course.steps[stage.step]
        assert isinstance(step, Range)
        own = isinstance(step, Deploy) and step.min_success_bp is not None
        sizes = list(batch_sizes(step))
        wide = len(sizes) if own else -(-len(sizes) // MOST_PARTS)
        start = stage.start
        for first in range(0, len(sizes), wide):
            group = sizes[first : first + wide]
            stop = start + sum(group)
            took = stage.ends_seconds - stage.begins_seconds
            done = stop - stage.start
            changes = stage.kind is Kind.DEPLOY
            yield _Part(
                stage=stage,
                start=start,
                stop=stop,
                reach=stage.reach - (stage.stop - stop if changes else 0),
                at_seconds=stage.begins_seconds + took * done / stage.size,
                own=stage.tolerated if own else None,
                so_far=stage.tolerated_so_far,
                counts=any(limited[number:]),
                batches=Counter((size, _batch_limit(step, size)) for size in group),
            )
            start = stop


def _batch_limit(step: Range, size: int) -> int | None:
    """Return failures tolerated in a batch; one that fails as a whole halts."""
    if not isinstance(step, Deploy) or step.max_failure_bp is None:
        return None
    return min(step.max_failure_bp * size // BASIS_POINTS, size - 1)


def _kernel(part: _Part, broken: Fraction) -> tuple[int, list[int]]:
    """Return the chance that a part stops of itself, and of each number of failures.

    Where nobody asks how many there were, they are summed up.
    """
    most = [limit for limit in (part.own, part.so_far) if limit is not None]
    at_most = min(most, default=None)
    if all(limit is None for _, limit in part.batches):
        size = part.stop - part.start
        within, beyond = _cut(binomial(size, broken), at_most, part.counts)
        return beyond, within
    within, beyond = [ONE], 0
    for (size, limit), times in part.batches.items():
        passed, _ = _cut(binomial(size, broken), limit, counts=True)
        counts = part.counts or at_most is not None
        passed = passed if counts else [sum(passed)]
        within = _convolved(within, _power(passed, times))
        within, _ = _cut(within, at_most, part.counts)
    return ONE - sum(within) if broken > 0 else 0, within


def binomial(size: int, broken: Fraction) -> list[int]:
    """Return the chance of 0, 1, .. `size` failures, each over `ONE`, rounded down.

    From the likeliest number outwards, each from its neighbour, until nothing is left.
    """
    hit, whole = broken.numerator, broken.denominator
    spared = whole - hit
    weights = [0] * (size + 1)
    middle = min(size, (size + 1) * hit // whole)
    weight, number = ONE, middle
    while weight and number <= size:
        weights[number] = weight
        weight = weight * (size - number) * hit // ((number + 1) * spared or 1)
        number += 1
    weight, number = ONE, middle
    while weight and number >= 0:
        weights[number] = weight
        weight = weight * number * spared // ((size - number + 1) * hit or 1)
        number -= 1
    total = sum(weights)
    return [weight * ONE // total if weight else 0 for weight in weights]


def _cut(
    chances: list[int], at_most: int | None, counts: bool
) -> tuple[list[int], int]:
    """Return the chances of up to so many failures, and that of more together.

    Where the number does not matter, all are one.
    """
    if at_most is None:
        return (chances if counts else [sum(chances)]), 0
    return chances[: at_most + 1], sum(chances[at_most + 1 :])


def _convolved(one: list[int], other: list[int]) -> list[int]:
    """Return the chances of the sum of two numbers: polynomials, multiplied.

    As two long numbers with a slot for each coefficient, which the language multiplies
    far faster than a loop (after Kronecker).
    """
    if len(other) == 1:
        return [chance * other[0] // ONE for chance in one]
    product = _packed(one) * _packed(other)
    length = len(one) + len(other) - 1
    text = product.to_bytes(_SLOT * length, "little")
    return [
        int.from_bytes(text[at : at + _SLOT], "little") >> 128
        for at in range(0, _SLOT * length, _SLOT)
    ]


def _packed(chances: list[int]) -> int:
    text = b"".join(chance.to_bytes(_SLOT, "little") for chance in chances)
    return int.from_bytes(text, "little")


def _power(chances: list[int], times: int) -> list[int]:
    """Return the chances of the sum of so many equal and independent numbers."""
    result, square = [ONE], chances
    while times:
        if times & 1:
            result = _convolved(result, square)
        times >>= 1
        if times:
            square = _convolved(square, square)
    return result
