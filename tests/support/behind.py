"""Four applications behind one HAProxy, and targets that are commands on them.

Each application's restart is rude: whoever is being answered, or comes while it is
away, gets no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from deployctl.models import Deployment, Operation
from deployctl.services import fleet
from tests.engine.drivers.agents import Agents
from tests.support.apps import Apps
from tests.support.balancers import Haproxy
from tests.support.fleet import Place, agent_targets
from tests.support.ports import free_ports

NAMES = ("one", "two", "three", "four")
ALL_UP = dict.fromkeys(NAMES, "UP")


class Fleet:
    """The applications, the HAProxy, and the places that they can be."""

    def __init__(self) -> None:
        ports = free_ports(4)
        self.apps = Apps(ports)
        # The example's three servers, and a fourth of the same kind.
        self.haproxy = Haproxy({"blue": ports[:3], "green": free_ports(3)})
        text = self.haproxy.config.read_text()
        third = f"    server three 127.0.0.1:{ports[2]}\n"
        fourth = f"    server four 127.0.0.1:{ports[3]}\n"
        self.haproxy.config.write_text(text.replace(third, third + fourth))
        self.haproxy.start()

    def place(self, *, drain: bool = True, broken: str = "") -> Place:
        """Return the targets, taken out of traffic or not; one may refuse to change."""
        return Place(
            fleet.NewTarget(
                name,
                "",
                "command",
                {
                    "apply": ["/bin/false"]
                    if name == broken
                    else self.apps.argv(f"restart/{number}/{{version}}"),
                    "probe": self.apps.argv(f"version/{number}"),
                    "traffic": self.traffic(name) if drain else [],
                },
                recorded_version="1.0",
            )
            for number, name in enumerate(NAMES)
        )

    def place_of(self, agents: Agents) -> Place:
        """Return agents as targets, each behind a server as if it was that one."""
        return Place(
            replace(new, settings={"traffic": self.traffic(name)})
            for new, name in zip(agent_targets(agents, range(4)), NAMES, strict=True)
        )

    def traffic(self, name: str) -> list[dict[str, Any]]:
        """Return the setting that takes a target out of traffic."""
        address, servers = self.haproxy.socket, [f"blue/{name}"]
        entry = {"kind": "haproxy", "address": address, "servers": servers}
        return [{**entry, "drain_seconds": 10}]

    def in_traffic(self) -> dict[str, str]:
        """Return what HAProxy says of each server."""
        head, *lines = self.haproxy.asked("show stat blue 4 -1").strip().split("\n")
        names = head.removeprefix("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=True)) for line in lines]
        return {row["svname"]: row["status"].split()[0] for row in rows}

    def end(self) -> None:
        """End all of it."""
        self.haproxy.remove()
        self.apps.end()


def errors(deployment: Deployment) -> list[str]:
    """Return what went wrong with its operations."""
    found = Operation.objects.filter(deployment=deployment).exclude(error="")
    return [f"{each.state}: {each.error}" for each in found]


@pytest.fixture
def behind() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.end()
