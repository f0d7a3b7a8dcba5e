"""Signals as something to wait for; decides nothing about what they mean."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Signals:
    """Waits until a signal or a time; remembers that somebody asked to stop."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.stops = 0

    def wait(self, seconds: float) -> None:
        """Return at the next signal (a child's end is one), or after that time."""
        select.select([self._handle], [], [], max(seconds, 0))
        while True:
            try:
                numbers = os.read(self._handle, 1024)
            except BlockingIOError:
                return
            self.stops += sum(number in STOP for number in numbers)

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self.stops > 0


@contextmanager
def signals() -> Iterator[Signals]:
    """Catch SIGINT, SIGTERM, SIGHUP and SIGCHLD; from the main thread only.

    A background job of a shell begins with SIGINT ignored; a handler undoes that.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    caught = (*STOP, signal.SIGCHLD)
    handlers = [signal.signal(number, _noted) for number in caught]
    try:
        yield Signals(reading)
    finally:
        for number, handler in zip(caught, handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def _noted(number: int, frame: object) -> None:
    """Do nothing here: the pipe has the number already."""
