"""The original module's API, canary: its faults by number, and what is kept of it.

S19, the analyzer that promoted without data, has no counterpart here: no metric is
read yet, so none can be missing.
"""

from __future__ import annotations

from itertools import groupby

import pytest

from strategies import CanaryDeployment, DeploymentState, Health, InvalidOptions
from tests.strategies.fakes import FakeClock, Site, targets


def canary(site, fleet, stages=None, **options):
    """Deploy, and return the strategy and its result."""
    strategy = CanaryDeployment(stages, **options)
    return strategy, strategy.deploy(fleet, "v2", site.deploy, clock=site.clock)


def waves(site):
    """Return how many were deployed between one wait and the next."""
    runs = groupby(site.log, key=lambda entry: entry[0])
    return [len(list(entries)) for kind, entries in runs if kind == "deploy"]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (1, [1]),
        (3, [1, 1, 1]),
        (7, [1, 1, 2, 3]),
        (10, [1, 2, 2, 5]),
        (1000, [100, 150, 250, 500]),
    ],
)
def test_s9_no_stage_is_empty_and_none_waits_for_nothing(count, sizes):
    """The original rounded down: N=3 waited twice for stages without a target."""
    site = Site()

    canary(site, targets(count))

    assert waves(site) == sizes
    assert site.clock.slept == [60.0] * (len(sizes) - 1)


def test_s10_failures_within_the_threshold_are_accepted():
    """The original FAILED at 999 of 1000; it is completed, with the failure named."""
    _, result = canary(Site(failing={"t999"}), targets(1000))

    assert (result.state, result.success) == (DeploymentState.COMPLETED, True)
    assert (result.targets_updated, result.targets_failed) == (999, 1)
    assert result.metadata["outcome"] == "completed_with_failures"
    assert result.metadata["failed_targets"] == ["t999"]
    assert result.errors == ["t999: deploy_fn returned False"]


def test_s10_strictness_is_an_option():
    """With require_all the same is FAILED, as the original had it."""
    _, result = canary(Site(failing={"t999"}), targets(1000), require_all=True)

    assert (result.state, result.success) == (DeploymentState.FAILED, False)
    assert result.metadata["reason"] == "targets_failed"
    assert "stopped_at_stage" not in result.metadata


@pytest.mark.parametrize(
    ("failed", "state"),
    [(5, DeploymentState.COMPLETED), (6, DeploymentState.FAILED)],
)
def test_s11_exactly_the_threshold_passes(failed, state):
    """95 of 100 was not halted by the original, and FAILED all the same."""
    site = Site(failing={f"t{n}" for n in range(failed)})

    _, result = canary(site, targets(100), [100])

    assert result.state is state


@pytest.mark.parametrize("stages", [[50, 10], [0, 100], [10, 10], [10, 101], []])
def test_s12_stages_that_do_not_grow_are_refused(stages):
    """The original sliced with a negative bound, and deployed one more."""
    with pytest.raises(InvalidOptions, match="stages"):
        CanaryDeployment(stages)


def test_s13_the_last_stage_is_all():
    """The original completed with 5 of 20; 100 is appended, and said."""
    site = Site()

    _, result = canary(site, targets(20), [10, 25])

    assert result.targets_updated == len(site.called) == 20
    assert waves(site) == [2, 3, 15]
    assert "100% was appended" in result.metadata["notices"][0]


def test_s14_percentages_are_of_what_needs_the_change():
    """The original changed all the rest in the stage of 50%, five being done."""
    fleet, site = targets(10), Site()
    for target in fleet[:5]:
        target.version = "v2"

    canary(site, fleet, [10, 50])

    assert waves(site) == [1, 2, 2]
    assert set(site.called) == {f"t{n}" for n in range(5, 10)}


def test_s15_a_failed_target_is_neither_retried_nor_counted_twice():
    """The original tried it again in the next stage: failed and updated made 11."""
    site = Site(failing={"t0"})

    _, result = canary(site, targets(10), success_threshold=0)

    assert site.called.count("t0") == 1
    assert (result.targets_updated, result.targets_failed) == (9, 1)


def test_s16_a_rollback_of_nothing_is_nothing():
    """The original raised ValueError."""
    result = CanaryDeployment().rollback([], "v1", Site().deploy)

    assert (result.state, result.success) == (DeploymentState.ROLLED_BACK, True)
    assert result.metadata == {"no_op": True}


