"""Taking targets out of HAProxy's traffic, and leading it back, with HAProxy itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
import pytest_asyncio

from deployctl.engine import traffic
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.reach import Reach
from deployctl.engine.traffic import TrafficFailed, Traffics
from tests.engine.routers.haproxies import Between
from tests.support.apps import Apps
from tests.support.balancers import Haproxy
from tests.support.ports import free_ports

pytestmark = [pytest.mark.serial, pytest.mark.asyncio]


@dataclass
class Behind:
    """Three applications behind an HAProxy, and what leads traffic to the first."""

    haproxy: Haproxy
    apps: Apps
    traffics: Traffics

    def entry(self, **more: Any) -> dict[str, Any]:
        """Return what leads traffic to the first; `more` changes it."""
        given = {"address": self.haproxy.socket, "servers": ["blue/one"]}
        return {"kind": "haproxy", **given, **more}

    def target(self, **more: Any) -> TargetRef:
        """Return the first as a target."""
        return TargetRef("1", "one", "", {"traffic": [self.entry(**more)]})

    def row(self, name: str = "one") -> dict[str, str]:
        """Return HAProxy's own words on a server."""
        head, *lines = self.haproxy.asked("show stat blue 4 -1").strip().split("\n")
        names = head.removeprefix("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=True)) for line in lines]
        return next(row for row in rows if row["svname"] == name)

    def status(self) -> str:
        """Return HAProxy's own word on how the first is, however its checks count."""
        return self.row()["status"].split()[0]

    async def take_out(self, *, seconds: float = 5, **more: Any) -> str:
        """Take the first out."""
        return await self.traffics.take_out(self.target(**more), seconds=seconds)

    async def lead_back(
        self, *, seconds: float = 5, wait: bool = True, **more: Any
    ) -> None:
        """Lead traffic to the first again."""
        target = self.target(**more)
        await self.traffics.lead_back(target, seconds=seconds, wait=wait)

    async def asked(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask the first, as the only one that is left, for what takes long."""
        for other in ("two", "three"):
            self.haproxy.asked(f"set server blue/{other} state maint")
        line = await asyncio.open_connection("127.0.0.1", self.haproxy.port)
        line[1].write(b"GET /long HTTP/1.1\r\nHost: storefront\r\n\r\n")
        for _ in range(50):
            if self.row()["scur"] == "1":
                return line
            await asyncio.sleep(0.01)
        raise AssertionError(self.row())


@pytest_asyncio.fixture
async def behind() -> AsyncIterator[Behind]:
    ports = free_ports(3)
    apps = Apps(ports)
    haproxy = Haproxy({"blue": ports, "green": free_ports(3)}, ordinary_user=True)
    haproxy.start()
    made = Behind(haproxy, apps, Traffics())
    yield made
    await made.traffics.close()
    haproxy.remove()
    apps.end()


async def test_it_is_taken_out_and_led_back(behind: Behind) -> None:
    assert await behind.take_out() == ""
    assert behind.status() == "DRAIN"
    await behind.lead_back()
    assert behind.status() == "UP"


async def test_doing_so_twice_is_doing_so_once(behind: Behind) -> None:
    """As an operation does that is made again."""
    assert await behind.take_out() == await behind.take_out() == ""
    await behind.lead_back()
    await behind.lead_back()
    assert behind.status() == "UP"


async def test_what_is_under_way_is_waited_for(behind: Behind) -> None:
    reader, writer = await behind.asked()
    taking = asyncio.create_task(behind.take_out())
    await asyncio.sleep(0.4)
    assert not taking.done()
    assert b" 200 " in await reader.readline()
    assert await taking == ""
    writer.close()


async def test_what_never_ends_is_waited_for_as_long_as_the_setting_says(
    behind: Behind,
) -> None:
    _, writer = await behind.asked()
    said = await behind.take_out(drain_seconds=0.3)
    assert said == "its time to drain ended with 1 requests still under way"
    assert behind.status() == "DRAIN"
    writer.close()


async def test_it_is_waited_for_no_longer_than_its_caller_can(behind: Behind) -> None:
    _, writer = await behind.asked()
    assert "still under way" in await behind.take_out(seconds=0.3)
    writer.close()


async def test_what_a_person_keeps_out_stays_out(behind: Behind) -> None:
    behind.haproxy.asked("set server blue/one state maint")
    assert await behind.take_out() == ""
    assert behind.status() == "MAINT"
    await behind.lead_back()
    assert behind.status() == "MAINT"


async def test_it_is_back_when_haproxy_sends_it_requests(behind: Behind) -> None:
    """Healthy by its own word is not enough: until then others carry the load."""
    await behind.take_out()
    behind.haproxy.asked("set server blue/one health down")
    behind.haproxy.asked("disable health blue/one")
    with pytest.raises(TrafficFailed, match="blue/one is DOWN"):
        await behind.lead_back(seconds=0.3)
    behind.haproxy.asked("enable health blue/one")
    await behind.lead_back()
    assert behind.status() == "UP"


async def test_one_of_several_that_cannot_be_asked_stops_it(behind: Behind) -> None:
    """It may have been taken out elsewhere, and that is said."""
    both = [behind.entry(), behind.entry(address="/nowhere/admin.sock")]
    target = TargetRef("1", "one", "", {"traffic": both})
    with pytest.raises(TrafficFailed, match="there is no connection") as failed:
        await behind.traffics.take_out(target, seconds=5)
    assert failed.value.touched
    with pytest.raises(TrafficFailed) as failed:
        await behind.take_out(address="/nowhere/admin.sock")
    assert not failed.value.touched


async def test_what_fails_is_tried_again_on_the_way_back(behind: Behind) -> None:
    await behind.take_out()
    behind.haproxy.stop()
    back = asyncio.create_task(behind.lead_back(seconds=10))
    await asyncio.sleep(0.3)
    assert not back.done()
    behind.haproxy.start()
    await back
    assert behind.status() == "UP"


async def test_what_the_environment_does_not_allow_is_not_connected_to() -> None:
    entry = {"kind": "haproxy", "address": "127.0.0.1:1", "servers": ["blue/one"]}
    reach = Reach(allowed=[ip_network("10.0.0.0/8")])
    target = TargetRef("1", "one", "", {"traffic": [entry]}, reach)
    with pytest.raises(TrafficFailed, match="no network that this environment allows"):
        await Traffics().take_out(target, seconds=1)


@pytest.mark.parametrize("servers", [["blue/nobody"], ["nowhere/one"]])
async def test_a_server_that_is_not_there(behind: Behind, servers: list[str]) -> None:
    with pytest.raises(TrafficFailed) as failed:
        await behind.take_out(servers=servers)
    assert not failed.value.touched


@pytest.mark.parametrize("fault", ["endless", "dripping", "binary", "cut", "deaf"])
async def test_an_answer_that_makes_no_sense(
    behind: Behind, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in time, fills no memory, and nothing is believed to be out."""
    monkeypatch.setattr(traffic, "ASK_SECONDS", 0.5)
    path = behind.haproxy.folder / "between.sock"
    between = Between(path, behind.haproxy.socket, "none", fault)
    asked_at = asyncio.get_running_loop().time()
    with pytest.raises(TrafficFailed) as failed:
        await behind.take_out(address=str(path))
    assert asyncio.get_running_loop().time() - asked_at < 2
    assert len(str(failed.value)) < 1000
    between.close()
    assert behind.status() == "UP"


async def test_one_that_is_stopped_is_said_in_time(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "ASK_SECONDS", 0.5)
    with socket.socket(socket.AF_UNIX) as deaf:
        path = str(behind.haproxy.folder / "deaf.sock")
        deaf.bind(path)
        deaf.listen()
        with pytest.raises(TrafficFailed, match="no whole answer in time"):
            await behind.lead_back(address=path, seconds=0.5)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"kind": "f5"}, "kind is one of haproxy"),
        ({"colour": "red"}, "colour is not a setting"),
        ({"address": "169.254.169.254:80"}, "never a target"),
        ({"servers": []}, "1 to 16 servers"),
        ({"servers": ["one"]}, "backend/server"),
        ({"servers": ["blue/one; shutdown sessions"]}, "backend/server"),
        ({"drain_seconds": -1}, "0 to 3600"),
        ({"drain_seconds": float("nan")}, "0 to 3600"),
        ({"drain_seconds": True}, "0 to 3600"),
    ],
)
async def test_a_setting_that_is_none(more: dict[str, Any], word: str) -> None:
    good = {"kind": "haproxy", "address": "/run/s", "servers": ["blue/one"]}
    assert traffic.problem([good]) == ""
    assert word in traffic.problem([good, {**good, **more}])
    assert "must be a list" in traffic.problem(good)
