"""Rolling and canary updates of targets behind HAProxy, with requests all the time.

Each target is one of four applications, whose restart is rude: whoever is being
answered, or comes while it is away, gets no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from deployctl.models import Deployment, Operation
from deployctl.services import fleet
from tests.engine.drivers.agents import Agents
from tests.services.slotted import prepare
from tests.support import truth
from tests.support.apps import Apps
from tests.support.balancers import Haproxy, free_ports
from tests.support.fleet import Log, Place, Workers, agent_targets, rested, until
from tests.support.load import Load

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
CRASHED = 137


NAMES = ("one", "two", "three", "four")
ALL_UP = dict.fromkeys(NAMES, "UP")


class Fleet:
    """Four applications behind one HAProxy, and targets that are commands on them."""

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


@pytest.fixture
def behind() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.end()


def errors(deployment: Deployment) -> list[str]:
    """Return what went wrong with its operations."""
    found = Operation.objects.filter(deployment=deployment).exclude(error="")
    return [f"{each.state}: {each.error}" for each in found]


def test_a_rolling_update_with_drain_loses_no_request(
    behind: Fleet, workers: Workers
) -> None:
    place = behind.place()
    workers.start()
    with Load(behind.haproxy.port) as load:
        assert set(load.more()) == {f"{number} 1.0" for number in range(4)}
        deployment = rested(place.deploy(batch_size=1), 60)
        assert deployment.state == "completed", errors(deployment)
        load.more(20)
        assert set(load.more()) == {f"{number} 2.0" for number in range(4)}
    assert (load.lost, load.again) == ([], 0)
    assert behind.in_traffic() == ALL_UP
    truth.check(deployment.pk)


def test_the_same_without_drain_loses_some(behind: Fleet, workers: Workers) -> None:
    """The control: the load is such that a restart in traffic is noticed."""
    place = behind.place(drain=False)
    workers.start()
    with Load(behind.haproxy.port) as load:
        load.more()
        assert load.lost == []
        deployment = rested(place.deploy(batch_size=1), 60)
        assert deployment.state == "completed", errors(deployment)
        load.more()
    assert load.lost


def test_a_canary_with_drain_loses_no_request(behind: Fleet, workers: Workers) -> None:
    place = behind.place()
    workers.start(2)
    options: dict[str, Any] = {"stages": "25, 100", "stage_duration_seconds": 0}
    with Load(behind.haproxy.port) as load:
        load.more()
        made = prepare(place, "canary", on_failure="halt", **options)
        deployment = rested(place.start(made), 60)
        assert deployment.state == "completed", errors(deployment)
        load.more()
    assert (load.lost, load.again) == ([], 0)
    assert behind.in_traffic() == ALL_UP


def test_a_target_that_failed_stays_out_until_a_return_leads_it_back(
    behind: Fleet, workers: Workers
) -> None:
    place = behind.place(broken="two")
    workers.start()
    deployment = rested(place.deploy(batch_size=1), 60)
    assert deployment.state == "failed", errors(deployment)
    assert behind.in_traffic() == {**ALL_UP, "two": "DRAIN"}
    assert place.press(deployment, "roll_back").status == "ok"
    assert rested(deployment, 60).state == "rolled_back", errors(deployment)
    assert behind.in_traffic() == ALL_UP


@pytest.mark.parametrize("point", ["after_drain", "after_apply", "before_result"])
def test_a_target_whose_worker_died_is_led_back(
    point: str, behind: Fleet, agents: Callable[..., Agents], workers: Workers
) -> None:
    """The claim was committed before it was taken out: somebody settles it."""
    fleet_of = agents(4, apply_seconds=0.02)
    place = behind.place_of(fleet_of)
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT=f"{point}:2")
    deployment = place.deploy(batch_size=1)
    assert crashing.wait(20) == CRASHED
    if point != "before_result":
        assert behind.in_traffic() == {**ALL_UP, "two": "DRAIN"}
    workers.start()
    assert rested(deployment, 40).state == "completed", errors(deployment)
    assert behind.in_traffic() == ALL_UP
    assert Log(fleet_of).changes() == {(number, "2.0"): 1 for number in range(4)}
    truth.check(deployment.pk)


def test_a_target_whose_worker_died_is_led_back_though_nobody_goes_on(
    behind: Fleet, agents: Callable[..., Agents], workers: Workers
) -> None:
    """Aborted meanwhile: it is not changed any more, and not left out either."""
    fleet_of = agents(4, apply_seconds=0.02)
    place = behind.place_of(fleet_of)
    (crashing,) = workers.start(DEPLOYCTL_CRASH_AT="after_drain:2")
    deployment = place.deploy(batch_size=1)
    assert crashing.wait(20) == CRASHED
    assert place.press(deployment, "abort").status == "ok"
    workers.start()
    rested(deployment, 40)
    assert (deployment.state, deployment.reason) == ("failed", "aborted_by_user")
    until(lambda: behind.in_traffic() == ALL_UP)
    assert Log(fleet_of).changes() == {(0, "2.0"): 1}
