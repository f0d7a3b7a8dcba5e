"""The keeper itself: a guard for each socket that comes in, until the worker is gone.

It does not look into a request.
"""

from __future__ import annotations

import gc
import os
import select
import socket

from deployctl.engine.keeper.guard import answer, guard
from deployctl.engine.keeper.offspring import (
    adopt_orphans,
    children,
    clear,
    hear,
    kill,
    reaped,
    ring_off,
)


def main(handle: int) -> None:
    """Fork a guard for each socket that comes in; go with the worker and all guards."""
    control = socket.socket(fileno=handle)
    bell = hear()
    adopt_orphans()
    gc.freeze()  # a guard's collector need not touch, and so copy, what it got
    guards: set[int] = set()
    while True:
        readable, _, _ = select.select([control.fileno(), bell], [], [])
        if bell in readable:
            ring_off(bell)
            _buried(guards)
        if control.fileno() in readable and not _taken(control, guards):
            break
    control.close()
    clear(lambda: _buried(guards), bell)


def _taken(control: socket.socket, guards: set[int]) -> bool:
    """Take one socket and fork its guard; False when the worker is gone."""
    try:
        byte, handles, _, _ = socket.recv_fds(control, 1, 1)
    except ConnectionError:
        return False
    for handle in handles:
        with socket.socket(fileno=handle) as channel:
            try:
                pid = os.fork()
            except OSError as error:  # no process is free: the next may find one
                answer(channel, {"errno": error.errno, "path": None})
                continue
            if pid == 0:
                control.close()
                guard(channel)
            guards.add(pid)
    return bool(byte)


def _buried(guards: set[int]) -> bool:
    """Reap; kill what a guard that was killed has left. True if no child is left."""
    ended, alone = reaped()
    strays = any(status or pid not in guards for pid, status in ended.items())
    guards.difference_update(ended)
    if strays and not alone:
        for pid in set(children()) - guards:
            kill(pid)
    return alone
