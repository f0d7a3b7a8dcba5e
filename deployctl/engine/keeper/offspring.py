"""A process and its children: heard when they end, reaped, adopted, killed.

It does not know why. What only Linux can do is in here, and nowhere else.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

PR_SET_CHILD_SUBREAPER = 36
#: How often those that a first KILL did not reach are looked for.
AGAIN_SECONDS = 0.02


def hear() -> int:
    """Return a handle that can be read when a child has ended.

    Nothing but the worker's end ends this process. Handlers, not SIG_IGN: a program
    that is started begins with neither.
    """
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reading


def ring_off(bell: int) -> None:
    """Empty the handle; children are looked at one and all."""
    with suppress(BlockingIOError):
        while os.read(bell, 4096):
            pass


def adopt_orphans() -> None:
    """Become the parent of descendants whose own is gone; elsewhere there is no way."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reaped() -> tuple[dict[int, int], bool]:
    """Return the wait status of each child that has ended, and if none is left."""
    ended: dict[int, int] = {}
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return ended, False
            ended[pid] = status
    return ended, True


def children() -> list[int]:
    """Return the children of this process; the kernel has a list on Linux only."""
    if sys.platform != "linux":
        return []
    parent = str(os.getpid()).encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
            # The name before it is in brackets, and may hold brackets itself.
            if file.read().rpartition(b")")[2].split()[1] == parent:
                found.append(int(name))
    return found


def kill(pid: int) -> None:
    """Kill a child; one that runs as another user is not ours to kill."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def clear(cleared: Callable[[], bool], bell: int) -> None:
    """Try again until nothing is left: each KILL hands on the orphans of the killed."""
    while not cleared():
        select.select([bell], [], [], AGAIN_SECONDS)
        ring_off(bell)
