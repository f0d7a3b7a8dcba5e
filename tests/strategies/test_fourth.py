"""A fourth strategy: one class, registered, and nothing of ours is touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from strategies import DeploymentState, DeploymentStrategy, create_strategy, registry
from strategies.selection import Selection
from strategies.steps import Delay, Deploy, Step, Verify
from tests.strategies.fakes import Site, targets


@dataclass(frozen=True, kw_only=True)
class AllAtOnce(DeploymentStrategy):
    """Change every target at once, wait, and look at each once more."""

    name: ClassVar[str] = "all_at_once"

    health_check: object = None

    def steps(self, chosen: Selection) -> Iterator[Step]:
        """Write one batch and a wait."""
        size = len(chosen.work)
        yield Deploy(0, size, (size,), size)
        yield Delay(30)


class LookOnly(AllAtOnce):
    """Change nothing."""

    name = "look_only"

    def steps(self, chosen: Selection) -> Iterator[Step]:
        """Write a look at each, one after the other."""
        yield Verify(0, len(chosen.work), (1,), 1)


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """Let what is registered here be forgotten."""
    monkeypatch.setattr(registry, "_STRATEGIES", dict(registry._STRATEGIES))


def test_it_is_made_by_name_and_has_all_that_ours_have():
    """Options, budgets and the way back come with the base."""
    registry.register(AllAtOnce)
    site, fleet = Site(failing={"t1"}), targets(3)
    strategy = create_strategy("all_at_once", max_failures="1")

    result = strategy.deploy(fleet, "v2", site.deploy, clock=site.clock)

    assert site.called == ["t0", "t1", "t2"]
    assert site.clock.slept == [30]
    assert result.metadata["outcome"] == "completed_with_failures"
    site.failing = ()
    assert strategy.rollback(fleet, "v1", site.deploy).targets_updated == 3
    with pytest.raises(ValueError, match="parallelism"):
        create_strategy("all_at_once", parallelism=0)


def test_a_taken_name_is_refused():
    """Ours cannot be replaced by accident."""
    with pytest.raises(ValueError, match="taken"):
        registry.register(type("Rolling", (AllAtOnce,), {"name": "rolling"}))


def test_a_look_changes_nothing():
    """A step that verifies asks for health alone, and leaves nothing to take back."""
    site, fleet = Site(sick={"t1"}), targets(2)
    strategy = LookOnly(health_check=site.check)

    result = strategy.deploy(fleet, "v2", site.deploy)

    assert site.log == [("check", "t0"), ("check", "t1")]
    assert result.state is DeploymentState.FAILED
    assert result.targets_updated == 0
    assert strategy.rollback(fleet, "v1", site.deploy).metadata == {"no_op": True}
