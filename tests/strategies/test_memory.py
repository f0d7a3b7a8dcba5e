"""What a strategy object remembers between its calls, and what that means."""

from __future__ import annotations

from dataclasses import fields, replace

from strategies import DeploymentState, RollingDeployment
from tests.strategies.fakes import Site, targets


def rolling(**options):
    """Return a rolling strategy of one batch."""
    return RollingDeployment(**{"batch_size": 10, "delay_seconds": 0, **options})


def test_without_a_record_all_given_go_to_the_previous_version():
    """In order, as the original had it."""
    site, fleet = Site(), targets(3, version="v2")

    result = rolling().rollback(fleet, "v1", site.deploy)

    assert site.calls == [("t0", "v1"), ("t1", "v1"), ("t2", "v1")]
    assert result.targets_updated == 3


def test_what_is_known_and_was_not_touched_is_left_alone():
    """Even when nothing else is given."""
    site, fleet = Site(failing={"t0"}), targets(4)
    strategy = rolling(batch_size=1)
    strategy.deploy(fleet, "v2", site.deploy)

    result = strategy.rollback(fleet[1:], "v0", site.deploy)

    assert site.called == ["t0"]
    assert result.metadata == {"no_op": True}


def test_g14_a_second_rollback_finds_nothing_to_do():
    """What was taken back is not taken back again, nor to the previous version."""
    site, fleet, strategy = Site(), targets(2), rolling()
    strategy.deploy(fleet, "v2", site.deploy)
    strategy.rollback(fleet, "v0", site.deploy)
    site.log.clear()

    again = strategy.rollback(fleet, "v0", site.deploy)

    assert site.log == []
    assert again.state is DeploymentState.ROLLED_BACK


def test_a_rollback_that_failed_can_be_tried_again():
    """For what is left only."""
    site, fleet, strategy = Site(), targets(3), rolling()
    strategy.deploy(fleet, "v2", site.deploy)
    site.failing = {"t1"}
    strategy.rollback(fleet, "v0", site.deploy)
    site.failing = ()
    site.log.clear()

    assert strategy.rollback(fleet, "v0", site.deploy).success
    assert site.calls == [("t1", "v1")]


def test_only_the_given_targets_are_taken_back():
    """The others stay remembered."""
    site, fleet, strategy = Site(), targets(3), rolling()
    strategy.deploy(fleet, "v2", site.deploy)

    strategy.rollback(fleet[:1], "v0", site.deploy)
    assert [t.version for t in fleet] == ["v1", "v2", "v2"]
    strategy.rollback(fleet, "v0", site.deploy)
    assert [t.version for t in fleet] == ["v1"] * 3


def test_an_unknown_earlier_version_is_the_previous_version():
    """That is what it is asked for."""
    site, fleet, strategy = Site(), targets(1, version=None), rolling()
    strategy.deploy(fleet, "v2", site.deploy)

    strategy.rollback(fleet, "v1", site.deploy)

    assert site.calls[1:] == [("t0", "v1")]


def test_a_second_try_of_a_version_inherits_where_each_came_from():
    """What was left half done goes back to what it ran before, not to half."""
    site, fleet = Site(sick={"t1"}), targets(2)
    strategy = rolling(health_check=site.check)
    strategy.deploy(fleet, "v2", site.deploy)
    assert [t.version for t in fleet] == ["v2", "v2"]
    site.sick = ()
    strategy.deploy(fleet, "v2", site.deploy)
    site.log.clear()

    strategy.rollback(fleet, "v0", site.deploy)

    assert site.calls == [("t1", "v1"), ("t0", "v1")]


def test_another_version_is_another_deployment():
    """Taking it back does not take back the one before it."""
    site, fleet = Site(), targets(3)
    strategy = rolling(batch_size=1)
    strategy.deploy(fleet, "v2", site.deploy)
    site.failing = {"t0"}
    strategy.deploy(fleet, "v3", site.deploy)
    site.failing = ()
    site.log.clear()

    strategy.rollback(fleet, "v0", site.deploy)

    assert site.calls == [("t0", "v2")]


def test_a_rollback_skips_delays_and_keeps_parallelism_and_floor():
    """One batch after the other would be slower, all at once less safe."""
    site, fleet = Site(), targets(4)
    strategy = RollingDeployment(2, 30, min_healthy=3)
    strategy.deploy(fleet, "v2", site.deploy, clock=site.clock)
    site.log.clear()

    open_now, most = set(), []

    async def deploy(target, version):
        open_now.add(target.id)
        most.append(len(open_now))
        await site.adeploy(target, version)
        open_now.remove(target.id)
        return True

    strategy.rollback(fleet, "v1", deploy, clock=site.clock)

    assert not [entry for entry in site.log if entry[0] == "wait"]
    assert max(most) == 1


def test_memory_is_no_option():
    """It is not compared, shown, copied by `replace`, nor written into plans."""
    site, fleet, strategy = Site(), targets(1), rolling()
    strategy.deploy(fleet, "v2", site.deploy)

    assert strategy == rolling()
    assert repr(strategy) == repr(rolling())
    assert "memory" not in " ".join(f.name for f in fields(strategy))
    replace(strategy).rollback(fleet, "v0", site.deploy)
    assert site.calls[1:] == [("t0", "v0")]
