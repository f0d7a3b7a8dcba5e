"""Every kind of router passes the kit, and a command leaves no process behind."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from deployctl.engine import routers
from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.routers.base import RouterRef
from deployctl.engine.routers.command import CommandRouter
from deployctl.engine.routers.simulated import SimulatedRouter
from deployctl.launch.processes import is_running
from tests.engine.routers import kit
from tests.engine.routers.haproxies import HaproxySubject, HaproxyWeightsSubject
from tests.engine.routers.nginxes import NginxSubject
from tests.engine.routers.webhooks import WebhookSubject

#: A load balancer for one machine: a file with what it serves, another with its log.
BALANCER = """
import os, pathlib, subprocess, sys, time
file, fault, verb, *slot = sys.argv[1:]
path = pathlib.Path(file)
if fault == "unreachable":
    sys.exit("no route to the balancer")
if verb == "read":
    print(path.read_text())
    sys.exit()
if fault == "refusing":
    sys.exit("it does not switch")
if fault == "lying":
    sys.exit()
if fault == "slow":
    # Somebody behind it does the work: killing the first alone would not end it.
    argv = [sys.executable, __file__, file, "none", "switch", *slot]
    lines = "import subprocess, sys, time; time.sleep({}); subprocess.run({!r})"
    worker = subprocess.Popen(
        [sys.executable, "-c", lines.format(SECONDS, argv)],
    )
    path.with_suffix(".pid").write_text(str(worker.pid))
    sys.exit(worker.wait())
path.write_text(slot[0])
with path.with_suffix(".log").open("a") as log:
    log.write(slot[0] + "\\n")
"""


class SimulatedSubject(kit.Subject):
    """Routers that are files, with the faults that the kind itself has."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.driver = SimulatedRouter()

    def router(self, fault: str = "") -> RouterRef:
        settings: dict[str, object] = {"serving": "blue"}
        if fault == "slow":
            settings["latency_seconds"] = self.slow_seconds
        elif fault:
            settings["fault"] = fault
        name = uuid.uuid4().hex
        settings["file"] = str(self.directory / f"{name}.json")
        return RouterRef(name, name, kit.SLOTS, settings)

    def switches(self, router: RouterRef) -> list[str]:
        path = Path(str(router.settings["file"]))
        log = json.loads(path.read_text())["log"] if path.exists() else []
        return [each["to"] for each in log]

    def lead(self, router: RouterRef, slot: str) -> None:
        state = {"serving": slot, "promised": 0, "log": []}
        Path(str(router.settings["file"])).write_text(json.dumps(state))

    def restart(self, router: RouterRef) -> None:
        """Nothing of it runs: its file is all that it is."""


class CommandSubject(kit.Subject):
    """Routers behind a small script, which keeps a file for each."""

    slow_seconds = 4.0  # beside which starting some programs is nothing

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.script = directory / "balancer.py"
        self.script.write_text(BALANCER.replace("SECONDS", str(self.slow_seconds)))
        self.driver = CommandRouter()

    def router(self, fault: str = "") -> RouterRef:
        name = uuid.uuid4().hex
        file = self.directory / f"{name}.slot"
        file.write_text("blue")
        argv = [sys.executable, str(self.script), str(file), fault or "none"]
        settings = {"read": [*argv, "read"], "switch": [*argv, "switch", "{slot}"]}
        return RouterRef(name, name, kit.SLOTS, settings)

    def file(self, router: RouterRef, suffix: str) -> Path:
        """Return one of the files of a router."""
        return self.directory / f"{router.name}.{suffix}"

    def switches(self, router: RouterRef) -> list[str]:
        log = self.file(router, "log")
        return log.read_text().split() if log.exists() else []

    def lead(self, router: RouterRef, slot: str) -> None:
        self.file(router, "slot").write_text(slot)

    def restart(self, router: RouterRef) -> None:
        """Nothing of it runs: its file is all that it is."""


SUBJECTS: dict[str, Callable[[Path], kit.Subject]] = {
    "simulated": SimulatedSubject,
    "command": CommandSubject,
    "haproxy": HaproxySubject,
    "haproxy-weights": HaproxyWeightsSubject,
    "webhook": WebhookSubject,
    "nginx": NginxSubject,
}
#: These start programs.
STARTING = ("haproxy", "haproxy-weights", "nginx")


