"""Applications that serve requests, in a process of their own: for tests alone.

A restart is rude: whoever is being answered gets no answer. That is what a drain is
there to prevent, and what a load must be able to count.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from collections.abc import Sequence

from tests.support import ROOT
from tests.support.ports import free_ports

#: How long an answer takes, and how long nobody listens during a restart.
WORK_SECONDS, AWAY_SECONDS = 0.02, 0.3
#: How long the answer to `/long` takes.
LONG_SECONDS = 1.0


class Apps:
    """Applications on these ports, each by its number; all are gone after `end`."""

    def __init__(self, ports: Sequence[int]) -> None:
        (self.control,) = free_ports(1)
        given = map(str, (self.control, *ports))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.apps", *given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def asked(self, path: str) -> str:
        """Ask the control port: `version/<n>` or `restart/<n>/<version>`."""
        url = f"http://127.0.0.1:{self.control}/{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())

    def argv(self, path: str) -> list[str]:
        """Return a command that asks the control port and prints the answer."""
        url = f"http://127.0.0.1:{self.control}/{path}"
        lines = (
            "import sys, urllib.request\n"
            "sys.stdout.buffer.writelines(urllib.request.urlopen(sys.argv[1]))"
        )
        return [sys.executable, "-I", "-S", "-c", lines, url]

    def end(self) -> None:
        """End them all."""
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


class App:
    """One application: it answers its number and its version."""

    def __init__(self, number: int, port: int) -> None:
        self.number, self.port, self.version = number, port, "1.0"
        self._lines: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def restart(self, version: str) -> None:
        """Cut every connection, be away for a moment, and come back at a version."""
        self._server.close()
        for line in list(self._lines):
            line.transport.abort()
        await asyncio.sleep(AWAY_SECONDS)
        self.version = version
        await self.start()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._lines.add(writer)
        try:
            while head := await _head(reader):
                if not head.startswith(b"GET /healthz"):
                    long = head.startswith(b"GET /long")
                    await asyncio.sleep(LONG_SECONDS if long else WORK_SECONDS)
                writer.write(_answer(f"{self.number} {self.version}"))
                await writer.drain()
        except ConnectionError:
            pass  # Cut by a restart, or by who asked.
        finally:
            self._lines.discard(writer)
            writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _answer(body: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


async def _main(control: int, ports: Sequence[int]) -> None:
    apps = [App(number, port) for number, port in enumerate(ports)]
    for app in apps:
        await app.start()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await _head(reader)).split()[1].decode()
        verb, number, *version = path[1:].split("/")
        app = apps[int(number)]
        if verb == "restart":
            await app.restart(*version)
        writer.write(_answer(app.version))
        await writer.drain()
        writer.close()

    await asyncio.start_server(serve, "127.0.0.1", control)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
