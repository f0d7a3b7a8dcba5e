"""What a sample of targets can tell about a version: exact chances, whole numbers only.

It knows counts and shares; it knows no plan, no stage and no target.

A faulty version is taken to break each target by itself with the same chance, so the
failures in a sample are binomial. The other model, a fixed number of bad targets in
this fleet (hypergeometric), would be exact for a fault that hits certain hosts. But the
question is about a version, whose share of broken targets nobody knows as a count of
this fleet; 1 in 20 of 12 targets is no whole number; and without tolerance a sample
finds a fixed number more easily than an independent share, so that the binomial never
promises a small canary more than it can keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from strategies.shares import BASIS_POINTS

#: The usual question: which fault is found in so many of 10,000 runs.
SURE_BP = 9_500
#: The faults, 1 in so many, that a page asks about.
USUAL_FAULTS = (50, 20, 12, 10, 8)


@dataclass(frozen=True)
class Chance:
    """A chance as two whole numbers, not cancelled down: these can be very long."""

    numerator: int
    denominator: int

    @property
    def fraction(self) -> Fraction:
        """The same, cancelled down, for exact comparisons."""
        return Fraction(self.numerator, self.denominator)

    @property
    def basis_points(self) -> int:
        """The nearest whole basis points; 0 and 10,000 only for never and always."""
        return self._rounded(BASIS_POINTS)

    def otherwise(self) -> Chance:
        """The chance that it does not happen."""
        return Chance(self.denominator - self.numerator, self.denominator)

    def at_least(self, basis_points: int) -> bool:
        """Whether it is so much or more, exactly."""
        return self.numerator * BASIS_POINTS >= basis_points * self.denominator

    def written(self) -> str:
        """Return whole percents for people: "63 %", "< 1 %", "> 99 %", "0 %"."""
        nearest = (200 * self.numerator + self.denominator) // (2 * self.denominator)
        if nearest == 0 and self.numerator:
            return "< 1 %"
        if nearest == 100 and self.numerator < self.denominator:
            return "> 99 %"
        return f"{nearest} %"

    def _rounded(self, parts: int) -> int:
        top = 2 * parts * self.numerator + self.denominator
        nearest = top // (2 * self.denominator)
        if 0 < self.numerator < self.denominator:
            return max(1, min(nearest, parts - 1))
        return nearest


def one_in(count: int) -> Fraction:
    """Return the share of a fault that hits 1 target in `count`."""
    return Fraction(1, count)


def chance_of_missing(sample: int, tolerated: int | None, broken: Fraction) -> Chance:
    """Return the chance that a sample shows no more failures than are tolerated.

    The sum of C(n, i) a^i (b-a)^(n-i) over b^n for a share a/b, with the next binomial
    coefficient made from the last; the common factor is kept out of the sum, so that
    its numbers grow with the failures tolerated and not with the sample.

    Args:
        sample: how many targets are tried.
        tolerated: how many of them may fail; None tolerates all.
        broken: the part of targets that the version breaks.

    Raises:
        ValueError: if `broken` is not between 0 and 1.
    """
    if not 0 <= broken <= 1:
        raise ValueError(f"a share of targets is between 0 and 1, not {broken}")
    if tolerated is None or tolerated >= sample:
        return Chance(1, 1)
    if tolerated < 0:
        return Chance(0, 1)
    hit, whole = broken.numerator, broken.denominator
    spared = whole - hit
    ways, summed, hits = 1, 0, 1
    for failures in range(tolerated + 1):
        summed = summed * spared + ways * hits
        ways = ways * (sample - failures) // (failures + 1)
        hits *= hit
    return Chance(summed * spared ** (sample - tolerated), whole**sample)


def chance_of_finding(sample: int, tolerated: int | None, broken: Fraction) -> Chance:
    """Return the chance that a sample shows more failures than are tolerated."""
    return chance_of_missing(sample, tolerated, broken).otherwise()


def rarest_found(
    sample: int, tolerated: int | None, sure_bp: int = SURE_BP
) -> int | None:
    """Return the largest k so that a fault of 1 in k is found in so many runs.

    Args:
        sample: how many targets are tried.
        tolerated: how many of them may fail; None tolerates all.
        sure_bp: in how many of 10,000 runs it must be found.

    Returns:
        None if not even a version that breaks every target is found.
    """

    def is_found(count: int) -> bool:
        return chance_of_finding(sample, tolerated, one_in(count)).at_least(sure_bp)

    if tolerated is None or tolerated >= sample:
        return None
    found, missed = 1, 2
    while is_found(missed):
        found, missed = missed, missed * 2
    while missed - found > 1:
        middle = (found + missed) // 2
        found, missed = (middle, missed) if is_found(middle) else (found, middle)
    return found


def tolerated_failures(sample: int, min_success_bp: int) -> int:
    """Return how many failures a threshold of successes tolerates in a sample."""
    return (BASIS_POINTS - min_success_bp) * sample // BASIS_POINTS


def largest_strict_sample(min_success_bp: int) -> int | None:
    """Return the largest sample in which a threshold tolerates no failure at all.

    Of all samples without tolerance it misses a faulty version most rarely. None: every
    sample, since the threshold is all of it.
    """
    tolerated_bp = BASIS_POINTS - min_success_bp
    return -(-BASIS_POINTS // tolerated_bp) - 1 if tolerated_bp else None
