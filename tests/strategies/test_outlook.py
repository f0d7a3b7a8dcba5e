"""Where a faulty version stops: against simulations of every possible world."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import create_strategy
from strategies.faults import Fault, World
from strategies.outlook import ONE, binomial, outlook
from strategies.plan import Candidate, RouterSight
from strategies.sensitivity import chance_of_missing
from strategies.simulate import simulate
from tests.strategies.worlds import fleet

#: What rounding down may lose, far below anything that is shown.
LOST = Fraction(1, 1 << 100)


def every_world(plan, broken):
    """Return the exact chance that a run halts, by the stage in which it did.

    Every pattern of broken targets is run on the real machine, with its weight.
    """
    chances: Counter[int] = Counter()
    ids = [target.id for target in plan.targets]
    for pattern in product((False, True), repeat=len(ids)):
        bad = frozenset(i for i, hit in zip(ids, pattern, strict=True) if hit)
        run = simulate(plan, World(faults=(Fault(ids=bad),)))
        stage = run.trajectory[-1].stage if run.halt else 0
        weight = broken ** len(bad) * (1 - broken) ** (len(ids) - len(bad))
        chances[stage] += weight
    return chances


def by_stage(seen):
    """Return the chances of an outlook by stage, and that of no stop as 0."""
    chances = Counter({0: seen.completes.fraction})
    for stop in seen.stops:
        chances[stop.stage] += stop.chance.fraction
    return chances


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("canary", {}),
        ("canary", {"success_threshold": "60%", "stages": [40, 100]}),
        ("canary", {"success_threshold": "70%", "stages": [50, 75], "batch_size": 2}),
        ("canary", {"success_threshold": "50%", "max_failures": 1}),
        ("canary", {"success_threshold": 1}),
        ("rolling", {}),
        ("rolling", {"max_failures": 2, "batch_size": 3}),
        ("rolling", {"max_failures": None, "batch_size": 2, "window": True}),
        ("rolling", {"max_failures": 3, "batch_size": 3, "max_failure_percent": 40}),
        ("rolling", {"max_failures": None, "batch_size": 4, "max_failure_percent": 25}),
        ("blue_green", {"max_failures": 1}),
    ],
)
@pytest.mark.parametrize("broken", [Fraction(1, 20), Fraction(2, 5), Fraction(1)])
def test_it_is_what_all_simulations_say(name, options, broken):
    """256 worlds of eight targets, weighed: the same chance for each stage."""
    plan = create_strategy(name, **options).plan(fleet(8), "v2")
    told, seen = by_stage(outlook(plan, broken)), every_world(plan, broken)
    for stage in told.keys() | seen.keys():
        assert abs(told[stage] - seen[stage]) < LOST, stage


def test_what_is_only_looked_at_is_judged_too():
    """A slot whose targets are partly at the version: both stages may stop it."""
    slots = RouterSight("r", serving="blue", slots=("blue", "green"))
    targets = [
        Candidate("b", "v1", slot="blue"),
        *(Candidate(f"g{n}", "v2" if n > 3 else "v1", slot="green") for n in range(7)),
    ]
    plan = create_strategy("blue_green").plan(targets, "v2", router=slots)
    seen = outlook(plan, Fraction(1, 10))
    told = every_world(plan, Fraction(1, 10))
    assert {stop.stage for stop in seen.stops} == {1, 2}
    for stage, chance in by_stage(seen).items():
        assert abs(told[stage] - chance) < LOST
    assert {stop.reach for stop in seen.stops} == {4}, "looking changes nothing"


def test_a_canary_of_240():
    """A version that breaks 8 %: mostly found among the first 12."""
    strategy = create_strategy(
        "canary", stages=[5, 25, 50, 100], batch_size=12, stage_duration_seconds=600
    )
    seen = outlook(strategy.plan(fleet(240), "v2"), Fraction(8, 100), apply_seconds=30)
    assert [(s.stage, s.reach, s.chance.written()) for s in seen.stops] == [
        (1, 12, "63 %"),
        (2, 60, "28 %"),
        (3, 120, "7 %"),
        (4, 240, "2 %"),
    ]
    assert seen.completes.written() == "< 1 %"
    assert (seen.expected_reach, seen.reach_in(5000), seen.reach_in(9000)) == (
        *(38, 12, 60),
    )
    # One, four, five and ten batches of 40 s, with three bakes of 600 s between.
    assert [s.at_seconds for s in seen.stops] == [40, 800, 1600, 2600]


@pytest.mark.parametrize(("broken", "stopped"), [(0, "0 %"), (1, "100 %")])
def test_never_and_always_are_exact(broken, stopped):
    """A sound version is never stopped, one that breaks all is stopped first."""
    plan = create_strategy("canary").plan(fleet(1000), "v2")
    seen = outlook(plan, Fraction(broken))
    assert seen.stops[0].chance.written() == stopped
    assert all(stop.chance.numerator == 0 for stop in seen.stops[1:])
    assert seen.completes.numerator == ONE * (1 - broken)


def test_what_is_possible_never_becomes_nothing():
    """A hundred thousand targets at one in two: the end is nearly out of reach."""
    plan = create_strategy("canary").plan(fleet(10_000), "v2")
    seen = outlook(plan, Fraction(1, 2))
    assert seen.completes.numerator > 0
    assert all(stop.chance.numerator > 0 for stop in seen.stops)


def test_a_long_range_is_told_in_parts():
    """Ten thousand batches of one target are twelve places where it may stop."""
    plan = create_strategy("rolling").plan(fleet(10_000), "v2")
    seen = outlook(plan, Fraction(1, 5000))
    assert len(seen.stops) == 12
    assert seen.stops[-1].stop == seen.reach == 10_000
    part = chance_of_missing(834, 0, Fraction(1, 5000)).otherwise()
    assert abs(seen.stops[0].chance.fraction - part.fraction) < LOST


def test_a_plan_that_does_nothing():
    """It stops nowhere."""
    seen = outlook(create_strategy("rolling").plan(fleet(3), "v1"), Fraction(1, 2))
    assert seen.stops == ()
    assert (seen.completes.written(), seen.expected_reach) == ("100 %", 0)


@given(
    st.integers(0, 300),
    st.integers(1, 40).flatmap(
        lambda whole: st.builds(Fraction, st.integers(0, whole), st.just(whole))
    ),
    st.integers(0, 300),
)
@settings(deadline=None, database=None)
def test_the_distribution_is_the_exact_one(size, broken, at_most):
    """Its lower tail is the exact chance of missing, but for what is rounded."""
    tail = Fraction(sum(binomial(size, broken)[: at_most + 1]), ONE)
    assert abs(tail - chance_of_missing(size, at_most, broken).fraction) < LOST


def test_a_share_is_a_share():
    """More than all is refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        outlook(create_strategy("rolling").plan(fleet(3), "v2"), Fraction(2))
