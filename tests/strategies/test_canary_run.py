"""Canary, as life stories: thresholds to the last target, stages, halts, returns."""

from __future__ import annotations

import pytest

from strategies.canary import CanaryDeployment
from strategies.errors import CommandRefused
from strategies.messages import Halted, StepSkipped
from strategies.plan import Candidate
from strategies.states import State
from tests.strategies.plans import canary_of, fleet
from tests.strategies.worlds import RETURN, S, World, check_replay


def failing(*positions):
    """Return an outcome that fails at these positions on the way forward."""

    def outcome(claim):
        bad = claim.direction is not RETURN and claim.position in positions
        return S.FAILED if bad else S.SUCCEEDED

    return outcome


def ended(count, *bad, **options):
    """Run a canary to its end, with these positions failing."""
    return World(canary_of(count, **options)).start().finish(failing(*bad))


def stage_of(size):
    """Return the options of a canary whose first stage is half the fleet."""
    return {"stages": [50, 100]}, 2 * size


@pytest.mark.parametrize(
    ("size", "threshold", "bad", "passes"),
    [
        pytest.param(20, "95%", 1, True, id="B7-D2"),
        pytest.param(19, "95%", 1, False, id="B8"),
        pytest.param(100, "95%", 5, True, id="B9-5"),
        pytest.param(100, "95%", 6, False, id="B9-6"),
        pytest.param(1000, "95%", 50, True, id="B10-50"),
        pytest.param(1000, "95%", 51, False, id="B10-51"),
        pytest.param(1, "95%", 1, False, id="B11"),
        pytest.param(11, "90%", 1, True, id="B13"),
        pytest.param(10, "95%", 1, False, id="B14"),
        pytest.param(10, "91%", 1, False, id="D2-no-rounding-to-a-count"),
        pytest.param(10, "90%", 1, True, id="D2-exactly"),
        pytest.param(4, 1, 1, False, id="all-of-them"),
        pytest.param(4, 0, 3, True, id="none-of-them"),
    ],
)
def test_threshold_of_a_stage(size, threshold, bad, passes):
    """Pass iff successes x 10,000 >= threshold x attempted (B7 to B14, D2)."""
    options, count = stage_of(size)
    world = World(canary_of(count, success_threshold=threshold, **options))
    world.start().flush().report(
        {n: S.FAILED if n < bad else S.SUCCEEDED for n in range(size)}
    )
    assert (world.p.halt is None, len(world.calls()) > size) == (passes, passes)
    if not passes:
        tolerated = bad - 1 if size > 1 else 0
        assert world.rest == (State.FAILED, "success_threshold", "")
        assert world.halted.sample == size
        assert world.halted.observed == world.halted.threshold + 1 <= tolerated + 1


def test_B16_accepted_failures():
    """999 of 1000 with one failure in the last stage: completed, and it says how."""
    world = ended(1000, 999)
    assert world.rest == (State.COMPLETED, "", "completed_with_failures")
    assert (world.p.whole.succeeded, world.p.whole.failed) == (999, 1)


def test_D4_require_all():
    """The strict mode fails it all the same."""
    assert ended(1000, 999, require_all=True).rest[:2] == (
        State.FAILED,
        "targets_failed",
    )


@pytest.mark.parametrize("policy", ["halt", "freeze", "rollback"])
def test_E1_a_failed_stage_stops(policy):
    """No further target is touched; what follows is the policy's affair."""
    world = ended(10, 0, on_failure=policy)
    assert world.calls() == [0]
    assert world.halted == Halted("success_threshold", 1, 0, 1, (0,))
    state = State.ROLLED_BACK if policy == "rollback" else State.FAILED
    assert world.rest[0] is state


def test_it_halts_before_the_last_report():
    """The threshold can no longer be reached: it does not wait for the others."""
    world = World(canary_of(20, stages=[50, 100])).start().flush()
    world.report({0: S.FAILED})
    assert world.halted == Halted("success_threshold", 1, 0, 10, (0,))
    assert world.state is State.IN_PROGRESS
    rest = dict.fromkeys(range(1, 10), S.SUCCEEDED)
    assert world.report(rest).rest[0] is State.FAILED


def test_stages_one_after_the_other():
    """Each stage begins when the one before has passed."""
    world = World(canary_of(10)).start().flush()
    assert world.calls() == [0]
    world.report({0: S.SUCCEEDED})
    assert world.calls() == [0, 1, 2]
    world.report({1: S.SUCCEEDED})
    assert world.calls() == [0, 1, 2]
    assert world.finish().calls() == list(range(10))
    check_replay(world.ledger)


