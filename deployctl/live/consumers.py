"""The socket of the room: it listens to the hub, and is never listened to.

Commands are posts. What comes in over a socket is refused unread.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.db import DatabaseError

from deployctl.live import access
from deployctl.live.hub import Hub, Viewer

log = logging.getLogger(__name__)
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Of the codes that the standard names, daphne lets an application send only 1000; the
# private ones below say the same with 1003, 1012 and 1013 in mind.
SPOKE = 4003
RESTART = 4012
TOO_MANY = 4013
FAREWELL_SECONDS = 0.1
MOST_DIGITS = 18


class RoomSocket(AsyncConsumer):
    """`/ws/deployments/<id>/?since=N`: frames after N, heartbeats, nothing else."""

    # A layer that does not exist: sockets take no part in the engine's.
    channel_layer_alias = "sockets take no layer"

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.viewer: Viewer | None = None
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one socket from its handshake to its end."""
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops: the page is to come back, to another process.
            self.end()
            await send({"type": "websocket.close", "code": RESTART})
            # daphne hangs up as soon as we return; the word has to leave before.
            await asyncio.sleep(FAREWELL_SECONDS)
            raise
        finally:
            self.end()

    async def websocket_connect(self, _: Message) -> None:
        """Let in who may listen; tell the others why not, where they may know."""
        if not access.is_own_origin(self.scope):
            log.warning("a socket was refused: its Origin is not this site")
            await self.close()
        try:
            answer = await self.check()
        except DatabaseError:
            log.warning("a socket was refused: its session could not be read")
            await self.close()
        # A refused handshake has no code that a page could read: so, accept first.
        await self.send({"type": "websocket.accept"})
        if answer.code:
            await self.close(answer.code)
        self.viewer = self.hub.join(self.deployment_id, answer.user_id, self.since)
        if self.viewer is None:
            await self.close(TOO_MANY)
        else:
            send = self.deliver(self.viewer)
            self.tasks = [asyncio.create_task(t) for t in (send, self.guard())]

    async def websocket_receive(self, _: Message) -> None:
        """Refuse whatever it is; it is not even read."""
        log.info("a socket was closed: it sent something")
        await self.close(SPOKE)

    async def websocket_disconnect(self, _: Message) -> None:
        """Accept that the page has gone."""
        raise StopConsumer

    async def deliver(self, viewer: Viewer) -> None:
        """Pass on what the hub hands out, as fast as this one socket takes it."""
        while True:
            await self.send({"type": "websocket.send", "text": await viewer.take()})

    async def guard(self) -> None:
        """Close the socket when its session has ended, or its right to look."""
        while True:
            # Spread, so that a thousand sockets of one restart do not ask together.
            await asyncio.sleep(self.hub.pace.recheck_seconds * random.uniform(0.7, 1))  # noqa: S311
            try:
                answer = await self.check()
            except DatabaseError:
                continue  # Nothing is shown either while nothing can be read.
            if answer.code:
                self.leave()
                bye = json.dumps({"kind": "bye", "code": answer.code})
                await self.send({"type": "websocket.send", "text": bye})
                await self.send({"type": "websocket.close", "code": answer.code})
                return

    async def check(self) -> access.Answer:
        """Ask today's session and rights; DatabaseError when they cannot be read."""
        key, deployment_id = access.session_key(self.scope), self.deployment_id
        return await self.hub.read(lambda: access.check(key, deployment_id))

    @property
    def deployment_id(self) -> int:
        """The deployment that the address names."""
        return int(self.scope["url_route"]["kwargs"]["deployment_id"])

    @property
    def since(self) -> int:
        """The last event that the page has; -1 for everything, if it does not say."""
        given = parse_qs(self.scope["query_string"].decode("latin1")).get("since", [""])
        text = given[-1]
        good = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
        return int(text) if good else -1

    async def close(self, code: int = 1000) -> None:
        """Close the socket, refusing it when it is not accepted yet, and stop."""
        await self.send({"type": "websocket.close", "code": code})
        raise StopConsumer

    def leave(self) -> None:
        """Take nothing more from the hub."""
        if self.viewer is not None:
            self.hub.leave(self.viewer)
            self.viewer = None

    def end(self) -> None:
        """Stop what this socket had running."""
        self.leave()
        for task in self.tasks:
            task.cancel()


async def nowhere(scope: Message, receive: Receive, send: Send) -> None:
    """Refuse a socket at an address where there is none."""
    await receive()
    await send({"type": "websocket.close"})
