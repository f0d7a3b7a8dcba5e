"""Runs in virtual time: life stories with exact times, and what holds for every run."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import create_strategy
from strategies.errors import CommandRefused
from strategies.faults import Between, Fault, World
from strategies.folds import replay
from strategies.health import Health
from strategies.messages import BatchOpened, Command, Pause, Promote, Resume
from strategies.plan import Candidate, RouterSight
from strategies.simulate import EPOCH, simulate
from strategies.states import Direction, State
from strategies.steps import Gate
from tests.strategies import worlds
from tests.strategies.worlds import S, fleet

#: Healthy as soon as it is changed, so that times are those of the plan alone.
AT_ONCE = Health(min_healthy_seconds=0)
SLOTS = RouterSight("r", serving="blue", slots=("blue", "green"))


def planned(count, name="rolling", **options):
    """Return a plan over t0, t1, .. without waits that are not asked for."""
    usual = {"rolling": {"delay_seconds": 0}, "canary": {"stage_duration_seconds": 0}}
    given = {"health": AT_ONCE, **usual.get(name, {}), **options}
    return create_strategy(name, **given).plan(fleet(count), "v2")


def in_slots(**options):
    """Return a blue-green plan: b0..b2 serve, g0..g2 are changed."""
    targets = [
        Candidate(f"{slot[0]}{n}", "v1", slot=slot)
        for slot in SLOTS.slots
        for n in range(3)
    ]
    strategy = create_strategy("blue_green", health=AT_ONCE, **options)
    return strategy.plan(targets, "v2", router=SLOTS)


def broken(*ids, **how):
    """Return a world in which these targets are hit."""
    return World(faults=(Fault(ids=frozenset(ids), **how),))


def ending(run):
    """Return how a run ended."""
    return run.state, run.reason, run.outcome


# -- times --------------------------------------------------------------------------


def test_A19_delays_between_batches_only():
    """Five targets in twos with 10 s take two delays, and none after the last."""
    run = simulate(planned(5, batch_size=2, delay_seconds=10))
    assert ending(run) == (State.COMPLETED, "", "clean")
    assert run.duration_seconds == 20
    assert run.states == ((0.0, State.IN_PROGRESS), (20.0, State.COMPLETED))
    assert [(s.at_seconds, s.succeeded, s.open) for s in run.trajectory] == [
        *((0, 0, 2), (0, 2, 0), (10, 2, 2), (10, 4, 0), (20, 4, 1), (20, 5, 0)),
    ]


def test_A20_no_delay_before_a_halt():
    """The halt is immediate."""
    run = simulate(planned(5, batch_size=2, delay_seconds=10), broken("t0"))
    assert ending(run) == (State.FAILED, "max_failures", "")
    assert (run.duration_seconds, run.halted_at_seconds) == (0, 0)
    assert (run.touched, run.touched_when_halted, run.left) == (2, 2, 2)


def test_a_change_takes_its_time_and_then_the_soonest_it_can_be_healthy():
    """Its own time for one that is slow, and the next batch waits for it."""
    health = Health(initial_delay_seconds=5, min_healthy_seconds=10)
    world = World(apply=Between(30, 30), slow={"t1": 99.5})
    run = simulate(planned(3, batch_size=2, health=health), world)
    assert run.duration_seconds == 99.5 + 15 + 30 + 15


def test_J5_a_pause_does_not_wind_a_delay_up_again():
    """Paused at 20 s of a 60 s delay, it goes on when the 60 s are over."""
    commands: list[tuple[float, Command]]
    commands = [(20, Pause("alice")), (40, Resume("alice"))]
    plan = planned(2, delay_seconds=60)
    run = simulate(plan, commands=commands)
    assert run.duration_seconds == 60
    assert run.states[1:3] == ((20, State.PAUSED), (40, State.IN_PROGRESS))
    late = simulate(plan, commands=[(20, Pause("alice")), (90, Resume("alice"))])
    assert late.duration_seconds == 90


def test_E19_a_regression_at_minute_7_halts_at_minute_7():
    """Of a bake of 10 minutes, and nothing of the next stage is touched."""
    plan = planned(20, "canary", stages=[25, 100], stage_duration_seconds=600)
    run = simulate(plan, broken("t0", effect="regresses", after_seconds=420))
    assert ending(run) == (State.FAILED, "success_threshold", "")
    assert (run.halted_at_seconds, run.duration_seconds) == (420, 420)
    assert run.halt is not None
    assert (run.halt.observed, run.halt.threshold, run.halt.sample) == (1, 0, 5)
    assert (run.halt.positions, run.touched) == ((0,), 5)
    assert run.trajectory[-1].stage == 1


def test_a_regression_by_the_clock():
    """At its time for what is accepted before it, at once for what is later."""
    plan = planned(4, delay_seconds=100, max_failures=3)
    world = broken("t0", "t3", effect="regresses", at_seconds=150)
    run = simulate(plan, world)
    assert run.outcome == "completed_with_failures"
    failures = [(s.at_seconds, s.failed) for s in run.trajectory]
    assert (150, 1) in failures
    assert max(failed for at, failed in failures if at < 150) == 0


def test_a_regression_that_recovers():
    """It counts while it lasts."""
    plan = planned(3, delay_seconds=100, max_failures=1)
    world = broken("t0", effect="regresses", after_seconds=10, for_seconds=30)
    run = simulate(plan, world)
    assert run.outcome == "clean"
    assert [s.at_seconds for s in run.trajectory if s.failed] == [10]
    assert [s.at_seconds for s in run.trajectory if s.at_seconds == 40] == [40]


def test_nobody_looks_at_what_is_stopping():
    """One falls ill and halts while another hangs; its recovery is not seen."""
    world = World(
        faults=(
            Fault(
                ids=frozenset({"t0"}),
                effect="regresses",
                after_seconds=100,
                for_seconds=200,
            ),
            Fault(ids=frozenset({"t1"}), effect="hangs"),
        )
    )
    run = simulate(planned(3, batch_size=3, max_failures=0), world)
    assert (run.halted_at_seconds, run.duration_seconds) == (100, 600)
    assert (run.progress.whole.failed, run.progress.whole.succeeded) == (1, 1)
    assert run.progress.whole.unresolved == 1


# -- failures -----------------------------------------------------------------------


def test_labels_choose_targets():
    """A zone that fails as a whole."""
    world = World(labels={"t2": "a", "t3": "a"}, faults=(Fault(label="a"),))
    run = simulate(planned(4, max_failures=2), world)
    assert (run.progress.whole.failed, run.halt) == (2, None)
    assert run.outcome == "completed_with_failures"


def test_retries_mend_what_fails_only_once():
    """The second attempt is not hit."""
    plan = planned(3, retries=1)
    assert simulate(plan, broken("t1", attempts=1)).outcome == "clean"
    assert simulate(plan, broken("t1")).state is State.FAILED


def test_rollback_on_failure_restores_what_was_touched():
    """What is in flight ends first, at 20 s; then two rounds back of 10 s each."""
    plan = planned(6, batch_size=2, on_failure="rollback")
    world = World(
        apply=Between(10, 10), faults=(Fault(ids=frozenset({"t3"}), after_seconds=4),)
    )
    run = simulate(plan, world)
    assert list(run.states) == [
        (0, State.IN_PROGRESS),
        (14, State.ROLLING_BACK),
        (40, State.ROLLED_BACK),
    ]
    assert (run.touched, run.left, run.most_open) == (4, 0, 2)


def test_a_rollback_may_fail_too():
    """One that is not restored is left, and it is said."""
    plan = planned(3, on_failure="rollback")
    back = Fault(ids=frozenset({"t0"}), direction=Direction.RETURN)
    run = simulate(plan, World(faults=(Fault(ids=frozenset({"t1"})), back)))
    assert ending(run) == (State.ROLLBACK_FAILED, "not_restored", "")
    assert (run.touched, run.left) == (2, 1)


def test_an_outcome_that_nobody_learns_holds():
    """Unknown after the apply deadline, unresolved after the settling time."""
    plan = planned(3, apply_seconds=60, settle_seconds=30)
    run = simulate(plan, broken("t1", effect="hangs"))
    assert ending(run) == (State.PAUSED, "unknown_outcome", "")
    assert run.duration_seconds == 90
    resumed = simulate(
        plan, broken("t1", effect="hangs"), commands=[(100, Resume("alice"))]
    )
    assert ending(resumed) == (State.FAILED, "max_failures", "")


def test_what_was_unavailable_before_costs_no_room():
    """It is taken although the floor leaves no room."""
    candidates = [Candidate("t0", "v1", healthy=False), Candidate("t1", "v1")]
    strategy = create_strategy("rolling", min_healthy=1, health=AT_ONCE)
    run = simulate(
        strategy.plan(candidates, "v2"), World(unavailable=frozenset({"t0"}))
    )
    assert run.state is State.COMPLETED


# -- gates and shifts ---------------------------------------------------------------


def test_a_gate_is_promoted_after_its_time_or_never():
    """Two gates of an hour each, or one that waits for ever."""
    plan = planned(20, "canary", stages=[10, 50, 100], gates=True)
    run = simulate(plan, promote_after_seconds=3600)
    assert (run.duration_seconds, run.outcome) == (7200, "clean")
    assert [at for at, state in run.states if state is State.PAUSED] == [0, 3600]
    waits = simulate(plan, promote_after_seconds=None)
    assert ending(waits) == (State.PAUSED, "waits_at_gate", "")
    assert isinstance(waits.progress.gate, Gate)
    assert waits.touched == 2


def test_E23_a_gate_with_a_limit_halts_without_a_person():
    """Nobody comes within the limit."""
    plan = planned(20, "canary", stages=[10, 100], gates=True, gate_limit_seconds=300)
    run = simulate(plan, promote_after_seconds=None)
    assert ending(run) == (State.FAILED, "gate_limit", "")
    assert run.duration_seconds == 300


def test_a_person_at_a_held_gate_comes_back_after_the_resume():
    """A promotion while paused would be refused; the gate counts anew after that."""
    plan = planned(20, "canary", stages=[10, 100], gates=True)
    run = simulate(
        plan,
        promote_after_seconds=50,
        commands=[(20, Pause("alice")), (80, Resume("alice"))],
    )
    assert (run.duration_seconds, run.outcome) == (80 + 50, "clean")


def test_a_switch_that_fails_halts():
    """The slot that served still serves."""
    run = simulate(in_slots(), World(faults=(Fault(router=True),)))
    assert ending(run) == (State.FAILED, "shift_failed", "")
    assert (run.serving, run.touched) == ("blue", 3)


def test_H8_a_regression_after_the_switch_leads_traffic_back():
    """Nothing is changed back: the old slot still stands."""
    plan = in_slots(bake_seconds=600, on_failure="rollback")
    world = World(
        shift=Between(5, 5),
        faults=(Fault(ids=frozenset({"g1"}), effect="regresses", after_seconds=65),),
    )
    run = simulate(plan, world)
    assert run.states[1:] == ((65, State.ROLLING_BACK), (70, State.ROLLED_BACK))
    assert run.serving == "blue"


def test_a_switch():
    """The slot that was changed serves."""
    run = simulate(in_slots())
    assert (run.state, run.serving) == (State.COMPLETED, "green")


# -- what holds for every run -------------------------------------------------------


def test_commands_are_refused_as_ever():
    """There is no gate to promote."""
    world, early = World(apply=Between(9, 9)), [(5, Promote("alice"))]
    with pytest.raises(CommandRefused, match="at work, not at a gate"):
        simulate(planned(3), world, commands=early)


ANY = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 4),
        "parallelism": st.none() | st.integers(1, 3),
        "max_failures": st.none() | st.integers(0, 3),
        "retries": st.integers(0, 1),
        "min_healthy": st.integers(0, 4),
        "on_failure": st.sampled_from(["halt", "rollback", "freeze"]),
    }
)


@given(ANY, st.integers(5, 12), st.sampled_from(["rolling", "canary"]), st.data())
@settings(max_examples=60, deadline=None, database=None)
def test_L4_it_is_the_ledger_run_by_hand(options, count, name, data):
    """The same facts in the same order, when everything takes no time."""
    ids = st.sets(st.integers(0, count - 1), max_size=4)
    bad = data.draw(ids)
    plan = planned(count, name, **options)
    hit = {f"t{n}" for n in bad}
    run = simulate(plan, broken(*hit))

    def outcome(claim):
        ahead = claim.direction is Direction.FORWARD
        return S.FAILED if ahead and claim.target.id in hit else S.SUCCEEDED

    world = worlds.World(plan).start().finish(outcome)
    made = [[f for f in facts if not _names_somebody(f)] for _, facts in run.events]
    hand = [
        [f for f in facts if not _names_somebody(f)] for _, facts in world.ledger.events
    ]
    assert made == hand
    assert ending(run) == world.rest


def _names_somebody(fact):
    return type(fact).__name__ == "Started"


@given(ANY, st.integers(1, 30), st.integers(0, 10**6), st.integers(0, 10))
@settings(max_examples=60, deadline=None, database=None)
def test_invariants_of_every_run(options, count, seed, tenths):
    """Never more in flight than allowed, a replay, one blast radius, the same again."""
    options["min_healthy"] = min(options["min_healthy"], count - 1)
    plan = planned(count, **options)
    world = World(
        seed=seed,
        apply=Between(1, 60),
        faults=(
            Fault(share=Fraction(tenths, 20)),
            Fault(share=Fraction(tenths, 20), effect="regresses", after_seconds=30),
        ),
    )
    run = simulate(plan, world)
    assert run.most_open <= plan.course.limits.parallelism
    assert all(s.open <= plan.course.limits.parallelism for s in run.trajectory)
    assert replay(plan.course, run.events) == run.progress
    assert run.touched_when_halted in (None, run.touched)
    times = [sample.at_seconds for sample in run.trajectory]
    assert times == sorted(times)
    assert simulate(plan, world) == run


def test_places_bound_what_is_in_flight():
    """As many as the workers hold, however many a batch has."""
    run = simulate(planned(9, batch_size=9), World(apply=Between(1, 9)), places=2)
    assert (run.most_open, run.state) == (2, State.COMPLETED)


def test_draws_depend_on_seed_and_target_alone():
    """The same seed hits the same; about as many as the share says."""
    share = Fault(share=Fraction(1, 4))

    def hit(seed):
        world = World(seed=seed, faults=(share,))
        return {n for n in range(4000) if world.hit(f"t{n}", Direction.FORWARD, 1)}

    assert hit(1) == hit(1) != hit(2)
    assert all(900 < len(hit(seed)) < 1100 for seed in (1, 2))


def test_a_canary_works_with_the_first_stages_that_it_planned():
    """Batches are opened as planned, one each stage; stages that add none are not."""
    run = simulate(planned(3, "canary"))
    opened = [f for _, facts in run.events for f in facts if isinstance(f, BatchOpened)]
    assert [(f.start, f.stop) for f in opened] == [(0, 1), (1, 2), (2, 3)]
    assert run.trajectory[-1].stage == 4
    assert run.events[0][0] == EPOCH


def test_100000_targets():
    """A large fleet comes to its end; how soon is the benchmark's affair."""
    plan = planned(100_000, batch_size=1000)
    run = simulate(plan, World(apply=Between(30, 30)))
    assert (run.outcome, run.touched) == ("clean", 100_000)
    assert run.duration_seconds == 3000


@pytest.mark.parametrize("wrong", [(-1, 2), (3, 2)])
def test_durations_lie_between_two_bounds(wrong):
    """Of at least 0 seconds, in order."""
    with pytest.raises(ValueError, match="two bounds"):
        Between(*wrong)


def test_a_share_lies_between_none_and_all():
    """Everything else is refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Fault(share=Fraction(3, 2))
