"""Who may listen, for how long, and that a socket takes no word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from deployctl.live import access
from deployctl.live.hub import Hub
from deployctl.live.pace import Pace
from deployctl.live.routing import sockets
from deployctl.models import Deployment
from strategies.states import OperationState
from tests.live.pages import Hands, apart, started

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]
S = OperationState
QUICK = Pace(
    tick_seconds=0.02, poll_seconds=30, heartbeat_seconds=30, recheck_seconds=0.3
)
HOST, ORIGIN = "testserver", "http://testserver"


class Site:
    """A deployment, a person who has signed in to look at it, and what serves both."""

    def __init__(self) -> None:
        _, self.deployment = started(20)
        self.hands = Hands(self.deployment)
        self.hub = Hub(QUICK)
        self.user = User.objects.create_user("ivo", password="a long enough one")
        client = Client()
        client.force_login(self.user)
        self.key = client.cookies["sessionid"].value
        self.open: list[WebsocketCommunicator] = []

    def socket(
        self, origin: str | None = ORIGIN, host: str = HOST, **more: Any
    ) -> WebsocketCommunicator:
        """Make a socket; `path` and `key` are those of this site unless given."""
        headers = [(b"host", host.encode())]
        cookie = f"theme=dark; sessionid={more.get('key', self.key)}"
        headers.append((b"cookie", cookie.encode()))
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        seq = Deployment.objects.get(pk=self.deployment.pk).seq
        path = f"/ws/deployments/{self.deployment.pk}/?since={seq}"
        made = WebsocketCommunicator(
            sockets(self.hub), more.get("path", path), headers=headers
        )
        self.open.append(made)
        return made


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    made: Site = await do(Site)
    yield made
    for socket in made.open:
        socket.stop(exceptions=False)
    await made.hub.close()


async def do(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(apart, work)


async def accepted(site: Site, **more: Any) -> WebsocketCommunicator:
    socket = await do(lambda: site.socket(**more))
    assert (await socket.connect(5))[0]
    return socket


async def closed(socket: WebsocketCommunicator) -> int:
    while (message := await socket.receive_output(5))["type"] != "websocket.close":
        pass
    return int(message["code"])


async def test_a_socket_hears_what_happens(site: Site) -> None:
    socket = await accepted(site)
    await do(lambda: site.hands.flush(S.SUCCEEDED))
    frame = json.loads(await socket.receive_from(5))
    assert frame["kind"] == "state"
    assert set(frame) >= {"from", "to", "html", "cells", "control_version", "title"}
    await socket.disconnect()
    assert site.hub.viewers == 0


async def test_a_socket_that_says_no_number_begins_anew(site: Site) -> None:
    path = f"/ws/deployments/{site.deployment.pk}/"
    for query in ("", "?since=", "?since=-3", "?since=x", f"?since={'9' * 30}"):
        socket = await accepted(site, path=path + query)
        assert json.loads(await socket.receive_from(5)) == {"kind": "resync"}


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "https://testserver",
        "http://testserver:8000",
        "http://evil.example",
        "http://testserver.evil.example",
        "http://sub.testserver",
        "http://me@testserver",
        "http://testserver/path",
        "http://testserver:port",
    ],
)
async def test_a_foreign_origin_is_refused(site: Site, origin: str | None) -> None:
    socket = await do(lambda: site.socket(origin))
    assert (await socket.connect(5))[0] is False
    assert site.hub.viewers == 0


async def test_a_name_that_is_not_ours_is_refused_even_by_itself(site: Site) -> None:
    rebound = {"origin": "http://evil.example", "host": "evil.example"}
    socket = await do(lambda: site.socket(**rebound))
    assert (await socket.connect(5))[0] is False


@pytest.mark.parametrize(
    ("trusted", "origin", "welcome"),
    [
        ("https://deploy.example", "https://deploy.example", True),
        ("https://deploy.example", "https://deploy.example:443", True),
        ("https://deploy.example", "http://deploy.example", False),
        ("https://deploy.example", "https://deploy.example:8443", False),
        ("https://*.example", "https://deploy.example", True),
        ("https://*.example", "https://deploy.example.evil", False),
    ],
)
async def test_an_outer_name_is_trusted_as_posts_trust_it(
    site: Site, settings: Settings, trusted: str, origin: str, welcome: bool
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [trusted]
    socket = await do(lambda: site.socket(origin))
    assert (await socket.connect(5))[0] is welcome


@pytest.mark.parametrize("key", ["", "nobody's", "x" * 300])
async def test_nobody_is_asked_to_sign_in(site: Site, key: str) -> None:
    assert await closed(await accepted(site, key=key)) == access.SIGN_IN


@pytest.mark.parametrize("number", ["999999", "9" * 40])
async def test_a_deployment_that_is_not_there_is_not_shown(
    site: Site, number: str
) -> None:
    path = f"/ws/deployments/{number}/?since=0"
    assert await closed(await accepted(site, path=path)) == access.NO_RIGHT


async def test_a_path_that_is_not_there_is_refused_without_a_traceback(
    site: Site,
) -> None:
    for path in ("/ws/", "/", "/ws/deployments/x/"):
        socket = await do(partial(site.socket, path=path))
        assert (await socket.connect(5))[0] is False


def sign_out(site: Site) -> None:
    Session.objects.all().delete()


def deactivate(site: Site) -> None:
    User.objects.filter(pk=site.user.pk).update(is_active=False)


def change_password(site: Site) -> None:
    site.user.set_password("quite another long one")
    site.user.save()


def remove(site: Site) -> None:
    site.user.delete()


@pytest.mark.parametrize("end", [sign_out, deactivate, change_password, remove])
async def test_a_socket_does_not_outlive_its_session(
    site: Site, end: Callable[[Site], None]
) -> None:
    socket = await accepted(site)
    await asyncio.sleep(0.4)
    assert await socket.receive_nothing(), "a good session goes on"
    await do(lambda: end(site))
    assert json.loads(await socket.receive_from(5)) == {"kind": "bye", "code": 4401}
    assert await closed(socket) == access.SIGN_IN
    assert site.hub.viewers == 0
    await do(lambda: site.hands.flush(S.SUCCEEDED))
    assert await socket.receive_nothing(0.3), "nothing more is told"


async def test_a_socket_does_not_touch_a_session(
    site: Site, settings: Settings
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new one, rotated in while people were signed in"
    before = await do(lambda: list(Session.objects.values()))
    socket = await accepted(site)
    await asyncio.sleep(0.5)
    assert await socket.receive_nothing(), "a rotated key signs nobody out"
    assert await do(lambda: list(Session.objects.values())) == before


@pytest.mark.parametrize(
    "said",
    [
        *("{}", "{", "[" * 100_000, "9" * 5000, "NaN", '{"type": "pause"}'),
        *('{"type": ["pause"], "deployment": {"id": true}}', "x" * 1_000_000),
        *(b"\x00", b"\xff\xfe" * 10_000),
    ],
)
async def test_whatever_is_said_closes_the_socket_and_raises_nothing(
    site: Site, said: str | bytes
) -> None:
    socket = await accepted(site)
    if isinstance(said, bytes):
        await socket.send_to(bytes_data=said)
    else:
        await socket.send_to(text_data=said)
    assert await closed(socket) == 4003
    await socket.wait(5)  # raises what the application raised
    assert site.hub.viewers == 0


async def test_sockets_take_no_part_in_the_layer(site: Site) -> None:
    layer: Any = get_channel_layer()
    before = set(layer.channels) | set(layer.groups)
    await accepted(site)
    assert set(layer.channels) | set(layer.groups) == before


async def test_too_many_sockets_of_one_person_are_refused(site: Site) -> None:
    site.hub = Hub(Pace(sockets_per_user=2, poll_seconds=30))
    for _ in range(2):
        await accepted(site)
    assert await closed(await accepted(site)) == 4013
    assert site.hub.viewers == 2


async def test_a_stopping_server_asks_pages_to_come_back(site: Site) -> None:
    socket = await accepted(site)
    socket.future.cancel()
    assert await closed(socket) == 4012
    assert site.hub.viewers == 0


async def test_a_client_that_reads_nothing_keeps_nobody_waiting(site: Site) -> None:
    """A server that waits for its client waits in that client's task alone."""
    stuck, quick = await do(site.socket), await accepted(site)
    never, got = asyncio.Event(), asyncio.Queue[dict[str, Any]]()

    async def send(message: dict[str, Any]) -> None:
        await got.put(message)
        if message["type"] == "websocket.send":
            await never.wait()

    inbox = asyncio.Queue[dict[str, Any]]()
    inbox.put_nowait({"type": "websocket.connect"})
    serving = asyncio.create_task(sockets(site.hub)(stuck.scope, inbox.get, send))
    assert (await asyncio.wait_for(got.get(), 5))["type"] == "websocket.accept"
    for _ in range(2):
        await do(lambda: site.hands.flush(S.SUCCEEDED))
        await quick.receive_from(2)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert got.qsize() == 2, "one frame was begun, and then the socket was closed"
