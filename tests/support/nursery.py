"""Processes of ours, forked from one that has done the imports: for tests alone.

A Python of ours spends a second of CPU on imports before it does anything. The nursery
imports what others wrote, and the core, once for each test worker, and forks. It has
read no setting, made no connection and imported nothing of `deployctl`, so that what it
forks begins where `python manage.py` does: with an argv, an environment, three files.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from tempfile import TemporaryFile
from typing import IO, Any

from tests.support import ROOT

#: What every command of ours begins with.
MANAGE = str(ROOT / "manage.py")
#: What is dear to import, and does nothing by being imported.
OTHERS = (
    *("aiohttp", "asyncssh", "channels.layers", "csp.constants", "psycopg", "pycurl"),
    *("psycopg.types.json", "psycopg_pool", "structlog", "uvloop", "xml.sax.saxutils"),
    *("django.contrib.staticfiles.finders", "django.core.handlers.asgi"),
    *("django.core.mail", "django.core.management", "django.db.models"),
    *("django.db.backends.postgresql.base", "django.db.migrations.executor"),
    *("django.forms", "django.template.loader", "django.urls", "strategies"),
)
_ENDED = struct.Struct("i")
_MOST_BYTES = 1 << 20


class Child:
    """A process that the nursery forked; used as a `subprocess.Popen` is."""

    def __init__(self, argv: Sequence[str], pid: int, end: socket.socket) -> None:
        self.args, self.pid, self._end = list(argv), pid, end
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its code, or its signal as a negative number."""
        if self.returncode is None:
            self._end.settimeout(timeout)
            try:
                told = self._end.recv(_ENDED.size)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            assert told, "the nursery is gone"
            (status,) = _ENDED.unpack(told)
            self.returncode = os.waitstatus_to_exitcode(status)
            self._end.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


class _Nursery:
    """The other side of the process that forks, started when first needed."""

    def __init__(self) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            argv = [sys.executable, "-m", "tests.support.nursery", str(theirs.fileno())]
            self.process = subprocess.Popen(argv, cwd=ROOT, pass_fds=[theirs.fileno()])
        self.line = mine
        atexit.register(self.end)

    def end(self) -> None:
        """Hang up, at which it ends."""
        self.line.close()
        self.process.wait(30)


_nurseries: list[_Nursery] = []


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: IO[Any] | int = subprocess.DEVNULL,
    stdout: IO[Any] | int,
    stderr: IO[Any] | int,
) -> Child:
    """Start `python ARGV`: a file and its words, or -m, a module and its words."""
    if not _nurseries:
        _nurseries.append(_Nursery())
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, contextlib.ExitStack() as files:
        numbers = [theirs.fileno()]
        for file in (stdin, stdout, stderr):
            if file == subprocess.DEVNULL:
                file = files.enter_context(open(os.devnull, "r+b"))
            numbers.append(file if isinstance(file, int) else file.fileno())
        asked = json.dumps({"argv": list(argv), "env": dict(env)}).encode()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", numbers))
        _nurseries[0].line.sendmsg([asked], [rights])
    told = mine.recv(_ENDED.size)
    assert told, "the nursery is gone"
    (pid,) = _ENDED.unpack(told)
    return Child(argv, pid, mine)


def run(
    argv: Sequence[str], *, env: Mapping[str, str], given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one to its end, a minute at most, with this on its stdin."""
    with contextlib.ExitStack() as files:
        stdin, stdout, stderr = (
            files.enter_context(TemporaryFile("w+")) for _ in range(3)
        )
        stdin.write(given)
        stdin.seek(0)
        child = start(argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
        code = child.wait(60)
        for file in (stdout, stderr):
            file.seek(0)
        return subprocess.CompletedProcess(argv, code, stdout.read(), stderr.read())


# -- in the nursery ----------------------------------------------------------------


class _Parent:
    """The process that forks: it answers each request with a pid, then with an end."""

    def __init__(self, number: int) -> None:
        self.line = socket.socket(fileno=number)
        self.children: dict[int, socket.socket] = {}
        self.wakes, self.waker = os.pipe()
        for end in (self.wakes, self.waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Whoever types it ends the tests.

    def fork(self) -> list[str]:
        """Fork whenever asked, and bury the dead; return in the child, with an argv."""
        number = self.line.fileno()
        while True:
            ready, _, _ = select.select([number, self.wakes], [], [])
            if self.wakes in ready:
                os.read(self.wakes, 4096)
                self.bury()
            if number in ready:
                asked, numbers, _, _ = socket.recv_fds(self.line, _MOST_BYTES, 4)
                if not asked:
                    os._exit(0)
                end, *files = numbers
                told = socket.socket(fileno=end)
                pid = os.fork()
                if pid == 0:
                    self.leave(told)
                    return _begin(json.loads(asked), files)
                for each in files:
                    os.close(each)
                self.children[pid] = told
                told.send(_ENDED.pack(pid))

    def bury(self) -> None:
        """Tell how each ended that has ended."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                with self.children.pop(pid) as end, contextlib.suppress(OSError):
                    end.send(_ENDED.pack(status))

    def leave(self, told: socket.socket) -> None:
        """Keep nothing of this in the child."""
        signal.set_wakeup_fd(-1)
        for each in (self.line, told, *self.children.values()):
            each.close()
        os.close(self.wakes)
        os.close(self.waker)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _begin(asked: dict[str, Any], files: list[int]) -> list[str]:
    """Become what was asked for, up to its first line."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=stream.isatty())  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(asked["env"])
    argv: list[str] = asked["argv"]
    return argv


def _main() -> None:
    for name in OTHERS:
        import_module(name)
    gc.collect()
    gc.freeze()  # Or each child would copy it all when it first collects.
    argv = _Parent(int(sys.argv[1])).fork()
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")


if __name__ == "__main__":
    _main()
