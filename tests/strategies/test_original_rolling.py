"""The original module's API, rolling: its faults by number, and what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from strategies import (
    CommandRefused,
    DeploymentState,
    InvalidOptions,
    RollingDeployment,
    create_strategy,
)
from tests.strategies.fakes import Site, targets
from tests.strategies.worlds import World, plan_of


def roll(site, fleet, version="v2", **options):
    """Deploy in batches of two, and return the strategy and its result."""
    strategy = RollingDeployment(**{"batch_size": 2, **options})
    return strategy, strategy.deploy(fleet, version, site.deploy, clock=site.clock)


def test_s1_a_failing_rollout_stops():
    """The original went through all batches; the first that fails halts, and ends."""
    site = Site(failing={f"t{n}" for n in range(6)})

    _, result = roll(site, targets(6))

    assert site.called == ["t0", "t1"]
    assert (result.state, result.success) == (DeploymentState.FAILED, False)
    assert (result.targets_updated, result.targets_failed) == (0, 2)
    assert result.metadata["halt"] == {
        "rule": "max_failures",
        "observed": 1,
        "threshold": 0,
        "sample": 6,
    }


def test_b1_a_batch_that_began_is_finished():
    """What is in flight is not cancelled; one at a time, nothing else is."""
    site, single = Site(failing={"t0"}), Site(failing={"t0"})

    roll(site, targets(6))
    roll(single, targets(6), parallelism=1)

    assert site.called == ["t0", "t1"]
    assert single.called == ["t0"]


@pytest.mark.parametrize("size", [-1, 0])
def test_s2_s3_impossible_batch_sizes_are_refused_when_made(size):
    """The original succeeded with -1 and no call, and broke on 0 while running."""
    with pytest.raises(ValueError, match="batch_size: must be at least 1"):
        RollingDeployment(batch_size=size)


def test_s4_a_rollback_ends_rolled_back():
    """The original called it COMPLETED."""
    site, fleet = Site(), targets(3)
    strategy, _ = roll(site, fleet)

    result = strategy.rollback(fleet, "v1", site.deploy)

    assert (result.state, result.success) == (DeploymentState.ROLLED_BACK, True)
    assert result.targets_updated == 3
    assert [target.version for target in fleet] == ["v1"] * 3


def test_s17_g1_only_what_was_touched_is_taken_back_and_each_to_its_own():
    """The original took all given targets to one version; the last goes back first."""
    fleet = targets(10)
    fleet[1].version = "v0"
    site = Site(failing={"t2"})
    strategy, _ = roll(site, fleet)
    site.failing = ()
    site.log.clear()

    result = strategy.rollback(fleet, "v7", site.deploy)

    assert site.calls == [("t3", "v1"), ("t2", "v1"), ("t1", "v0"), ("t0", "v1")]
    assert result.metadata["restored_targets"] == ["t0", "t1", "t2", "t3"]
    assert result.metadata["skipped_targets"] == [f"t{n}" for n in range(4, 10)]


def test_s18_a_target_given_twice_is_deployed_once():
    """The original deployed it twice; both objects of one id are told the version."""
    first, again = targets(1) + targets(1)
    site = Site()

    _, result = roll(site, [first, again, first])

    assert site.called == ["t0"]
    assert (first.version, again.version) == ("v2", "v2")
    assert result.targets_updated == 1
    assert result.metadata["notices"] == [
        "2 targets were named twice and are taken once"
    ]


def test_s20_a_pause_is_a_state_and_a_delay_is_handed_in():
    """The original never set PAUSED, and slept in line with nothing to stop it."""
    world = World(plan_of(3)).start(places=1).pause()
    assert DeploymentState.of(world.state) is DeploymentState.IN_PROGRESS
    world.finish()
    assert DeploymentState.of(world.state) is DeploymentState.PAUSED
    assert world.calls() == [0]

    site = Site()
    roll(site, targets(3), delay_seconds=3600)
    assert site.clock.slept == [3600]


def test_a19_delays_stand_between_batches_only():
    """Five in batches of two wait twice; there is no wait after the last."""
    site = Site()

    _, result = roll(site, targets(5), delay_seconds=10)

    assert [entry[0] for entry in site.log] == (
        ["deploy"] * 2 + ["wait"] + ["deploy"] * 2 + ["wait"] + ["deploy"]
    )
    assert result.duration_ms == 20_000


def test_max_failures_none_is_the_original_rolling():
    """It never stops, and is FAILED at its end if any failed."""
    site = Site(failing={"t0", "t3"})

    _, result = roll(site, targets(6), max_failures=None, delay_seconds=0)

    assert site.called == [f"t{n}" for n in range(6)]
    assert result.state is DeploymentState.FAILED
    assert (result.targets_updated, result.targets_failed) == (4, 2)
    assert result.metadata["failed_targets"] == ["t0", "t3"]


def test_what_a_callback_raises_is_that_targets_error():
    """Its id, its kind and its text are there; a false answer says so too."""
    site = Site(raising={"t0"}, failing={"t1"})

    _, result = roll(site, targets(2))

    assert result.errors == [
        "t0: deploy_fn raised ConnectionError: no route",
        "t1: deploy_fn returned False",
    ]


def test_version_and_health_are_written_when_they_are_known():
    """The version when its deploy succeeded, health when it was checked: both true."""
    fleet = targets(3)
    site = Site(failing={"t0"}, sick={"t1"})

    roll(site, fleet, batch_size=3, health_check=site.check)

    assert [target.version for target in fleet] == ["v1", "v2", "v2"]
    assert [target.healthy for target in fleet] == [True, False, True]
    assert [e for e in site.log if e[0] == "check"] == [
        ("check", "t1"),
        ("check", "t2"),
    ]


def test_a_health_check_that_raises_counts_as_failed():
    """An error is no health; nothing escapes to the caller."""

    def check(target):
        raise OSError("refused")

    _, result = roll(Site(), targets(1), health_check=check)

    assert result.errors == ["t0: health_check raised OSError: refused"]
    assert result.state is DeploymentState.FAILED


def test_a_retry_that_succeeds_is_a_success():
    """The failure before it leaves no error; no other target is asked twice."""
    site = Site(failing={"t0"})

    def deploy(target, version):
        ok = site.deploy(target, version)
        site.failing = ()
        return ok

    result = RollingDeployment(retries=1).deploy(targets(1), "v2", deploy)

    assert (site.called, result.errors) == (["t0", "t0"], [])
    assert result.targets_updated == 1


def test_on_failure_rollback_takes_back_at_once():
    """It ends ROLLED_BACK, a success; what had failed is still said."""
    fleet, site = targets(4), Site(sick={"t1"})
    health = {"health_check": lambda t: t.version == "v1" or site.check(t)}

    _, result = roll(site, fleet, on_failure="rollback", **health)

    assert site.calls[2:] == [("t1", "v1"), ("t0", "v1")]
    assert (result.state, result.success) == (DeploymentState.ROLLED_BACK, True)
    assert (result.targets_updated, result.targets_failed) == (0, 1)
    assert result.errors == ["t1: health_check returned False"]
    assert [t.version for t in fleet] == ["v1"] * 4


def test_a_return_to_an_unknown_version_is_an_error_not_a_guess():
    """Nobody said what it ran, so `deploy_fn` is not called for it."""
    site = Site(failing={"t0"})

    _, result = roll(site, targets(1, version=None), on_failure="rollback")

    assert site.calls == [("t0", "v2")]
    assert result.state is DeploymentState.FAILED
    assert result.errors[1:] == [
        "t0: rolling back: nobody knows which version it ran before"
    ]


def test_a_frozen_halt_refuses_the_way_back():
    """That is what freezing is for; the next deployment ends it."""
    fleet, site = targets(2), Site(failing={"t0"})
    strategy, _ = roll(site, fleet, on_failure="freeze")

    with pytest.raises(CommandRefused, match="freezes on failure"):
        strategy.rollback(fleet, "v1", site.deploy)

    site.failing = ()
    strategy.deploy(fleet, "v3", site.deploy)
    assert strategy.rollback(fleet, "v1", site.deploy).success


def test_nothing_given_and_nothing_to_do_are_no_ops():
    """Neither calls anything; what runs the version is named as skipped."""
    site = Site()
    strategy, empty = roll(site, [])
    done = strategy.deploy(targets(2), "v1", site.deploy)

    assert site.log == []
    for result in (empty, done):
        assert result.state is DeploymentState.COMPLETED
        assert result.metadata["no_op"] is True
    assert done.metadata["skipped_targets"] == ["t0", "t1"]
    assert strategy.rollback([], "v0", site.deploy).state is DeploymentState.ROLLED_BACK


def test_positional_options_and_defaults_are_kept():
    """As the original had them, by position and by name."""
    strategy = RollingDeployment(3, 1.5, str)
    made = create_strategy("rolling", batch_size=3, delay_seconds=1.5, health_check=str)

    assert strategy == made
    assert RollingDeployment() == RollingDeployment(1, 5.0, None)
    assert strategy.on_failure == "halt"
    positional: Any = (1, 5.0, None, 0)
    with pytest.raises(TypeError):
        RollingDeployment(*positional)


@pytest.mark.parametrize(
    ("name", "options"),
    [("big_bang", {}), ("rolling", {"size": 2}), ("rolling", {"health_check": 5})],
)
def test_what_cannot_be_made_is_a_value_error(name, options):
    """Also an unknown strategy, and a callback that cannot be called."""
    with pytest.raises(InvalidOptions) as refused:
        create_strategy(name, **options)
    assert isinstance(refused.value, ValueError)