def test_s16_g6_a_rollback_that_fails_is_no_rollback():
    """The original called it ROLLED_BACK; each is tried twice, and named."""
    fleet, site = targets(4), Site()
    strategy, _ = canary(site, fleet)
    site.failing = {"t1"}
    site.log.clear()

    result = strategy.rollback(fleet, "v1", site.deploy)

    assert site.called.count("t1") == 2
    assert (result.state, result.success) == (DeploymentState.FAILED, False)
    assert (result.targets_updated, result.targets_failed) == (3, 1)
    assert result.metadata["unrestored_targets"] == ["t1"]
    assert result.errors == ["t1: rolling back: deploy_fn returned False"]


def test_s17_a_halted_canary_takes_back_its_stages_only():
    """Without stages, bakes or waits; the rest of the fleet is not asked."""
    fleet, site = targets(10), Site(failing={"t2"})
    strategy, result = canary(site, fleet, gates=False)
    assert result.metadata["stopped_at_stage"] == 25
    site.failing, site.clock.slept = (), []
    site.log.clear()

    strategy.rollback(fleet, "v9", site.deploy, clock=site.clock)

    assert site.calls == [("t2", "v1"), ("t1", "v1"), ("t0", "v1")]
    assert site.clock.slept == []


@pytest.mark.parametrize(("stages", "said"), [([10], 10), (["12.5"], 12.5)])
def test_stopped_at_stage_is_its_percentage(stages, said):
    """And only there where it stopped."""
    _, stopped = canary(Site(failing={"t0"}), targets(8), stages)
    _, completed = canary(Site(), targets(8), stages)
    site = Site(raising={"t0"})
    _, taken_back = canary(site, targets(8), stages, on_failure="rollback")

    assert taken_back.metadata["stopped_at_stage"] == said
    assert stopped.metadata["stopped_at_stage"] == said
    assert "stopped_at_stage" not in completed.metadata


def test_e19_health_that_fails_in_a_bake_halts_there():
    """A bake is more than a sleep: at 7 of its 10 minutes the check fails."""
    clock, site = FakeClock(), Site()
    strategy = CanaryDeployment([25], 600, lambda target: clock.seconds < 420)

    result = strategy.deploy(targets(8), "v2", site.deploy, clock=clock)

    assert clock.seconds == 420
    assert site.called == ["t0", "t1"]
    assert result.state is DeploymentState.FAILED
    assert result.metadata["halt"]["rule"] == "success_threshold"
    assert result.errors == [
        f"t{n}: after it was accepted: health_check returned False" for n in (0, 1)
    ]


def test_what_recovers_in_a_bake_is_counted_again():
    """A regression within the threshold that heals leaves no error."""
    clock = FakeClock()

    def check(target):
        return target.id != "t0" or not 100 <= clock.seconds < 200

    strategy = CanaryDeployment([50], 600, check, success_threshold=0.5)
    result = strategy.deploy(targets(4), "v2", Site().deploy, clock=clock)

    assert result.metadata["outcome"] == "clean"
    assert (result.errors, clock.seconds) == ([], 600)


def test_health_is_asked_at_the_interval_of_the_health_rule():
    """Once after the deploy, then at each interval of the bake, its end included."""
    site = Site()
    strategy = CanaryDeployment([50], 60, site.check, health=Health(0, 20))

    strategy.deploy(targets(2), "v2", site.deploy, clock=site.clock)

    first = [entry for entry in site.log if entry == ("check", "t0")]
    assert len(first) == 1 + 60 / 20


def test_zones_are_read_from_metadata():
    """The first stages take some of each."""
    fleet, site = targets(4), Site()
    for target, zone in zip(fleet, "aabb", strict=True):
        target.metadata["zone"] = zone

    canary(site, fleet, [50])

    assert site.called[:2] == ["t0", "t2"]


def test_positional_options_are_kept():
    """As the original had them."""
    strategy = CanaryDeployment([50, 100], 30.0, None, 0.9)

    assert strategy.stage_duration_seconds == 30.0
    assert strategy.success_threshold == 0.9
    assert CanaryDeployment() == CanaryDeployment(None, 60.0, None, 0.95)
