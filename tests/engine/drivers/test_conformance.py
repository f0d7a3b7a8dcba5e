"""Every kind passes the kit, and the kit catches a kind that breaks a promise."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployctl.engine import drivers
from deployctl.engine.drivers.agent import AgentDriver
from deployctl.engine.drivers.base import Applied, Probe, TargetRef
from deployctl.engine.drivers.command import CommandDriver
from deployctl.engine.drivers.simulated import Device, Fleet, SimulatedDriver
from tests.engine.drivers import kit
from tests.engine.drivers.agents import Agents
from tests.engine.drivers.ssh_hosts import SshCommandSubject, SshSubject
from tests.engine.drivers.webhooks import WebhookSubject


class SimulatedSubject(kit.Subject):
    def __init__(
        self, directory: Path, driver: type[SimulatedDriver] = SimulatedDriver
    ) -> None:
        self.fleet = Fleet()
        self.path = directory / "simulated.jsonl"
        self.fleet.log_to(str(self.path))
        self.driver = driver(self.fleet)

    def target(self, *, slow: bool = False) -> TargetRef:
        latency = self.slow_seconds if slow else 0
        settings = {"version": "1.0", "latency_seconds": latency}
        name = uuid.uuid4().hex
        return TargetRef(id=name, name=name, address="", settings=settings)

    def effects(self, target: TargetRef) -> list[str]:
        lines = map(json.loads, self.path.read_text().splitlines())
        return [
            f"{each['what']} {each['fence']}"
            for each in lines
            if each["agent"] == target.name
        ]


class AgentSubject(kit.Subject):
    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.driver = AgentDriver()

    def target(self, *, slow: bool = False) -> TargetRef:
        number = _NEXT["slow" if slow else "fast"].pop()
        return TargetRef(id=str(number), name="", address=self.agents.url(number))

    def effects(self, target: TargetRef) -> list[str]:
        return [
            f"{line['what']} {line['fence']}"
            for line in self.agents.log(int(target.id))
            if line["what"] in ("started", "ended")
        ]


_NEXT: dict[str, list[int]] = {}


#: What kubectl or ansible would be: a file with the version, another with the effects.
TOOL = """#!/bin/sh -e
if [ "$3" = probe ]; then exec cat "$1"; fi
echo "started $DEPLOYCTL_FENCE" >>"$1.log"
sleep "$2"
printf %s "$4" >"$1"
echo "ended $DEPLOYCTL_FENCE" >>"$1.log"
"""


class CommandSubject(kit.Subject):
    slow_seconds = 1.0  # beside which starting a program is nothing

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tool = directory / "tool"
        self.tool.write_text(TOOL)
        self.tool.chmod(0o700)
        self.driver = CommandDriver()

    def target(self, *, slow: bool = False) -> TargetRef:
        name = uuid.uuid4().hex
        file = self.directory / f"{name}.version"
        file.write_text("1.0")
        seconds = str(self.slow_seconds if slow else 0)
        argv = [str(self.tool), "{address}", seconds]
        settings = {"probe": [*argv, "probe"], "apply": [*argv, "apply", "{version}"]}
        return TargetRef(name, name, str(file), settings)

    def effects(self, target: TargetRef) -> list[str]:
        log = Path(f"{target.address}.log")
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    count = 2 * len(kit.CASES + kit.FENCED)
    slow = [{"apply_seconds": AgentSubject.slow_seconds} for _ in range(count)]
    directory = tmp_path_factory.mktemp("agents")
    running = Agents(directory, *({} for _ in range(count)), *slow).start()
    _NEXT.update(fast=list(range(count)), slow=list(range(count, 2 * count)))
    yield running
    running.stop()


SUBJECTS: dict[str, Callable[[Any], kit.Subject]] = {
    "agent": AgentSubject,
    "command": CommandSubject,
    "simulated": SimulatedSubject,
    "webhook": lambda _: WebhookSubject(),
    "ssh": SshSubject,
    "ssh-command": SshCommandSubject,
}
SERVERS = {"agent": "agents", "ssh": "sshd", "ssh-command": "sshd"}


def test_the_kit_knows_every_kind() -> None:
    assert set(SUBJECTS) == set(drivers.kinds())


def _kinds_and_cases() -> Iterator[Any]:
    for kind in SUBJECTS:
        for case in kit.cases_of(drivers.get(kind)):
            yield pytest.param(kind, case, id=f"{kind}-{case.__name__}")


@pytest_asyncio.fixture
async def subject(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[kit.Subject]:
    server = SERVERS.get(kind)
    given = request.getfixturevalue(server) if server else tmp_path
    made: kit.Subject = SUBJECTS[kind](given)
    yield made
    await made.driver.close()
    if isinstance(made, SimulatedSubject):
        made.fleet.reset()
    if isinstance(made, WebhookSubject):
        made.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(("kind", "case"), list(_kinds_and_cases()))
async def test_kind(kind: str, subject: kit.Subject, case: kit.Case) -> None:
    await case(subject)


class ForgetsTheFence(SimulatedDriver):
    """The control: each apply meets a target that has promised nothing."""

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        self._fleet.device(target).promised = 0
        return await super().apply(
            target, version=version, fence=fence, seconds=seconds
        )


class ForgetsTheAnswer(SimulatedDriver):
    """The control: the same fence is a new attempt."""

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        self._fleet.device(target).last_fence = 0
        return await super().apply(
            target, version=version, fence=fence, seconds=seconds
        )


class PromisesNothing(SimulatedDriver):
    """The control: a probe's fence is not remembered."""

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        return await super().probe(target, fence=None, seconds=seconds)


class DoesNotWait(SimulatedDriver):
    """The control: nobody waits for a running effect."""

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        self._fleet.device(target).running = None
        return await super().probe(target, fence=fence, seconds=seconds)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        device: Device = self._fleet.device(target)
        device.running = None
        return await super().apply(
            target, version=version, fence=fence, seconds=seconds
        )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("broken", "case"),
    [
        (ForgetsTheFence, kit.apply_refuses_a_lower_fence),
        (ForgetsTheFence, kit.a_probe_with_a_fence_is_a_promise),
        (ForgetsTheAnswer, kit.the_same_fence_gets_the_stored_answer),
        (ForgetsTheAnswer, kit.one_fence_is_never_two_versions),
        (PromisesNothing, kit.a_probe_with_a_fence_is_a_promise),
        (PromisesNothing, kit.a_probe_with_a_lower_fence_is_refused),
        (PromisesNothing, kit.who_waited_and_was_overtaken_is_refused),
        (DoesNotWait, kit.effects_never_overlap),
    ],
)
async def test_a_broken_promise_is_caught(
    tmp_path: Path, broken: type[SimulatedDriver], case: kit.Case
) -> None:
    subject = SimulatedSubject(tmp_path, broken)
    try:
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            await case(subject)
    finally:
        subject.fleet.reset()
