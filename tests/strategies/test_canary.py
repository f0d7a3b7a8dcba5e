"""Canary: which targets each stage takes, what stands between, and what is refused."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.canary import CanaryDeployment
from strategies.errors import InvalidOptions
from strategies.plan import Candidate
from strategies.steps import Bake, Deploy, Gate
from tests.strategies.plans import canary_of, fleet

USUAL = [10, 25, 50, 100]


def stages(plan):
    """Return the stages of a plan."""
    return [step for step in plan.course.steps if isinstance(step, Deploy)]


def reached(count, percents=USUAL):
    """Return how many targets are changed after each stage."""
    return [stage.stop for stage in stages(canary_of(count, stages=percents))]


def cumulative(count, percent):
    """The rule of D1, in fractions: rounded up, 1 at least, one left until the last."""
    share = -(-Fraction(percent * count, 100) // 1)
    return count if percent == 100 or count < 2 else max(1, min(share, count - 1))


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(1, [1, 1, 1, 1], id="A1"),
        pytest.param(2, [1, 1, 1, 2], id="A2"),
        pytest.param(3, [1, 1, 2, 3], id="A3"),
        pytest.param(7, [1, 2, 4, 7], id="A4"),
        pytest.param(10, [1, 3, 5, 10], id="A5"),
        pytest.param(1000, [100, 250, 500, 1000], id="A6"),
        pytest.param(1001, [101, 251, 501, 1001], id="A7"),
    ],
)
def test_stages_are_rounded_up(count, expected):
    """Cumulative stages are rounded up; increments are what is between (A1 to A7)."""
    assert reached(count) == expected
    sizes = [stage.stop - stage.start for stage in stages(canary_of(count))]
    assert sizes == [b - a for a, b in zip([0, *expected], expected, strict=False)]


def test_A9_29_percent_of_100():
    """29 % of 100 is 29, exactly."""
    assert reached(100, [29, 100]) == [29, 100]


@settings(deadline=None, database=None, max_examples=60)
@given(st.integers(1, 3000), st.sets(st.integers(1, 100), min_size=1, max_size=6))
def test_D1_every_stage_of_every_fleet(count, percents):
    """Stages never shrink, are never 0, leave a control group, and end with all."""
    rising = sorted(percents | {100})
    got = reached(count, rising)
    assert got == [cumulative(count, percent) for percent in rising]
    assert got == sorted(got)
    assert all(1 <= each <= max(1, count - 1) for each in got[:-1])


def test_A1_stages_that_add_nothing_are_passed_over():
    """With one target, stages 2 to 4 are steps that add nothing, and are announced."""
    plan = canary_of(1, stage_duration_seconds=60)
    assert [stage.stop - stage.start for stage in stages(plan)] == [1, 0, 0, 0]
    assert not any(isinstance(step, Bake) for step in plan.course.steps)
    assert [n.split(" ")[1] for n in plan.notices] == ["2", "3", "4"]


def test_A3_no_bake_after_a_stage_that_adds_nothing():
    """With three targets, stage 2 is passed over, and so is its wait."""
    kinds = [
        type(s).__name__ for s in canary_of(3, stage_duration_seconds=60).course.steps
    ]
    assert kinds == ["Deploy", "Bake", "Deploy", "Deploy", "Bake", "Deploy"]


def test_no_wait_after_the_last_stage():
    """Bakes and gates stand between stages: three for four stages."""
    steps = canary_of(20, stage_duration_seconds=60, gates=True).course.steps
    assert sum(isinstance(step, Bake) for step in steps) == 3
    assert [s.name for s in steps if isinstance(s, Gate)] == [
        f"after stage {n}" for n in (1, 2, 3)
    ]
    assert isinstance(steps[-1], Deploy)


def test_A12_100_is_appended():
    """A last stage that is not all gets one that is, with a notice."""
    plan = canary_of(20, stages=[10, 25])
    assert [stage.stop for stage in stages(plan)] == [2, 5, 20]
    assert "100% was appended" in plan.notices[0]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param([50, 10, 100], id="A11"),
        pytest.param([0, 100], id="A13-zero"),
        pytest.param([10, 101], id="A13-more-than-all"),
        pytest.param([10, 10, 100], id="A13-twice"),
        pytest.param([-5], id="negative"),
        pytest.param([], id="none"),
        pytest.param("ten", id="words"),
        pytest.param([10.333], id="less-than-a-basis-point"),
    ],
)
def test_impossible_stages(wrong):
    """Stages must grow strictly, from more than 0 to at most 100 (A11, A13)."""
    with pytest.raises(InvalidOptions) as refused:
        CanaryDeployment(stages=wrong)
    assert refused.value.errors.keys() == {"stages"}


@pytest.mark.parametrize("threshold", [1.01, -0.1, "95", 0.99999, True, "101%"])
def test_impossible_thresholds(threshold):
    """A threshold is a part from 0 to 1 or a percentage, in basis points."""
    with pytest.raises(InvalidOptions) as refused:
        CanaryDeployment(success_threshold=threshold)
    assert refused.value.errors.keys() == {"success_threshold"}


@pytest.mark.parametrize(
    ("threshold", "points"), [(0.95, 9500), ("99.5%", 9950), (1, 10_000), (0, 0)]
)
def test_D2_thresholds_are_basis_points(threshold, points):
    """No float is left of a threshold."""
    found = {
        s.min_success_bp for s in stages(canary_of(4, success_threshold=threshold))
    }
    assert found == {points}


def test_C3_shares_are_of_the_work_set():
    """10 selected, 5 there already: stages are of the other 5."""
    mixed = fleet(5) + [Candidate(f"d{n}", "v2") for n in range(5)]
    plan = CanaryDeployment([10, 100]).plan(mixed, "v2")
    assert [stage.stop for stage in stages(plan)] == [1, 5]
    assert (plan.course.selected, plan.course.work) == (10, 5)


def test_C2_all_there_already():
    """Nothing to do: no step at all."""
    assert CanaryDeployment().plan(fleet(3), "v1").course.steps == ()


def test_C10_planned_twice():
    """The same inputs give the same bytes."""
    assert canary_of(9).canonical() == canary_of(9).canonical()


def test_unhealthy_targets_come_last():
    """A canary of a broken target would prove nothing."""
    plan = canary_of(4, unhealthy=[0, 2])
    assert [t.id for t in plan.targets] == ["t1", "t3", "t0", "t2"]


def test_batches_within_a_stage():
    """A batch size divides each stage; an empty one still has a size."""
    plan = canary_of(10, stages=[40, 100], batch_size=3)
    assert [len(stage.starts) for stage in stages(plan)] == [2, 2]
    assert plan.course.limits.parallelism == 3


# -- zones --------------------------------------------------------------------------


def zoned(*zones):
    """Return a target for each named zone."""
    return [Candidate(f"t{n}", "v1", zone=zone) for n, zone in enumerate(zones)]


def order(candidates):
    """Return the zones in the order of the plan."""
    zones = {c.id: c.zone for c in candidates}
    return [zones[t.id] for t in CanaryDeployment().plan(candidates, "v2").targets]


def test_stages_are_spread_over_zones():
    """Two zones of equal size take turns, though they were selected one by one."""
    assert order(zoned(*"aaaabbbb")) == list("abababab")


def test_a_small_zone_has_its_share():
    """One of four in the small zone: not first, not last."""
    assert order(zoned(*"aaaaaabb")).index("b") in (1, 2)


def test_without_zones_the_order_stays():
    """Nothing labelled: as selected."""
    plan = CanaryDeployment().plan(fleet(5), "v2")
    assert [t.id for t in plan.targets] == [f"t{n}" for n in range(5)]


@settings(deadline=None, database=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40))
def test_every_stage_has_each_zones_share(zones):
    """Whatever is taken from the front, each zone is within one of its share."""
    spread, sizes = order(zoned(*zones)), Counter(zones)
    assert Counter(spread) == sizes
    for taken in range(1, len(zones) + 1):
        got = Counter(spread[:taken])
        for zone, size in sizes.items():
            assert abs(got[zone] - Fraction(size * taken, len(zones))) <= 1