def test_A1_stages_that_add_nothing_take_no_time():
    """One target: three stages are passed over, on the record."""
    world = ended(1, stage_duration_seconds=600)
    assert (world.seconds, world.rest) == (0, (State.COMPLETED, "", "clean"))
    skipped = [f.step for f in world.facts if isinstance(f, StepSkipped)]
    assert skipped == [1, 2, 3]


def test_A3_bakes_of_the_stages_that_add_something():
    """Three targets have two bakes, not three."""
    assert ended(3, stage_duration_seconds=600).seconds == 1200


def test_C2_no_op():
    """All there already: completed at once, without a call."""
    world = World(CanaryDeployment().plan(fleet(3), "v1")).start(places=9)
    assert (world.rest, world.calls()) == ((State.COMPLETED, "", "no_op"), [])


def test_C3_rates_are_of_the_attempted():
    """Half is there already: one failure of the five others is one in five."""
    mixed = fleet(5) + [Candidate(f"d{n}", "v2") for n in range(5)]
    plan = CanaryDeployment([20, 100], 0, success_threshold="75%").plan(mixed, "v2")
    world = World(plan).start().finish(failing(1))
    assert world.rest == (State.COMPLETED, "", "completed_with_failures")
    world = World(plan).start().finish(failing(0))
    assert world.halted.sample == 1


def test_C7_a_removed_target_is_in_no_rate():
    """Two of 20 are gone: one failure of the 18 others is more than 5 %."""
    world = World(canary_of(40, stages=[50, 100]))
    world.ledger.removed |= {18, 19}
    world.start(places=99)
    assert world.calls() == list(range(18))
    world.report({0: S.FAILED})
    assert world.halted == Halted("success_threshold", 1, 0, 18, (0,))


def test_C7_a_removed_target_of_a_later_stage():
    """Who is gone from a later stage changes no earlier rate, nor any stage's size."""
    world = World(canary_of(40, stages=[50, 100]))
    world.ledger.removed |= set(range(30, 40))
    world.start(places=99).finish(failing(0))
    assert world.calls() == list(range(30))
    assert world.rest == (State.COMPLETED, "", "completed_with_failures")


def test_C7_found_done_is_in_no_rate():
    """What was there already was not attempted."""
    world = World(canary_of(40, stages=[50, 100])).start(places=99)
    world.report({1: S.SKIPPED, 2: S.SKIPPED, 0: S.FAILED})
    assert world.halted.sample == 18


def test_a_budget_besides_the_threshold():
    """max_failures counts in the fleet, whatever a stage tolerates."""
    world = ended(100, 0, 50, stages=[50, 100], max_failures=1)
    assert world.halted.rule == "max_failures"
    assert world.halted.positions == (0, 50)


def test_B21_nothing_succeeded():
    """A threshold of nothing still needs one success."""
    world = ended(2, 0, 1, success_threshold=0)
    assert world.rest == (State.FAILED, "nothing_succeeded", "")


def test_unresolved_is_no_failure_before_a_person_spoke():
    """D12, J3: it holds; resumed over, it counts, and then the threshold speaks."""
    world = World(canary_of(10)).start().flush().report({0: S.UNKNOWN})
    assert world.p.halt is None
    world.report({0: S.UNRESOLVED})
    assert (world.state, world.p.halt) == (State.PAUSED, None)
    assert world.resume().rest == (State.FAILED, "success_threshold", "")


def test_G1_G5_a_return_knows_no_stages():
    """Only the touched, latest first, without bakes or gates, each once."""
    world = World(canary_of(10, stage_duration_seconds=600, gates=True))
    world.start().finish().promote().finish().promote().finish()
    assert world.calls() == [0, 1, 2, 3, 4]
    before = world.seconds
    world.roll_back().finish()
    assert (world.calls(RETURN), world.seconds) == ([4, 3, 2, 1, 0], before)
    assert world.rest == (State.ROLLED_BACK, "", "")


def test_G11_frozen():
    """With freeze, what a rule has stopped may not be taken back, by anybody."""
    world = ended(10, 0, on_failure="freeze")
    with pytest.raises(CommandRefused) as refused:
        world.roll_back()
    assert (refused.value.code, world.rest[0]) == ("frozen", State.FAILED)


def test_unhealthy_ones_cost_no_room_in_the_last_stage():
    """With a floor, the last stage takes broken targets beside the healthy."""
    plan = canary_of(4, stages=[25, 100], unhealthy=[3], min_healthy=2)
    world = World(plan, unhealthy=[3]).start(places=9).report({0: S.SUCCEEDED})
    assert world.calls() == [0, 1, 3]
