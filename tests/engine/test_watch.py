"""Watching real agents and routers: what turns bad in a bake, and what is only kept."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from deployctl.engine import reaches
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Reaches
from deployctl.engine.watch import Watch
from deployctl.models import Deployment, Router, Target
from deployctl.services import fleet
from tests.engine.drivers.agents import Agents
from tests.services.hands import Hands
from tests.services.slotted import router, slotted, started
from tests.support import truth
from tests.support.fleet import HEALTH, Place, agent_targets

pytestmark = pytest.mark.django_db(transaction=True)
#: Looks in a row that make an accepted target count as failed.
THRESHOLD = 3


def watch(rounds: int, **more: Any) -> None:
    """Let a worker's watch make so many rounds, each to its end."""
    asyncio.run(_watched(rounds, replace(settings.ENGINE, **more)))


async def _watched(rounds: int, engine: Any) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as database:

        async def asked(query: Callable[[], Any]) -> Any:
            return await loop.run_in_executor(database, query)

        outside = Outside(Reaches(asked))
        watching = Watch(outside, engine, asked)
        for _ in range(rounds):
            await watching.round()
            await watching.settled()
            await asyncio.sleep(HEALTH["interval_seconds"] * 1.2)
        await outside.close()
        await asked(lambda: connection.close())  # that thread's own


class Illness:
    """Makes an agent's own health check fail, by a file."""

    def __init__(self, folder: Path, number: int) -> None:
        self.file = folder / f"ill-{number}"

    @property
    def config(self) -> dict[str, Any]:
        """What the agent's configuration says of it."""
        return {"health": {"argv": ["/usr/bin/test", "!", "-e", str(self.file)]}}

    def begin(self) -> None:
        """Be ill from now on."""
        self.file.touch()

    def end(self) -> None:
        """Be well again."""
        self.file.unlink()


@pytest.fixture
def illnesses(tmp_path: Path) -> list[Illness]:
    return [Illness(tmp_path, number) for number in range(4)]


@pytest.fixture
def agents(tmp_path: Path, illnesses: list[Illness]) -> Iterator[Agents]:
    """Four agents that are at 2.0 already, each with an illness of its own."""
    configs = [illness.config for illness in illnesses]
    running = Agents(tmp_path, *configs, version="2.0").start()
    yield running
    running.stop()


def baking(agents: Agents, **options: Any) -> Deployment:
    """Start a canary whose first half is accepted and bakes for ten minutes."""
    place = Place(agent_targets(agents, range(len(agents.ports))))
    given = {"stages": "50, 100", "stage_duration_seconds": 600, "on_failure": "halt"}
    deployment = started(place, "canary", **{**given, **options})
    hands = Hands(deployment)
    hands.finish(hands.claims())
    return deployment


def halted(deployment: Deployment) -> str | None:
    """Return the rule that halted a deployment, if one did."""
    truth.check(deployment.pk)
    deployment.refresh_from_db()
    return deployment.halt["rule"] if deployment.halt else None


def accepted(deployment: Deployment, position: int) -> Any:
    """Return the forward operation at a position."""
    return deployment.operations.get(position=position, direction="forward")


# -- targets ---------------------------------------------------------------------------


def test_e19_an_accepted_agent_that_falls_ill_in_a_bake_halts_it(
    agents: Agents, illnesses: list[Illness]
) -> None:
    deployment = baking(agents)
    watch(2)
    assert halted(deployment) is None
    illnesses[1].begin()
    watch(THRESHOLD - 1)
    assert halted(deployment) is None, "two bad looks are no regression"
    watch(1)
    assert halted(deployment) == "success_threshold"
    bad = accepted(deployment, 1)
    assert (bad.state, bad.regressed) == ("failed", True)
    assert bad.error.startswith("regressed: ")
    assert accepted(deployment, 0).state == "succeeded"
    assert agents.log(1, "started") == [], "it only looks"


def test_a_good_look_between_two_bad_ones_starts_the_count_anew(
    agents: Agents, illnesses: list[Illness]
) -> None:
    deployment = baking(agents)
    for _ in range(2):
        illnesses[0].begin()
        watch(THRESHOLD - 1)
        illnesses[0].end()
        watch(1)
    assert halted(deployment) is None


def test_one_that_recovers_within_the_threshold_counts_as_well_again(
    agents: Agents, illnesses: list[Illness]
) -> None:
    deployment = baking(agents, success_threshold="50%")
    illnesses[0].begin()
    watch(THRESHOLD)
    assert accepted(deployment, 0).state == "failed"
    illnesses[0].end()
    watch(1)
    assert accepted(deployment, 0).state == "succeeded"
    assert halted(deployment) is None


