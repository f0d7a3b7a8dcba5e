"""A canary's share of the traffic: its steps, its way back, the library's own way."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from strategies import (
    CanaryDeployment,
    DeploymentState,
    Fault,
    InvalidOptions,
    RouterSight,
    State,
    World,
    simulate,
)
from strategies import Direction as D
from strategies.operations import FirstLook, Move, Sight, first_look, settled
from strategies.preview import preview
from strategies.simulated import Simulated
from strategies.states import Kind, OperationState
from strategies.steps import Bake, Deploy, Weigh
from strategies.weights import EVENLY, Weights
from tests.strategies.fakes import Site, targets
from tests.strategies.plans import fleet, weighed_of
from tests.strategies.worlds import RETURN, S
from tests.strategies.worlds import World as Story

# -- the plan --------------------------------------------------------------------------


def test_a_share_is_set_before_its_stage_and_all_is_as_it_was_before_the_last():
    steps = weighed_of(10, stages="10, 50").course.steps
    assert [type(step) for step in steps] == [
        Weigh,
        Deploy,
        Weigh,
        Deploy,
        Weigh,
        Deploy,
    ]
    led = [(s.from_slot, s.to_slot) for s in steps if isinstance(s, Weigh)]
    assert led == [("even", "5% to 1"), ("5% to 1", "20% to 5"), ("20% to 5", "even")]


def test_what_ran_the_version_already_is_among_the_first():
    """It answers as the canary does, so it is in its share."""
    candidates = fleet(12)
    candidates[3] = type(candidates[3])("t3", "v2")
    strategy = CanaryDeployment("10, 50", traffic_shares="5, 20")
    plan = strategy.plan(candidates, "v2", router=RouterSight("r", "even", ()))
    assert [s.to_slot for s in plan.course.steps if isinstance(s, Weigh)] == [
        "5% to 3",
        "20% to 7",
        "even",
    ]
    assert [s.id for s in plan.skipped] == ["t3"]


def test_a_stage_may_add_traffic_alone():
    """Traffic is not targets: with few of them it still grows from stage to stage."""
    plan = weighed_of(4, stages="10, 20", stage_duration_seconds=60)
    kinds = [type(s) for s in plan.course.steps if not isinstance(s, Deploy)]
    assert kinds == [Weigh, Bake, Weigh, Bake, Weigh]
    assert not any("passed over" in notice for notice in plan.notices)
    stages = preview(plan).stages
    assert [(s.size, s.traffic) for s in stages] == [(1, "5%"), (0, "20%"), (3, "even")]
    assert [stage.is_passed_over for stage in stages] == [False, False, False]
    assert [stage.number for stage in stages] == [1, 2, 3]


def test_equal_shares_of_the_same_targets_are_set_once():
    plan = weighed_of(4, stages="10, 20", traffic_shares="5, 5")
    led = [s.to_slot for s in plan.course.steps if isinstance(s, Weigh)]
    assert led == ["5% to 1", "even"]
    assert any("Stage 2 (20%) adds no target" in notice for notice in plan.notices)


def test_one_target_alone_shares_nothing():
    plan = weighed_of(1)
    assert not plan.course.weighs
    assert any("traffic is not shared" in notice for notice in plan.notices)


def test_the_hash_of_plans_without_shares_is_what_it_was():
    """A new option must not touch what was approved."""
    plan = CanaryDeployment("10, 50").plan(fleet(10), "v2")
    assert "traffic" not in plan.canonical()


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ("5", "must be 2, one for each stage but the last, not 1"),
        ("5, 10, 20", "must be 2, one for each stage but the last, not 3"),
        ("10, 5", "must be less than 100% and not fall from stage to stage"),
        ("5, 100", "must be less than 100% and not fall from stage to stage"),
        ("5, x", "must be a whole number or a percentage, not 'x%'"),
        ("5, -1", "must be a whole number or a percentage, not '-1%'"),
    ],
)
def test_shares_that_make_no_sense(shares: str, says: str):
    with pytest.raises(InvalidOptions) as refused:
        CanaryDeployment("10, 50", traffic_shares=shares)
    assert refused.value.errors == {"traffic_shares": says}


@pytest.mark.parametrize(
    ("sight", "says"),
    [
        (RouterSight("r", "blue", ("blue", "green")), "leads traffic to slots"),
        (RouterSight("r", "uneven", ()), "is not shared as the load balancer's"),
        (RouterSight("r", "5% to 1", ()), "is not shared as the load balancer's"),
    ],
)
def test_a_router_that_cannot_do_it_now(sight: RouterSight, says: str):
    strategy = CanaryDeployment("10, 50", traffic_shares="5, 20")
    with pytest.raises(InvalidOptions, match=says):
        strategy.plan(fleet(10), "v2", router=sight)


@pytest.mark.parametrize("bad", ["", "5%", "5% to 0", "5% to x", "101% to 1", "Even"])
def test_what_is_no_share_is_not_read(bad: str):
    with pytest.raises(ValueError, match=r"no weights|between 0%"):
        Weights.read(bad)


def test_shares_are_read_as_they_are_written():
    for weights in (EVENLY, Weights(1, 0), Weights(12_000, 1), Weights(3, 1250)):
        assert Weights.read(weights.written()) == weights


# -- the way back ----------------------------------------------------------------------


def failing(*positions: int) -> Any:
    return lambda claim: (
        S.FAILED
        if claim.direction is not RETURN and claim.position in positions
        else S.SUCCEEDED
    )


def test_weights_go_back_last_and_as_one():
    """Until the targets are back, the faulty version keeps its small share."""
    story = Story(weighed_of(10, on_failure="rollback")).start().finish(failing(3))
    assert story.rest[0] is State.ROLLED_BACK
    # Positions 10 and 11 are the shares that were set: the first says what was before.
    assert story.calls(RETURN) == [4, 3, 2, 1, 0, 10]
    assert [s.value for s in story.states(RETURN)] == ["succeeded"] * 6


def test_weights_stay_while_a_target_is_not_restored():
    story = Story(weighed_of(10, on_failure="rollback")).start()

    def outcome(claim: Any) -> OperationState:
        back = claim.direction is RETURN
        return S.FAILED if claim.position == (2 if back else 3) else S.SUCCEEDED

    story.finish(outcome)
    assert story.rest[:2] == (State.ROLLBACK_FAILED, "not_restored")
    assert 10 not in story.calls(RETURN)


def test_a_share_that_cannot_be_set_halts_before_a_target_is_touched():
    story = Story(weighed_of(10)).start().finish(failing(10))
    assert story.rest[:2] == (State.FAILED, "shift_failed")
    assert story.calls() == [10]


def test_a_halt_leaves_the_share_as_it_is():
    story = Story(weighed_of(10)).start().finish(failing(3))
    assert story.rest[0] is State.FAILED
    assert story.calls(RETURN) == []


def test_a_simulation_counts_stages_as_a_preview_does():
    plan = weighed_of(10, stage_duration_seconds=60)
    run: Simulated = simulate(plan)
    assert run.serving is None
    assert (
        max(sample.stage for sample in run.trajectory) == 3 == len(preview(plan).stages)
    )


def test_a_simulated_router_that_refuses_touches_no_target():
    plan = weighed_of(10, on_failure="rollback")
    run = simulate(plan, World(faults=(Fault(router=True, share=Fraction(1)),)))
    assert (run.state, run.touched) == (State.ROLLED_BACK, 0)
    assert run.halt is not None
    assert run.halt.rule == "shift_failed"


# -- one operation ---------------------------------------------------------------------


def move(direction: D, was: str | None, to: str, attempt: int = 1) -> Move:
    return Move(direction, was, to, attempt, Kind.SHIFT, weighs=True)


@pytest.mark.parametrize(
    ("asked", "found", "means"),
    [
        (move(D.FORWARD, "even", "5% to 1"), "even", FirstLook.APPLY),
        # Both come to the same weights: nothing is to be set, and it is ours.
        (move(D.FORWARD, "even", "5% to 1"), "5% to 1", FirstLook.APPLY),
        (move(D.FORWARD, "even", "5% to 1", 2), "5% to 1", FirstLook.FOUND_DONE),
        (move(D.FORWARD, "5% to 1", "20% to 5"), "even", FirstLook.REFUSE),
        (move(D.FORWARD, "even", "5% to 1"), None, FirstLook.REFUSE),
        (move(D.RETURN, None, "even"), None, FirstLook.APPLY),
        (move(D.RETURN, None, "even"), "20% to 5", FirstLook.APPLY),
        (move(D.RETURN, None, "even"), "even", FirstLook.SKIP),
    ],
)
def test_what_is_found_before_a_share_is_set(
    asked: Move, found: str | None, means: FirstLook
):
    assert first_look(asked, Sight(found, found is not None)) is means


@pytest.mark.parametrize(
    ("asked", "found", "quiet", "state"),
    [
        (move(D.FORWARD, "even", "5% to 1"), "5% to 1", False, S.SUCCEEDED),
        (move(D.FORWARD, "even", "5% to 1"), "even", True, S.PENDING),
        (move(D.FORWARD, "even", "5% to 1"), "even", False, S.UNRESOLVED),
        (move(D.FORWARD, "even", "5% to 1"), None, True, S.UNRESOLVED),
        (move(D.RETURN, None, "even"), None, True, S.PENDING),
        (move(D.RETURN, None, "even"), "5% to 1", False, S.UNRESOLVED),
    ],
)
def test_what_became_of_a_share_whose_answer_was_lost(
    asked: Move, found: str | None, quiet: bool, state: OperationState
):
    sight = Sight(found, found is not None)
    assert settled(asked, sight, may_redo=quiet) is state


# -- the library -----------------------------------------------------------------------


class Balancer:
    """Notes each share that is set, among what is deployed."""

    def __init__(self, site: Site, *, refuses: object = None) -> None:
        self.site, self.refuses = site, refuses

    def share(self, percent: float, first: list[Any]) -> bool:
        self.site.log.append(("share", percent, [target.id for target in first]))
        return percent != self.refuses


def deployed(site: Site, balancer: Balancer, count: int = 4, **options: Any) -> Any:
    given = {"traffic_shares": [2.5, 20], "stage_duration_seconds": 0, **options}
    strategy = CanaryDeployment([25, 50], traffic_fn=balancer.share, **given)
    result = strategy.deploy(targets(count), "v2", site.deploy, clock=site.clock)
    return strategy, result


def shares(site: Site) -> list[Any]:
    return [entry[1:] for entry in site.log if entry[0] == "share"]


def test_the_library_is_told_each_share_with_its_targets():
    site = Site()
    _, result = deployed(site, Balancer(site))
    assert result.state is DeploymentState.COMPLETED
    assert shares(site) == [(2.5, ["t0"]), (20, ["t0", "t1"]), (100, [])]
    assert [entry[0] for entry in site.log] == [
        *("share", "deploy", "share", "deploy", "share", "deploy", "deploy"),
    ]
    assert "active_slot" not in result.metadata


def test_a_share_that_could_not_be_set_fails_with_a_sentence():
    site = Site()
    _, result = deployed(site, Balancer(site, refuses=20))
    assert result.state is DeploymentState.FAILED
    assert result.errors == ["sharing traffic 20% to 2: traffic_fn returned False"]
    assert result.metadata["halt"]["rule"] == "shift_failed"


def test_rolling_back_ends_with_an_even_share():
    site = Site(failing={"t1"})
    strategy, result = deployed(site, Balancer(site))
    assert result.state is DeploymentState.FAILED
    site.failing = set()
    site.log.clear()
    back = strategy.rollback(targets(4), "v1", site.deploy, clock=site.clock)
    assert back.state is DeploymentState.ROLLED_BACK
    assert shares(site) == [(100, [])]
    assert site.log[-1][0] == "share"
    # Nothing is owed to the balancer any more.
    site.log.clear()
    strategy.rollback(targets(4), "v1", site.deploy, clock=site.clock)
    assert shares(site) == []


def test_without_what_sets_it_nothing_is_touched():
    site = Site()
    strategy = CanaryDeployment([25, 50], traffic_shares=[2, 20])
    with pytest.raises(InvalidOptions, match="give what sets it"):
        strategy.deploy(targets(4), "v2", site.deploy, clock=site.clock)
    assert site.log == []
