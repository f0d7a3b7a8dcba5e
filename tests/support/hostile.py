"""Servers that hang, flood, drip and cut, on free ports of this machine.

What they are asked is kept; whom they harm is the test's affair.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio

from deployctl.engine.drivers.base import TargetRef

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Hostile:
    """A server with a handler of the test's, and what it was asked."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.asked: list[bytes] = []
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.asked.append(head)
                if head.startswith(b"POST"):
                    await reader.readuntil(b"}")
                await self.handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # The driver hung up, or the test is over.
        finally:
            self.tasks.discard(task)
            writer.close()

    @property
    def target(self) -> TargetRef:
        return TargetRef("1", "one", f"http://127.0.0.1:{self.port}")


Serve = Callable[[Handler], Awaitable[Hostile]]


@pytest_asyncio.fixture
async def hostile() -> AsyncIterator[Callable[[Handler], Awaitable[Hostile]]]:
    servers: list[tuple[Hostile, asyncio.Server]] = []

    async def serve(handler: Handler) -> Hostile:
        made = Hostile(handler)
        server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        servers.append((made, server))
        return made

    yield serve
    for made, server in servers:
        server.close()
        for task in list(made.tasks):
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)


def says(status: str, body: bytes, *headers: str) -> Handler:
    async def handler(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return handler


def answers(status: int = 200, **body: object) -> Handler:
    return says(f"{status} X", json.dumps(body).encode())


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def cuts_in_the_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ok": tr')
    writer.close()


async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def floods(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{"output": "')
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_head(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
        await writer.drain()
