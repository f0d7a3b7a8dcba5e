"""The original module's API, blue-green: its faults by number, and what is kept of it.

One set of targets and no router: all of them are changed, then `switch_fn` is called.
"""

from __future__ import annotations

import pytest

from strategies import BlueGreenDeployment, DeploymentState
from tests.strategies.fakes import Site, targets


def switch(site, fleet, version="v2", **options):
    """Deploy, and return the strategy and its result."""
    strategy = BlueGreenDeployment(site.switch, **options)
    return strategy, strategy.deploy(fleet, version, site.deploy, clock=site.clock)


def test_all_are_updated_and_then_traffic_is_led_over():
    """One switch, to green, after the last check."""
    site = Site()

    _, result = switch(site, targets(2), health_check=site.check)

    assert site.log[-1] == ("switch", "green")
    assert site.switches == ["green"]
    assert result.targets_updated == 2
    assert result.metadata["active_slot"] == "green"


def test_s5_nothing_given_switches_nothing():
    """The original said COMPLETED and green, and had called nothing."""
    site = Site()

    _, result = switch(site, [])

    assert site.log == []
    assert result.state is DeploymentState.COMPLETED
    assert result.metadata == {
        "no_op": True,
        "outcome": "no_op",
        "active_slot": "blue",
    }


def test_h1_one_failure_and_it_does_not_switch():
    """Blue goes on serving."""
    site = Site(failing={"t1"})

    _, result = switch(site, targets(3))

    assert site.switches == []
    assert result.state is DeploymentState.FAILED
    assert result.metadata["active_slot"] == "blue"


def test_s6_a_switch_that_is_refused_fails_and_can_be_taken_back():
    """The original had lost what the targets ran.

    It is the given targets that are changed, so `version` says what they run; where
    they came from is remembered, and traffic is still led to blue.
    """
    fleet, site = targets(3), Site(stuck={"green"})

    strategy, result = switch(site, fleet)

    assert (result.state, result.success) == (DeploymentState.FAILED, False)
    assert result.metadata["active_slot"] == "blue"
    assert result.errors == ["switching to green: switch_fn returned False"]
    assert [target.version for target in fleet] == ["v2"] * 3

    strategy.rollback(fleet, "v0", site.deploy)

    assert [target.version for target in fleet] == ["v1"] * 3


def test_s6_a_switch_that_raises_is_an_error_too():
    """Nothing escapes to the caller."""
    _, result = switch(Site(stuck={"raise"}), targets(1))

    assert result.errors == [
        "switching to green: switch_fn raised TimeoutError: router does not answer"
    ]


@pytest.mark.parametrize("is_fresh", [True, False])
@pytest.mark.parametrize(
    ("stuck", "said"),
    [("blue", "returned False"), ("raise", "raised TimeoutError")],
)
def test_s7_s8_a_rollback_without_its_switch_is_none(is_fresh, stuck, said):
    """The original said ROLLED_BACK when it was refused, and let what it raised out.

    Traffic goes first: while it is still led to green, green is left as it is.
    """
    fleet, site = targets(2), Site()
    strategy, _ = switch(site, fleet)
    if is_fresh:
        strategy = BlueGreenDeployment(site.switch)
    site.stuck = {stuck}
    site.log.clear()

    result = strategy.rollback(fleet, "v1", site.deploy)

    assert (result.state, result.success) == (DeploymentState.FAILED, False)
    assert site.calls == []
    assert len(result.errors) == 1
    assert said in result.errors[0]
    assert sorted(result.metadata["unrestored_targets"]) == ["t0", "t1"]


def test_a_rollback_leads_traffic_back_first():
    """Then each target goes to its own earlier version; blue serves again."""
    fleet, site = targets(2), Site()
    fleet[0].version = "v0"
    strategy, _ = switch(site, fleet)
    site.log.clear()

    result = strategy.rollback(fleet, "v9", site.deploy)

    assert site.log == [
        ("switch", "blue"),
        ("deploy", "t1", "v1"),
        ("deploy", "t0", "v0"),
    ]
    assert result.state is DeploymentState.ROLLED_BACK
    assert result.metadata["active_slot"] == "blue"


def test_what_was_not_switched_is_not_switched_back():
    """A deployment that failed before its switch leads nothing back."""
    fleet, site = targets(2), Site(failing={"t1"})
    strategy, _ = switch(site, fleet)
    site.failing = ()

    result = strategy.rollback(fleet, "v1", site.deploy)

    assert (site.switches, result.success) == ([], True)


def test_active_slot_is_where_traffic_was_led_last():
    """A second deployment that fails leaves it where the first one led it."""
    fleet, site = targets(2), Site()
    strategy, _ = switch(site, fleet)
    site.failing = {"t0"}

    result = strategy.deploy(fleet, "v3", site.deploy)

    assert result.metadata["active_slot"] == "green"


def test_without_a_switch_all_is_as_if_it_had_switched():
    """As the original had it: somebody else leads the traffic."""
    result = BlueGreenDeployment().deploy(targets(1), "v2", Site().deploy)

    assert result.metadata["active_slot"] == "green"


def test_a_bake_after_the_switch_watches():
    """A halt there is no success; traffic stays where it is until it is taken back."""
    fleet, site = targets(1), Site()
    options = {"bake_seconds": 60, "on_failure": "rollback"}
    healthy = {"health_check": lambda t: t.version == "v1" or site.clock.seconds < 30}

    _, result = switch(site, fleet, **options, **healthy)

    assert site.switches == ["green", "blue"]
    assert result.state is DeploymentState.ROLLED_BACK
    assert result.metadata["active_slot"] == "blue"


def test_positional_options_are_kept():
    """As the original had them."""
    assert BlueGreenDeployment(print, str) == BlueGreenDeployment(
        switch_fn=print, health_check=str
    )
    assert BlueGreenDeployment().switch_fn is None
