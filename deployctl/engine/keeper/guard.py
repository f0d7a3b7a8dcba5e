"""A guard: one program from its start until nothing of it is left.

It knows its own program only, and nothing of the keeper that it was forked from.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

from deployctl.engine.keeper.offspring import (
    adopt_orphans,
    children,
    clear,
    hear,
    kill,
    reaped,
    ring_off,
)

#: Between TERM and KILL; also before a deadline, at which everything is over.
GRACE_SECONDS = 0.5
#: The part of a short time that TERM may take away from it.
GRACE_SHARE = 0.25
CHUNK_BYTES = 65_536
#: What may still stand in a pipe when all that wrote into it are dead.
MOST_LEFT_BYTES = 1_048_576


def guard(channel: socket.socket) -> NoReturn:
    """Run one program and answer; end this process, whatever happens."""
    status = 1
    try:
        bell = hear()
        adopt_orphans()
        status = guarded(channel, bell)
    except BaseException:  # into the worker's log; the keeper kills what is left
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def guarded(channel: socket.socket, bell: int) -> int:
    """Start what is asked for, see it to its end, answer; the guard's exit status."""
    with channel.makefile("rb") as file:
        line = file.readline()
        if not line.endswith(b"\n"):
            return 0  # the worker went before it had asked
        asked = json.loads(line)
        fed = file.read(asked["stdin_bytes"])
    if len(fed) < asked["stdin_bytes"]:
        return 0
    if time.monotonic() >= asked["until"]:
        answer(channel, {"errno": errno.ETIMEDOUT, "path": None})
        return 0
    try:
        process = subprocess.Popen(
            asked["argv"],
            bufsize=0,
            cwd=asked["cwd"],
            env=asked["environment"],
            stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        answer(channel, {"errno": error.errno, "path": error.filename})
        return 0
    except ValueError:  # a NUL, or a variable whose name has an equals sign
        answer(channel, {"errno": errno.EINVAL, "path": None})
        return 0
    kept = Kept(asked["kept_bytes"])
    watched = Watched(process, channel, bell, fed, kept)
    why = watched.ended(asked["until"])
    facts = {"why": why, "status": watched.status, **kept.facts}
    answer(channel, facts, bytes(kept.head + kept.tail))
    return 0


class Kept:
    """The beginning and the end of an output, and how much was left out between."""

    def __init__(self, most_bytes: int) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self._half = most_bytes // 2
        self._cut = 0

    def add(self, chunk: bytes) -> None:
        """Keep of a chunk what there is room for."""
        room = self._half - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:]
        # Not each time: what is moved to the front is then small beside what came in.
        if len(self.tail) > self._half + 16 * CHUNK_BYTES:
            self._trim()

    @property
    def facts(self) -> dict[str, int]:
        """What the answer says of it."""
        self._trim()
        return {"cut_bytes": self._cut, "head_bytes": len(self.head)}

    def _trim(self) -> None:
        over = max(0, len(self.tail) - self._half)
        self._cut += over
        del self.tail[:over]


class Watched:
    """A program that was started, until nothing of it is left."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: socket.socket,
        bell: int,
        fed: bytes,
        kept: Kept,
    ) -> None:
        self.status: int | None = None
        self._leader = process.pid
        self._output: Any = process.stdout
        self._input: Any = process.stdin
        self._channel: socket.socket | None = channel
        self._bell = bell
        self._fed = memoryview(fed)
        self._kept = kept
        for pipe in (self._output, self._input):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)

    def ended(self, until: float) -> str:
        """Return why it is over: `ended`, `deadline`, `stopped`; all is dead then."""
        left = until - time.monotonic()
        term_at = until - min(GRACE_SECONDS, left * GRACE_SHARE)
        why, next_at = "", term_at
        while self.status is None:
            now = time.monotonic()
            if now >= next_at:
                if why:
                    break
                why, next_at = "deadline", until
                self._signal(signal.SIGTERM)
            if not self._waited(next_at - now) and not why:
                why, next_at = "stopped", min(until, now + GRACE_SECONDS)
                self._signal(signal.SIGTERM)
        # What it left behind goes with it, also when it has ended by itself.
        self._signal(signal.SIGKILL)
        clear(self._cleared, self._bell)
        for _ in range(MOST_LEFT_BYTES // CHUNK_BYTES):
            self._read()
        return why or "ended"

    def _waited(self, seconds: float) -> bool:
        """Serve the pipes once; False when the worker let go."""
        reading = [
            f for f in (self._bell, self._output, self._channel) if f is not None
        ]
        writing = [f for f in (self._input,) if f is not None]
        readable, writable, _ = select.select(reading, writing, [], max(0.0, seconds))
        if self._bell in readable:
            ring_off(self._bell)
            self._reap()
        if self._output in readable:
            self._read()
        if writable:
            self._feed()
        if self._channel in readable:
            self._channel = None
            return False
        return True

    def _read(self) -> None:
        chunk = self._output.read(CHUNK_BYTES) if self._output else None
        if chunk:
            self._kept.add(chunk)
        elif chunk is not None:
            self._output = None

    def _feed(self) -> None:
        try:
            self._fed = self._fed[self._input.write(self._fed) or 0 :]
        except BrokenPipeError:  # it does not want to know
            self._fed = self._fed[:0]
        if not self._fed:
            self._input.close()
            self._input = None

    def _reap(self) -> bool:
        ended, alone = reaped()
        if self._leader in ended:
            self.status = os.waitstatus_to_exitcode(ended[self._leader])
        return alone

    def _cleared(self) -> bool:
        if self._reap():
            return True
        for pid in children():
            kill(pid)
        return False

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._leader, number)


def answer(channel: socket.socket, facts: dict[str, Any], output: bytes = b"") -> None:
    """Say what became of it, if there is still somebody to hear it."""
    with suppress(ConnectionError):
        channel.sendall(json.dumps(facts).encode() + b"\n" + output)
