"""A switch and its return while requests are made: none may be lost.

Lost requests are counted, not a share of them; a control shows that the count counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

import pytest

from deployctl.engine.routers.base import Router, RouterRef
from deployctl.engine.routers.haproxy import HaproxyRouter
from deployctl.engine.routers.nginx import NginxRouter
from tests.support.apps import Apps
from tests.support.balancers import Balancer, Haproxy
from tests.support.load import Load
from tests.support.nginxes import Nginx
from tests.support.ports import free_ports

pytestmark = pytest.mark.serial
SLOTS = ("blue", "green")
KINDS: dict[str, tuple[type[Balancer], type[Router]]] = {
    "haproxy": (Haproxy, HaproxyRouter),
    "nginx": (Nginx, NginxRouter),
}


@pytest.fixture(params=KINDS)
def balancer(request: pytest.FixtureRequest) -> Iterator[Balancer]:
    slots = dict(zip(SLOTS, (free_ports(3), free_ports(3)), strict=True))
    made = KINDS[request.param][0](slots, ordinary_user=True)
    yield made
    made.remove()


@pytest.fixture
def start(balancer: Balancer) -> Iterator[Callable[..., None]]:
    """Start applications in slots, numbered from 0 in blue on; then the balancer."""
    started: list[Apps] = []

    def apps(*slots: str) -> None:
        ports = [port for slot in slots for port in balancer.slots[slot]]
        started.append(Apps(ports))
        balancer.start()

    yield apps
    for each in started:
        each.end()


def switch(balancer: Balancer, slot: str) -> None:
    """Switch as a worker does, and read back."""
    router_of = KINDS[balancer.program][1]
    ref = RouterRef("1", "one", SLOTS, balancer.settings())
    (expected,) = set(SLOTS) - {slot}

    async def switched() -> None:
        router = router_of()
        try:
            done = await router.switch(
                ref, expected=expected, slot=slot, fence=1, seconds=10
            )
            assert done.ok
            reading = await router.read(ref, fence=None, seconds=5)
            assert reading.serving == slot
        finally:
            await router.close()

    asyncio.run(switched())


def numbers(answered: Iterable[str]) -> set[int]:
    """Return which applications have answered."""
    return {int(each.split()[0]) for each in answered}


def test_a_switch_and_its_return_lose_no_request(
    balancer: Balancer, start: Callable[..., None]
) -> None:
    start("blue", "green")
    with Load(balancer.port) as load:
        assert numbers(load.more()) == {0, 1, 2}
        switch(balancer, "green")
        load.more(20)  # What was under way may still be answered by blue.
        assert numbers(load.more()) == {3, 4, 5}
        switch(balancer, "blue")
        load.more(20)
        assert numbers(load.more()) == {0, 1, 2}
    assert load.lost == []
    # HAProxy reads its map for each request; a reload of nginx closes connections.
    assert load.again == 0 or balancer.program == "nginx"


def test_a_switch_to_a_slot_where_nobody_is_loses_some(
    balancer: Balancer, start: Callable[..., None]
) -> None:
    """The control: each request that green does not answer is counted."""
    start("blue")
    with Load(balancer.port) as load:
        load.more()
        assert load.lost == []
        switch(balancer, "green")
        assert numbers(load.more()) <= {0, 1, 2}
        switch(balancer, "blue")
    assert len(load.lost) > 50
