"""A fleet of real agents, real workers, and a person who presses: for tests alone.

The agents' append-only logs are the oracle; what the database says is never asked to
confirm itself here.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from django.contrib.auth.models import User

from deployctl.models import Deployment, Operation, Target
from deployctl.services import commands, deployments, fleet, people, planning, versions
from deployctl.services.replies import Reply
from tests.engine.drivers.agents import Agents
from tests.support import nursery

T = TypeVar("T")

#: The defaults' ratios, ten times as fast.
FAST = {
    "DEPLOYCTL_BEAT_SECONDS": "0.2",
    "DEPLOYCTL_DEAD_AFTER_SECONDS": "1.0",
    "DEPLOYCTL_TRUST_SECONDS": "0.8",
    "DEPLOYCTL_POLL_SECONDS": "0.5",
    "DEPLOYCTL_SWEEP_SECONDS": "0.2",
    "DEPLOYCTL_RECONCILE_SECONDS": "1",
    # Health is asked fifty times as often here as by default, of hundreds of agents.
    "DEPLOYCTL_LOOKS": "10",
}
#: Healthy is believed at once, and asked again soon.
HEALTH = {"min_healthy_seconds": 0, "interval_seconds": 0.1, "deadline_seconds": 3}
RESTS = ("completed", "failed", "rolled_back", "rollback_failed", "cancelled")

_numbers = itertools.count(1)


def until(found: Callable[[], T], seconds: float = 20, what: str = "") -> T:
    """Ask until the answer is true, and return it; fail when it takes too long."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or found}"
        time.sleep(0.02)
    return answer


def person(name: str = "ana", *, staff: bool = True) -> people.Actor:
    """Return somebody, who may act unless told otherwise."""
    user, _ = User.objects.get_or_create(username=name, defaults={"is_staff": staff})
    return people.actor_of(user, source="a test")


class Place:
    """One application in one environment, and what a person does there."""

    def __init__(self, targets: Iterable[fleet.NewTarget]) -> None:
        self.by = person()
        name = f"place-{next(_numbers)}"
        self.application = fleet.add_application(name, by=self.by)
        self.environment = fleet.add_environment(name, by=self.by)
        self.targets = fleet.add_targets(
            self.application, self.environment, targets, by=self.by
        )

    def deploy(
        self, version: str = "2.0", *, only: list[int] | None = None, **options: Any
    ) -> Deployment:
        """Plan, create and start; options are rolling's."""
        return self.start(self.prepare(version, only=only, **options))

    def prepare(
        self, version: str = "2.0", *, only: list[int] | None = None, **options: Any
    ) -> Deployment:
        """Plan and create, and start nothing yet."""
        place = self.application, self.environment
        made = versions.register_version(self.application, version, by=self.by)
        given = {"delay_seconds": 0, "health": HEALTH, **options}
        plan = planning.plan_deployment(*place, made, "rolling", given, only)
        return deployments.create_deployment(*place, made, plan, by=self.by)

    def start(self, deployment: Deployment) -> Deployment:
        """Start a deployment that waits."""
        return deployments.start_deployment(deployment.pk, by=self.by)

    def press(
        self, deployment: Deployment, kind: str, *, key: str = "", reason: str = ""
    ) -> Reply:
        """Press a button on a page that is up to date."""
        deployment.refresh_from_db()
        return commands.press(
            deployment.pk,
            kind,
            by=self.by,
            key=key or f"key-{next(_numbers)}",
            expected=deployment.control_version,
            reason=reason,
        )


def simulated(count: int, **settings: Any) -> list[fleet.NewTarget]:
    """Return simulated targets t0, t1, .. at 1.0."""
    given = {"version": "1.0", **settings}
    return [
        fleet.NewTarget(f"t{n}", "", "simulated", given, recorded_version="1.0")
        for n in range(count)
    ]


def agent_targets(agents: Agents, span: range) -> list[fleet.NewTarget]:
    """Return the targets on which these agents are; the name tells the number."""
    return [
        fleet.NewTarget(f"a{n}", agents.url(n), "agent", {}, recorded_version="1.0")
        for n in span
    ]


def rested(deployment: Deployment, seconds: float = 20) -> Deployment:
    """Wait until a deployment is at rest."""

    def rests() -> bool:
        deployment.refresh_from_db()
        return deployment.state in RESTS

    until(rests, seconds, f"deployment {deployment.pk} comes to rest")
    return deployment


