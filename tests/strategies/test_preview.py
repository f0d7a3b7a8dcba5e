"""What a plan says of itself before anything moves."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import create_strategy
from strategies.health import Health
from strategies.plan import Candidate, RouterSight
from strategies.preview import ordinal, preview
from strategies.rolling import RollingDeployment
from strategies.simulate import simulate
from strategies.states import Kind
from strategies.steps import Delay, Gate
from tests.strategies.worlds import fleet, plan_of


def test_L1_batches_and_minimum_time():
    """Three batches, two delays, and for each batch the soonest it can be healthy."""
    health = Health(initial_delay_seconds=5, min_healthy_seconds=10)
    shown = preview(plan_of(5, batch_size=2, delay_seconds=10, health=health))
    assert [(b.start, b.stop, b.size) for b in shown.batches] == [
        (0, 2, 2),
        (2, 4, 2),
        (4, 5, 1),
    ]
    assert shown.minimum_seconds == 2 * 10 + 3 * 15
    assert (shown.blast_radius, shown.blast_basis_points) == (2, 4000)


def test_L1_narrow_batches_take_rounds():
    """A batch of four with two at once takes two rounds."""
    assert preview(plan_of(4, batch_size=4, parallelism=2)).minimum_seconds == 20


def test_window_has_its_width_in_hand():
    """The blast radius of a window is its width, and it is no whole fleet."""
    shown = preview(plan_of(10, batch_size=3, window=True))
    assert (shown.blast_radius, shown.warnings) == (3, ())


@pytest.mark.parametrize(
    ("tolerated", "sentence"),
    [
        (0, "The 1st failure in the fleet halts."),
        (2, "The 3rd failure in the fleet halts."),
        (None, "No number of failures in the fleet halts; any fails it at its end."),
    ],
)
def test_D3_tolerance_is_said_in_words(tolerated, sentence):
    """Nobody has to know whether the limit is reached or exceeded."""
    assert preview(plan_of(5, max_failures=tolerated)).tolerances == (sentence,)


@pytest.mark.parametrize(("percent", "first"), [(30, "4th"), (100, "10th"), (0, "1st")])
def test_B5_tolerance_of_a_batch(percent, first):
    """The preview also says that a batch that fails as a whole halts."""
    shown = preview(plan_of(20, batch_size=10, max_failure_percent=percent))
    assert shown.batches[0].tolerance == f"the {first} failure of its 10 targets halts"
    assert "A batch that fails as a whole halts" in shown.tolerances[1]


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        ({"batch_size": "100%"}, "The first batch is the whole work set"),
        ({"batch_size": 4, "min_healthy": 4}, "Only 1 of a batch of 4 may be open"),
        ({"max_failures": None}, "It goes on through the whole fleet"),
        ({"max_failures": 5}, "The budget tolerates the failure of every target"),
    ],
)
def test_warnings(options, warning):
    """What a careful person would ask about is said, and nothing else."""
    shown = preview(plan_of(5, **options)).warnings
    assert len(shown) == 1
    assert shown[0].startswith(warning)


def test_targets_of_no_known_version():
    """A target that nobody knows the version of is warned about."""
    plan = RollingDeployment().plan([Candidate("a", None), *fleet(2)], "v2")
    assert preview(plan).warnings[0].startswith("1 target with no known version")


def test_skipped_and_retried():
    """Skipped targets are grouped by reason; retries are counted as attempts."""
    plan = RollingDeployment(retries=1).plan([*fleet(2), Candidate("x", "v2")], "v2")
    assert preview(plan).skipped == {"already_at_version": ("x",)}
    assert preview(plan).tolerances[-1] == "A target counts as failed after 2 attempts."


def test_no_op():
    """A plan without work has no batch and takes no time."""
    shown = preview(RollingDeployment().plan(fleet(3), "v1"))
    assert (shown.batches, shown.minimum_seconds, shown.blast_radius) == ((), 0, 0)


def test_ordinals():
    """English counts oddly."""
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th")
    ]


# -- stages -------------------------------------------------------------------------


def staged(count, **options):
    """Return the preview of a canary plan."""
    return preview(create_strategy("canary", **options).plan(fleet(count), "v2"))


def test_A1_the_whole_fleet_is_no_control_group():
    """One target: the first stage takes it, the others are passed over."""
    shown = staged(1)
    assert shown.warnings == ("Stage 1 is the whole fleet; no control group.",)
    assert [(s.number, s.size, s.is_passed_over) for s in shown.stages] == [
        *((1, 1, False), (2, 0, True), (3, 0, True), (4, 0, True)),
    ]
    assert staged(9, stages=[100]).warnings == shown.warnings
    assert staged(2).warnings == ()


def test_A5_stages_with_their_shares_and_limits():
    """Ten targets by 10, 25, 50 and 100 %."""
    shown = staged(10, stage_duration_seconds=60, gates=True)
    assert [(s.share_bp, s.start, s.stop, s.size) for s in shown.stages] == [
        *((1000, 0, 1, 1), (2500, 1, 3, 2), (5000, 3, 5, 2), (10000, 5, 10, 5)),
    ]
    assert [s.bake_seconds for s in shown.stages] == [60, 60, 60, 0]
    assert [[gate.name for gate in s.gates] for s in shown.stages] == [
        *(["after stage 1"], ["after stage 2"], ["after stage 3"], []),
    ]
    assert [s.reach for s in shown.stages] == [1, 3, 5, 10]


def test_B11_a_small_stage_says_that_it_tolerates_nothing():
    """Below 20 targets 95 % tolerates none; from there on one in twenty."""
    shown = staged(240, stages=[5, 25, 50, 100])
    assert [s.tolerance for s in shown.stages] == [
        "tolerates 0 failures (< 20 targets)",
        "tolerates 2 failures",
        "tolerates 3 failures",
        "tolerates 6 failures",
    ]
    assert [s.tolerated_so_far for s in shown.stages] == [0, 3, 6, 12]
    assert shown.tolerances == (
        "Failures within the threshold of each stage are accepted.",
    )
    assert shown.stages[0].finding(Fraction(8, 100)).written() == "63 %"
    assert [s.rarest_found() for s in shown.stages] == [4, 7, 8, 10]
    assert shown.stages[1].finding_so_far(Fraction(1, 8)).written() == "95 %"


def test_a_budget_binds_stages_too():
    """The fleet's budget is smaller than what the threshold tolerates."""
    shown = staged(1000, max_failures=1)
    assert {s.tolerated for s in shown.stages} == {1}
    assert shown.stages[0].tolerance == "tolerates 1 failure"
    assert staged(30, success_threshold=1).stages[1].tolerance == "tolerates 0 failures"


