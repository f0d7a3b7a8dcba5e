"""Somebody who asks all the time, and counts each request that got no answer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

#: Who waits longer has lost the request.
PATIENCE_SECONDS = 10.0

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ClosedBefore(Exception):
    """A connection was closed before a byte of the answer."""


class Load:
    """Clients that ask one port without a pause; a context manager.

    Half of them keep their connection, half make a new one for each request. A kept
    one that is closed before a byte of the answer is asked again on a new one, once, as
    RFC 9112, 9.3.1 has every client do: that is in `again`, and lost only if it fails.

    Attributes:
        answered: how often each text was answered.
        lost: what happened instead of an answer, each time.
        again: how often a kept connection was closed under a request.
    """

    def __init__(self, port: int, *, clients: int = 8) -> None:
        self.answered: Counter[str] = Counter()
        self.lost: list[str] = []
        self.again = 0
        self._port, self._clients = port, clients
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._ask_all()))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self._over.set()
        self._thread.join()

    def more(self, count: int = 200) -> Counter[str]:
        """Wait for so many more requests; return what was answered to them."""
        before, lost = self.answered.copy(), len(self.lost)
        end = time.monotonic() + 20
        while (self.answered - before).total() + len(self.lost) - lost < count:
            assert time.monotonic() < end, (self.answered, self.lost[-3:])
            time.sleep(0.01)
        return self.answered - before

    async def _ask_all(self) -> None:
        kept = [number % 2 == 0 for number in range(self._clients)]
        await asyncio.gather(*[self._ask(keep=keep) for keep in kept])

    async def _ask(self, *, keep: bool) -> None:
        line: Line | None = None
        while not self._over.is_set():
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    line, body = await self._asked(line)
                self.answered[body] += 1
            except (OSError, TimeoutError, ClosedBefore, ValueError) as error:
                self.lost.append(f"{type(error).__name__}: {error}")
                line = None
                await asyncio.sleep(0.01)  # What refuses at once is not flooded.
            if line is not None and not keep:
                line[1].close()
                line = None
        if line is not None:
            line[1].close()

    async def _asked(self, line: Line | None) -> tuple[Line | None, str]:
        if line is not None:
            try:
                return await _answer(line)
            except ClosedBefore:
                line[1].close()
                self.again += 1
        return await _answer(await asyncio.open_connection("127.0.0.1", self._port))


async def _answer(line: Line) -> tuple[Line | None, str]:
    """Return the connection, if it may be used again, and the answer's text."""
    reader, writer = line
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: storefront\r\n\r\n")
        first = await reader.readline()
    except ConnectionError:
        first = b""
    if not first:
        raise ClosedBefore
    fields = {}
    while (field := (await reader.readline()).strip().lower()) != b"":
        name, _, value = field.partition(b":")
        fields[name] = value.strip()
    if b" 200 " not in first:
        writer.close()
        raise ValueError(first.decode().strip())
    try:
        body = await reader.readexactly(int(fields[b"content-length"]))
    except asyncio.IncompleteReadError:
        raise ValueError("the answer was cut") from None
    if fields.get(b"connection") == b"close":
        writer.close()
        return None, body.decode()
    return line, body.decode()
