"""What a sample can find: exact numbers, against sums by the book."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.sensitivity import (
    USUAL_FAULTS,
    Chance,
    chance_of_finding,
    chance_of_missing,
    largest_strict_sample,
    one_in,
    rarest_found,
    tolerated_failures,
)

SHARES = st.integers(1, 60).flatmap(
    lambda whole: st.builds(Fraction, st.integers(0, whole), st.just(whole))
)


def by_the_book(sample: int, tolerated: int, broken: Fraction) -> Fraction:
    """Return the binomial distribution's lower tail as fractions."""
    return sum(
        (
            comb(sample, n) * broken**n * (1 - broken) ** (sample - n)
            for n in range(min(tolerated, sample) + 1)
        ),
        Fraction(0),
    )


@given(st.integers(0, 60), st.integers(-1, 60), SHARES)
def test_the_chance_of_missing_is_exact(sample, tolerated, broken):
    """Not nearly the sum, but the sum."""
    chance = chance_of_missing(sample, tolerated, broken)
    assert chance.fraction == by_the_book(sample, tolerated, broken)


def test_the_ladder_of_60_targets_with_3_failures():
    """The sample that stops 1 in 8 in 95 of 100 runs, and 1 in 20 in only 35."""
    ladder = [chance_of_finding(60, 3, one_in(k)) for k in USUAL_FAULTS]
    written = [chance.written() for chance in ladder]
    assert written == ["3 %", "35 %", "75 %", "86 %", "95 %"]
    assert [chance.basis_points for chance in ladder] == [322, 3527, 7471, 8626, 9518]
    assert rarest_found(60, 3) == 8


def test_a_first_stage_of_12_and_the_better_one_of_19():
    """A version that breaks 8 % is missed by 37 of 100, and by 21 of 100."""
    broken = Fraction(8, 100)
    assert chance_of_missing(12, 0, broken).written() == "37 %"
    better = largest_strict_sample(9500)
    assert better == 19
    assert chance_of_missing(better, 0, broken).written() == "21 %"


@pytest.mark.parametrize(
    ("threshold", "largest"), [(9500, 19), (9000, 9), (9999, 9999), (10_000, None)]
)
def test_the_largest_sample_without_tolerance(threshold, largest):
    """One target more, and a failure is tolerated; with 100 % none ever is."""
    assert largest_strict_sample(threshold) == largest
    at = 10**6 if largest is None else largest
    assert tolerated_failures(at, threshold) == 0
    assert largest is None or tolerated_failures(largest + 1, threshold) == 1


@pytest.mark.parametrize(
    ("chance", "points", "written"),
    [
        (Chance(0, 7), 0, "0 %"),
        (Chance(7, 7), 10_000, "100 %"),
        (Chance(1, 10**9), 1, "< 1 %"),
        (Chance(10**9 - 1, 10**9), 9_999, "> 99 %"),
        (Chance(1, 3), 3_333, "33 %"),
        (Chance(1, 200), 50, "1 %"),
    ],
)
def test_a_chance_never_rounds_to_never_or_always(chance, points, written):
    """0 and 100 % are said only when they are meant."""
    assert (chance.basis_points, chance.written()) == (points, written)


@given(st.integers(1, 200), st.integers(0, 20))
def test_the_rarest_fault_found_is_the_rarest(sample, tolerated):
    """The next rarer one is found too seldom."""
    found = rarest_found(sample, tolerated)
    if found is None:
        assert tolerated >= sample
        return
    assert chance_of_finding(sample, tolerated, one_in(found)).at_least(9500)
    assert not chance_of_finding(sample, tolerated, one_in(found + 1)).at_least(9500)


def test_a_stage_of_5000():
    """Large stages are exact too: found exactly up to 1 in 18."""
    assert rarest_found(5000, 250) == 18
    assert chance_of_missing(5000, 250, one_in(20)).basis_points == 5168


@pytest.mark.parametrize("tolerated", [None, 5, 6])
def test_what_tolerates_everything_finds_nothing(tolerated):
    """Not even a version that breaks every target."""
    assert rarest_found(5, tolerated) is None
    assert chance_of_finding(5, tolerated, Fraction(1)).basis_points == 0


@pytest.mark.parametrize("share", [Fraction(-1, 2), Fraction(3, 2)])
def test_a_share_is_a_share(share):
    """Shares below nothing and above all are refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        chance_of_missing(5, 1, share)
