"""One command on one connection: a line goes in, bounded output and an end come out.

It knows no host; whatever the far side does, this side keeps little of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import asyncssh

from deployctl.engine import clean

#: Kept from the front and from the back of what a command writes, of each stream.
HEAD_BYTES = TAIL_BYTES = 512 * 1024
#: What the far side may send before it must wait for us.
WINDOW_BYTES = 128 * 1024
#: Who writes more than this is read slowly: a flood waits, not the others here.
FAST_BYTES, PAUSE_SECONDS = 8 * 1024 * 1024, 0.02
#: Silence after a command's end that means that all of its output has come.
LINGER_SECONDS = 1.0


class Kept:
    """The first and last bytes of a stream that may be endless."""

    def __init__(self) -> None:
        self.total = 0
        self._head, self._tail = bytearray(), bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.total += len(data)
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    @property
    def whole(self) -> bool:
        """Whether nothing was left out."""
        return self.total <= HEAD_BYTES

    def text(self) -> str:
        """Return what is kept; wrong bytes become U+FFFD."""
        tail = self._tail[-TAIL_BYTES:]
        cut = self.total - len(self._head) - len(tail)
        note = b"\n[... %d bytes cut ...]\n" % cut if cut else b""
        return bytes(self._head + note + tail).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its status, None when a signal ended it, and its streams."""

    status: int | None
    signal: str
    out: Kept
    err: Kept

    def how(self) -> str:
        """Say how it ended and what it said, in one clean line."""
        end = (
            f"signal {self.signal}" if self.status is None else f"status {self.status}"
        )
        said = self.err.text().strip() or self.out.text().strip()
        return clean.line(f"it ended with {end}" + (f": {said[:4000]}" if said else ""))


class Session(asyncssh.SSHClientSession[bytes]):
    """Gives the command its line, and notes what comes until the channel is closed.

    Attributes:
        sent: whether the host may have been asked to run the command.
        over: done when nothing more is to be expected, however that came.
        when_open: called when there is a channel, just before `sent`.
    """

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._loop = asyncio.get_running_loop()
        self.sent = False
        self.when_open: Callable[[], None] = _nothing
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._status: int | None = None
        self._signal = ""
        self._out, self._err = Kept(), Kept()
        self._lingering: asyncio.TimerHandle | None = None

    def ended(self) -> Ended | None:
        """Return how the command ended; None when the host has not said so."""
        if self._status is None and not self._signal:
            return None
        return Ended(self._status, self._signal, self._out, self._err)

    def close(self) -> None:
        """Close the channel at once: the command's own input ends with it."""
        if self._channel is not None:
            self._channel.abort()

    # -- what asyncssh calls --------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Note the channel; the request to run the command goes out next."""
        self.when_open()
        self.sent, self._channel = True, chan

    def session_started(self) -> None:
        """Give the line. The input stays open: its end says that we have gone."""
        if self._channel is not None:
            # Who ended at once takes no line any more; how it ended is told as ever.
            with contextlib.suppress(OSError):
                self._channel.write(self._line)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Keep a part of what comes, and slow down who sends too much."""
        (self._err if datatype else self._out).feed(data)
        channel = self._channel
        if channel is not None and self._out.total + self._err.total > FAST_BYTES:
            channel.pause_reading()
            self._loop.call_later(PAUSE_SECONDS, channel.resume_reading)
        if self._lingering is not None:
            self._linger()

    def exit_status_received(self, status: int) -> None:
        """Note it; a service that the command started may hold the channel open."""
        self._status = status
        self._linger()

    def exit_signal_received(
        self, signal: str, core_dumped: bool, msg: str, lang: str
    ) -> None:
        """Note it."""
        self._signal = signal
        self._linger()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that nothing more comes."""
        self._finish()

    def _linger(self) -> None:
        """Wait for what is still on its way, but not for ever."""
        if self._lingering is not None:
            self._lingering.cancel()
        self._lingering = self._loop.call_later(LINGER_SECONDS, self._finish)

    def _finish(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        if not self.over.done():
            self.over.set_result(None)


def _nothing() -> None:
    return