def reached(deployment: Deployment, state: str, seconds: float = 20) -> Deployment:
    """Wait until a deployment is in a state."""

    def arrived() -> bool:
        deployment.refresh_from_db()
        return deployment.state == state

    until(arrived, seconds, f"deployment {deployment.pk} is {state}")
    return deployment


def states(deployment: Deployment, direction: str = "forward") -> dict[str, int]:
    """Count a deployment's operations by state."""
    found = Operation.objects.filter(deployment=deployment, direction=direction)
    counts: dict[str, int] = {}
    for state in found.values_list("state", flat=True):
        counts[state] = counts.get(state, 0) + 1
    return counts


def recorded(place: Place) -> set[str | None]:
    """Return the versions that the targets of a place are recorded at."""
    ids = [target.pk for target in place.targets]
    found = Target.objects.filter(pk__in=ids)
    return set(found.values_list("recorded_version", flat=True))


class Log:
    """What all agents of a process wrote down, in the order in which it happened."""

    def __init__(self, agents: Agents, span: range | None = None) -> None:
        numbers = span or range(len(agents.ports))
        lines = [{**line, "n": n} for n in numbers for line in agents.log(n)]
        self.lines = sorted(lines, key=lambda line: line["at"])

    def of(self, what: str) -> list[dict[str, Any]]:
        """Return the lines of one kind."""
        return [line for line in self.lines if line["what"] == what]

    def changes(self) -> dict[tuple[int, str], int]:
        """Count the effects started, by agent and version."""
        counts: dict[tuple[int, str], int] = {}
        for line in self.of("started"):
            key = line["n"], line["version"]
            counts[key] = counts.get(key, 0) + 1
        return counts

    def versions(self) -> dict[int, str]:
        """Return the version that each agent's last successful effect left."""
        ended = [line for line in self.of("ended") if line["ok"]]
        return {line["n"]: line["version"] for line in ended}

    def most_in_flight(self) -> int:
        """Return the most effects that ran at once."""
        running = most = 0
        for line in self.lines:
            running += {"started": 1, "ended": -1}.get(line["what"], 0)
            most = max(most, running)
        return most

    def check_fences(self) -> None:
        """Fail if a fence ever went back on an agent."""
        last: dict[int, int] = {}
        for line in self.of("started"):
            assert line["fence"] > last.get(line["n"], 0), line
            last[line["n"]] = line["fence"]


def most_in_flight(agents: Agents) -> int:
    """Return the most effects at once as the agents' process itself counted them."""
    with urllib.request.urlopen(f"{agents.url()}/v1/stats") as answer:
        return int(json.load(answer)["process"]["max_in_flight"])


class Process(Protocol):
    """What a `subprocess.Popen` is, and a child of the nursery."""

    @property
    def pid(self) -> int:
        """Its number."""

    def send_signal(self, number: int, /) -> None:
        """Signal it, if it has not ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its code."""


class Workers:
    """Worker processes of ours on one database; all are gone after `end`."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = {**environment, **FAST}
        self.folder = folder
        self.processes: list[nursery.Child] = []

    def start(
        self, count: int = 1, *, fault: str = "", **more: str
    ) -> list[nursery.Child]:
        """Start workers; with `fault` a saboteur of that name instead."""
        argv = [nursery.MANAGE, "worker"]
        if fault:  # Real but for what is swapped.
            argv = ["-m", "tests.support.saboteur", fault]
        started = []
        for _ in range(count):
            path = self.folder / f"worker-{len(self.processes)}.log"
            with path.open("wb") as output:
                process = nursery.start(
                    argv,
                    env={**self.environment, **more},
                    stdout=output,
                    stderr=output,
                )
            self.processes.append(process)
            started.append(process)
        return started

    def said(self) -> str:
        """Return everything that the workers have logged."""
        found = sorted(self.folder.glob("worker-*.log"))
        return "\n".join(path.read_text(errors="replace") for path in found)

    def check_alive(self) -> None:
        """Fail if any has ended, with what all of them said."""
        ended = [process for process in self.processes if process.poll() is not None]
        assert not ended, self.said()

    def end(self) -> None:
        """Kill what is left."""
        for process in self.processes:
            kill(process)


def kill(process: Process, number: int = signal.SIGKILL) -> int:
    """Signal a process and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGCONT)
        process.send_signal(number)
    return process.wait(30)