@pytest_asyncio.fixture(
    params=[
        pytest.param(kind, marks=[pytest.mark.serial] if kind in STARTING else [])
        for kind in SUBJECTS
    ]
)
async def subject(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[kit.Subject]:
    made = SUBJECTS[request.param](tmp_path)
    yield made
    await made.close()


def test_the_kit_knows_every_kind() -> None:
    assert set(SUBJECTS) == set(routers.kinds())


@pytest.mark.asyncio
@pytest.mark.parametrize("case", kit.CASES, ids=lambda case: case.__name__)
async def test_kind(subject: kit.Subject, case: kit.Case) -> None:
    await case(subject)


# -- what only a command can do --------------------------------------------------------


@pytest_asyncio.fixture
async def command(tmp_path: Path) -> AsyncIterator[CommandSubject]:
    made = CommandSubject(tmp_path)
    yield made
    await made.driver.close()


@pytest.mark.asyncio
async def test_nothing_of_a_switch_outlives_its_deadline(
    command: CommandSubject,
) -> None:
    router = command.router("slow")
    with pytest.raises(OutcomeUnknown, match="was killed"):
        await command.switch(router, seconds=command.slow_seconds / 2)
    assert not is_running(int(command.file(router, "pid").read_text()))


@pytest.mark.asyncio
async def test_what_cannot_be_read_first_is_not_switched(
    command: CommandSubject,
) -> None:
    router = command.router("unreachable")
    with pytest.raises(NotSent, match="no route to the balancer"):
        await command.switch(router)


@pytest.mark.asyncio
async def test_a_command_that_is_not_there_is_said_by_name(
    command: CommandSubject,
) -> None:
    settings = {"read": ["/nowhere/read"], "switch": ["/nowhere/switch", "{slot}"]}
    router = RouterRef("1", "one", kit.SLOTS, settings)
    with pytest.raises(ProbeFailed, match="could not run /nowhere/read"):
        await command.read(router)


@pytest.mark.asyncio
async def test_a_command_sees_only_the_variables_that_are_named(
    command: CommandSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALANCER_NAME", "named")
    monkeypatch.setenv("DATABASE_URL", "postgresql://not-for-you")
    seen = "import os; print(' '.join(sorted(os.environ)))"
    settings = {"read": [sys.executable, "-c", seen], "env": ["BALANCER_NAME"]}
    router = RouterRef("1", "one", kit.SLOTS, settings)
    reading = await command.read(router)
    assert "BALANCER_NAME" in reading.detail
    assert "DATABASE_URL" not in reading.detail


@pytest.mark.asyncio
async def test_endless_output_neither_fills_memory_nor_hangs(
    command: CommandSubject,
) -> None:
    flood = "import sys; [sys.stdout.write('x' * 65536) for _ in range(200)]"
    router = RouterRef("1", "one", kit.SLOTS, {"read": [sys.executable, "-c", flood]})
    reading = await command.read(router)
    assert reading.serving is None
    assert len(reading.detail) < 20_000


@pytest.mark.asyncio
async def test_who_is_killed_with_what_watches_it_is_in_doubt(
    command: CommandSubject,
) -> None:
    """Something may have been switched: that is neither a refusal nor an end."""
    router = command.router()
    killing = ["/bin/sh", "-c", "kill -9 $PPID; sleep 5 # {slot}"]
    settings = {**router.settings, "switch": killing}
    router = RouterRef(router.id, router.name, kit.SLOTS, settings)
    with pytest.raises(OutcomeUnknown, match="killed"):
        await command.switch(router)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["DEPLOYCTL_SECRET_X", "DATABASE_URL", "PGPASSWORD"])
async def test_a_command_is_given_nothing_of_the_worker_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "canary")
    tell = [sys.executable, "-c", "import os; print(sorted(os.environ.items()))"]
    settings: dict[str, object] = {"read": tell, "env": [name], "switch": []}
    assert "worker's own" in CommandRouter.problems(settings)["env"]
    driver = CommandRouter()
    try:
        ref = RouterRef("1", "one", kit.SLOTS, settings)
        with pytest.raises(ProbeFailed, match=f"{name}, which is the worker's own"):
            await driver.read(ref, fence=None, seconds=10)
    finally:
        await driver.close()