def test_L1_minimum_time_of_a_canary():
    """Four rounds of 10 s, and three bakes of 60 s; a person's time is not counted."""
    shown = staged(100, gates=True)
    assert shown.minimum_seconds == 4 * 10 + 3 * 60
    assert [(s.begins_seconds, s.ends_seconds) for s in shown.stages] == [
        *((0, 10), (70, 80), (140, 150), (210, 220)),
    ]
    assert shown.curve[:4] == ((0, 0), (10, 10), (70, 10), (80, 25))
    assert shown.curve[-1] == (220, 100)


def test_times_with_the_time_that_a_change_takes():
    """The minimum stays what it is."""
    plan = create_strategy("canary").plan(fleet(100), "v2")
    shown = preview(plan, apply_seconds=30)
    assert shown.minimum_seconds == 220
    assert shown.stages[-1].ends_seconds == 220 + 4 * 30


def test_blue_green_looks_switches_and_bakes():
    """Three stages; an idle slot carries no traffic, so nothing is warned about."""
    slots = RouterSight("r", serving="blue", slots=("blue", "green"))
    targets = [
        Candidate(f"{s[0]}{n}", "v2" if (s, n) == ("green", 2) else "v1", slot=s)
        for s in slots.slots
        for n in range(3)
    ]
    strategy = create_strategy("blue_green", auto_promote=False, bake_seconds=600)
    shown = preview(strategy.plan(targets, "v2", router=slots))
    assert [(s.kind, s.size, s.reach) for s in shown.stages] == [
        *((Kind.DEPLOY, 2, 2), (Kind.VERIFY, 1, 2), (Kind.SHIFT, 0, 2)),
    ]
    assert [(b.kind, b.size) for b in shown.batches] == [
        *((Kind.DEPLOY, 2), (Kind.VERIFY, 1)),
    ]
    assert [gate.name for gate in shown.stages[1].gates] == ["promotion"]
    assert (shown.stages[2].to_slot, shown.stages[2].bake_seconds) == ("green", 600)
    assert shown.minimum_seconds == 10 + 10 + 600
    assert (shown.blast_radius, shown.warnings) == (2, ())


def test_a_fourth_strategy_may_begin_with_a_gate():
    """What waits before the first range is number 0, and counts in the times."""
    plan = plan_of(3, batch_size=3)
    steps = (Delay(30), Gate("change board"), *plan.course.steps)
    shown = preview(replace(plan, course=replace(plan.course, steps=steps)))
    first, second = shown.stages
    assert (first.number, first.wait_seconds, first.gates) == (0, 30, (steps[1],))
    assert (second.number, second.begins_seconds, second.size) == (1, 30, 3)
    assert shown.minimum_seconds == 40


@given(
    st.integers(1, 40),
    st.integers(1, 6),
    st.none() | st.integers(1, 6),
    st.sampled_from(["rolling", "canary"]),
)
@settings(max_examples=50, deadline=None, database=None)
def test_the_minimum_is_what_a_simulation_takes(count, batch_size, parallelism, name):
    """When nothing goes wrong and changes take no time, it is reached exactly."""
    strategy = create_strategy(name, batch_size=batch_size, parallelism=parallelism)
    plan = strategy.plan(fleet(count), "v2")
    assert simulate(plan).duration_seconds == preview(plan).minimum_seconds