def test_one_that_was_not_begun_with_may_be_as_ill_as_it_likes(
    agents: Agents, illnesses: list[Illness]
) -> None:
    """Its health is kept as a look; what is counted changes only at the door."""
    deployment = baking(agents)
    illnesses[3].begin()
    watch(THRESHOLD, look_seconds=0)
    assert halted(deployment) is None
    target = Target.objects.get(pk=accepted(deployment, 3).target_id)
    assert (target.looks, target.health) == (-THRESHOLD, "unknown")


def test_agents_that_are_gone_count_as_bad(agents: Agents) -> None:
    deployment = baking(agents)
    agents.kill()
    watch(THRESHOLD)
    assert halted(deployment) == "success_threshold"
    seen = Target.objects.get(pk=accepted(deployment, 0).target_id)
    assert seen.observed_version == "2.0", "what nobody saw is not overwritten"


def test_agents_that_do_not_answer_in_time_count_as_bad(agents: Agents) -> None:
    health = {**HEALTH, "timeout_seconds": 0.2}
    deployment = baking(agents, health=health)
    assert agents.process is not None
    agents.process.send_signal(signal.SIGSTOP)
    try:
        watch(THRESHOLD)
    finally:
        agents.process.send_signal(signal.SIGCONT)
    assert halted(deployment) == "success_threshold"
    assert "no answer within 0.2 s" in accepted(deployment, 0).error


def test_an_agent_at_another_version_than_was_accepted_counts_as_bad(
    tmp_path: Path,
) -> None:
    agents = Agents(tmp_path, {}, {}, version="1.9").start()
    try:
        deployment = baking(agents)
        watch(THRESHOLD)
    finally:
        agents.stop()
    assert halted(deployment) == "success_threshold"
    assert "is at 1.9, not at 2.0" in accepted(deployment, 0).error


def test_without_a_deployment_looks_say_what_is_well(
    agents: Agents, illnesses: list[Illness]
) -> None:
    Place(agent_targets(agents, range(4)))
    illnesses[2].begin()
    watch(THRESHOLD, look_seconds=0)
    found = Target.objects.order_by("name").values_list("health", flat=True)
    assert list(found) == ["healthy", "healthy", "unhealthy", "healthy"]
    illnesses[2].end()
    watch(1, look_seconds=60)
    assert Target.objects.get(name="a2").health == "unhealthy", "it is not due yet"
    watch(1, look_seconds=0)
    assert Target.objects.get(name="a2").health == "healthy"


def test_a_secret_that_a_target_says_is_its_version_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOYCTL_SECRET_TOKEN", "canary-5d1c")
    running = Agents(tmp_path, {}, version="canary-5d1c").start()
    try:
        Place([fleet.NewTarget("a0", running.url(), "agent", {"token": "token"})])
        watch(1, look_seconds=0)
    finally:
        running.stop()
    assert Target.objects.get().observed_version == "[secret]"


# -- routers ---------------------------------------------------------------------------


def test_routers_are_read_and_what_they_say_is_kept(tmp_path: Path) -> None:
    place = slotted(1, tmp_path)
    Router.objects.update(serving=None, observed_at=None)
    watch(1)
    found = router(place)
    assert (found.serving, found.fence) == ("blue", 0)
    assert found.observed_at is not None
    Router.objects.update(serving="green")
    watch(1)
    assert router(place).serving == "green", "it was read a moment ago"


def test_a_router_that_cannot_be_read_is_as_it_was_and_holds_up_nobody(
    tmp_path: Path,
) -> None:
    place, other = slotted(1, tmp_path), slotted(1, tmp_path)
    broken = {**router(place).settings, "fault": "unreachable"}
    Router.objects.filter(pk=router(place).pk).update(settings=broken)
    Router.objects.filter(pk=router(other).pk).update(serving=None)
    before = router(place).observed_at
    watch(1)
    assert (router(place).serving, router(place).observed_at) == ("blue", before)
    assert router(other).serving == "blue"


def test_a_router_that_is_being_switched_is_not_overwritten(tmp_path: Path) -> None:
    """What is read in the middle of a switch says nothing of how it ends."""
    place = slotted(1, tmp_path)
    deployment = started(place, "blue_green", auto_promote=True)
    hands = Hands(deployment)
    (switch,) = hands.finish(hands.claims()).claims
    Router.objects.update(serving="green", observed_at=None)
    watch(1)
    assert router(place).serving == "green"
    hands.finish([switch])
    assert router(place).serving == "green"


def test_nothing_is_sent_by_who_does_not_know_what_may_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = slotted(1, tmp_path)
    Router.objects.update(serving=None, observed_at=None)
    monkeypatch.setattr(reaches, "_found", lambda: None)
    watch(1)
    assert router(place).observed_at is None
    monkeypatch.undo()
    watch(1)
    assert router(place).serving == "blue"
