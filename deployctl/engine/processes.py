"""Runs programs so that none outlives its deadline, its caller or its worker.

An argv, no shell; what a program finds in its environment is the caller's list alone.
It knows no driver, no router and no deployment. The killing is the `keeper`'s, a small
process that outlives the worker. On Linux whatever a program has started is killed with
it; elsewhere its process group is, and what left that group stays. Nowhere is killed
what runs as another user (by sudo, say): that is waited for, and then said.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployctl.engine import clean

#: Where `deployctl` is found: nothing else of this environment, or of the site's
#: packages, is read by the keeper when it starts.
_ROOT = Path(__file__).resolve().parents[2]
_START = """
import sys
sys.path.insert(0, sys.argv[1])
from deployctl.engine.keeper.main import main
main(int(sys.argv[2]))
"""
#: How long after a deadline a guard may take to say that all is dead.
_PATIENCE_SECONDS = 1.0
_SAID = {
    errno.ENOENT: "it is not on this worker, or the interpreter that its first line"
    " names is not. Install it on every worker, or correct the path",
    errno.EACCES: "the worker's user may not run it. Make it executable for that user",
    errno.ENOEXEC: "it is no program for this kind of machine. A script needs a first"
    " line such as #!/bin/sh",
    errno.ETIMEDOUT: "no time was left for it. Give it a longer deadline",
    errno.EINVAL: "a word or a variable holds what no program can be given, such as a"
    " NUL. Correct it",
    errno.E2BIG: "its words and variables are too long. Shorten them",
    errno.EAGAIN: "this machine has no process left. Raise its limit, or run fewer",
}


@dataclass(frozen=True, slots=True)
class Program:
    """What is run.

    Attributes:
        argv: the program and its words.
        environment: all that it finds there.
        cwd: where it runs; None for where the worker does.
        stdin: what it may read.
        kept_bytes: of its output, half from the front and half from the end.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: str | None = None
    stdin: bytes = b""
    kept_bytes: int = clean.HEAD_CHARS + clean.TAIL_CHARS


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended by itself: `status` is negative for a signal."""

    status: int
    output: str


class NotRun(Exception):
    """Certainly nothing was run; the text says why, and what to do."""


class Overdue(Exception):
    """Its time was out and it was killed; what it did until then nobody knows.

    Attributes:
        output: what it had printed.
    """

    def __init__(self, message: str, output: str = "") -> None:
        self.output = output
        super().__init__(message)


class Lost(Exception):
    """Who watched it was killed, and it with them; what it did nobody knows."""


class Processes:
    """Programs of one owner, behind one keeper that is started when first needed."""

    def __init__(self) -> None:
        self._keeper: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def run(self, program: Program, *, seconds: float) -> Ended:
        """Run a program to its end; a little before the deadline it is asked to end.

        When this returns or raises, nothing that it started runs any more, cancelled
        or not. What it leaves behind when it ends is killed at once.

        Raises:
            NotRun, Overdue, Lost: as they say.
        """
        until = time.monotonic() + seconds
        channel = self._guarded()
        with channel:
            try:
                async with asyncio.timeout(max(0.0, seconds) + _PATIENCE_SECONDS):
                    said = await _asked(channel, _request(program, until))
            except TimeoutError:
                raise Overdue("its time is out, and it cannot be killed") from None
            except asyncio.CancelledError:
                await _stopped(channel)
                raise
        return _read(program, said)

    async def close(self) -> None:
        """Let the keeper go, which kills what still runs."""
        if self._control is not None:
            self._control.close()
        if self._keeper is not None:
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._keeper.wait, _PATIENCE_SECONDS)
        self._control = self._keeper = None

    def _guarded(self) -> socket.socket:
        """Return this side of a guard's socket; only this process holds it."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            handles = [theirs.fileno()]
            try:
                socket.send_fds(self._control or self._started(), [b"+"], handles)
            except ConnectionError:  # somebody killed it; guards are not hurt by that
                socket.send_fds(self._started(), [b"+"], handles)
        return ours

    def _started(self) -> socket.socket:
        if self._keeper is not None:
            self._keeper.wait()
        if self._control is not None:
            self._control.close()
        self._control, theirs = socket.socketpair()
        with theirs:
            handle = theirs.fileno()
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, str(_ROOT), str(handle)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[handle],
                # Who kills the worker's group must not kill the keeper before its time.
                start_new_session=True,
            )
        return self._control


def _request(program: Program, until: float) -> bytes:
    asked = {
        "argv": list(program.argv),
        "environment": dict(program.environment),
        "cwd": program.cwd,
        "until": until,
        "kept_bytes": program.kept_bytes,
        "stdin_bytes": len(program.stdin),
    }
    return json.dumps(asked).encode() + b"\n" + program.stdin


async def _asked(channel: socket.socket, request: bytes) -> bytes:
    """Send a request; return the whole answer, empty when the guard was killed."""
    try:
        await asyncio.get_running_loop().sock_sendall(channel, request)
        return await _rest(channel)
    except ConnectionError:
        return b""


async def _rest(channel: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    said = bytearray()
    while chunk := await loop.sock_recv(channel, 65_536):
        said += chunk
    return bytes(said)


async def _stopped(channel: socket.socket) -> None:
    """Tell the guard to kill all, and wait until it has."""
    with suppress(ConnectionError, TimeoutError):
        channel.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await _rest(channel)


def _read(program: Program, said: bytes) -> Ended:
    line, _, output = said.partition(b"\n")
    if not line:
        raise Lost("it was killed together with who watched it")
    facts = json.loads(line)
    if "errno" in facts:
        raise NotRun(_reason(program, facts["errno"], facts["path"]))
    text = _text(output, facts["head_bytes"], facts["cut_bytes"])
    if facts["why"] != "ended":
        raise Overdue("it did not end in time and was killed", text)
    return Ended(facts["status"], text)


def _reason(program: Program, code: int, path: str | None) -> str:
    if path is not None and path == program.cwd:
        return f"could not run in {path}: {os.strerror(code)}. Nothing was run."
    said = _SAID.get(code, os.strerror(code))
    name = clean.line(str(program.argv[0]))
    return f"could not run {name}: {said}. Nothing was run."


def _text(output: bytes, head_bytes: int, cut_bytes: int) -> str:
    if not cut_bytes:
        return clean.text(output)
    head, tail = output[:head_bytes], output[head_bytes:]
    note = f"\n[… {cut_bytes} bytes cut …]\n"
    return clean.text(head) + note + clean.text(tail)
