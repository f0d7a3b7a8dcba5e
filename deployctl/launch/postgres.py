"""One PostgreSQL server as our direct child; knows no role, database or table of ours.

It listens on a socket in a private folder and on no network. PostgreSQL refuses to run
as root, so root's server runs in a user namespace where it is not root, or else as an
unprivileged user. When its parent dies, however, it shuts down by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping

from deployctl.launch import processes
from deployctl.launch.binaries import find_binaries
from deployctl.launch.errors import LaunchError
from deployctl.launch.identity import Identity, find_identity
from deployctl.launch.places import Places

# Recovery after a crash may take long; as long as our child lives, it is at work.
START_SECONDS = 300
STOP_SECONDS = 3
LEFTOVER_SECONDS = 10
LOG_BYTES = 10_000_000
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
# For tests alone: a lost test cluster is worth nothing.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """A cluster under one DATA_DIR. start() from the main thread only.

    The kernel ties the parent-death signal to the thread that started the child: a
    server started from a thread stops when that thread ends.
    """

    def __init__(
        self, places: Places, settings: Mapping[str, str] | None = None
    ) -> None:
        self.places = places
        self.settings = {**SETTINGS, **(settings or {})}
        self.binaries = find_binaries()
        self.process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """As whom the server runs; asked once, since it costs a process or two."""
        if self._identity is None:
            self._identity = find_identity(self.places, self.binaries)
        return self._identity

    @property
    def superuser_url(self) -> str:
        """The address by which only the launcher and tests connect."""
        return f"host={self.places.sockets} user=postgres dbname=postgres"

    def start(self) -> None:
        """Make the cluster if there is none, start it, return when it is ready.

        Raises LaunchError, with the end of the log, when it does not.
        """
        self.places.make()
        self.identity.own(self.places)
        if not self.places.cluster.exists():
            self._make_cluster()
        self._clear_leftovers()
        self._rotate_log()
        # start_new_session: a Ctrl-C at the terminal is for the supervisor, which stops
        # the server last.
        with self.places.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._argv(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready(self.process)

    def stop(self) -> None:
        """Stop the server, breaking connections; harder when it does not listen."""
        if self.process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.process.wait(STOP_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def is_running(self) -> bool:
        """Whether our child still lives; reaps it when it does not."""
        return self.process is not None and self.process.poll() is None

    def _argv(self) -> list[str]:
        settings = {
            **self.settings,
            "unix_socket_directories": str(self.places.sockets),
        }
        argv = [str(self.binaries / "postgres"), "-D", str(self.places.cluster)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return self.identity.command(argv, death_signal=signal.SIGINT)

    def _make_cluster(self) -> None:
        # Made beside its place and moved in whole: a start that is killed in the middle
        # leaves nothing that looks like a cluster.
        fresh = self.places.cluster.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.identity.make_folder(fresh)
        argv = [str(self.binaries / "initdb"), "-D", str(fresh), "--username=postgres"]
        argv += ["--auth=trust", "--encoding=UTF8", "--no-instructions"]
        argv += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        argv += ["--no-sync"] if self.settings.get("fsync") == "off" else []
        done = subprocess.run(
            self.identity.command(argv, death_signal=signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        if done.returncode != 0:
            raise LaunchError(
                f"PostgreSQL made no cluster: {done.stderr[-800:].strip()}"
            )
        fresh.rename(self.places.cluster)

    def _clear_leftovers(self) -> None:
        """Wait for a server whose supervisor was killed, then drop its stale locks.

        PostgreSQL takes a zombie's pid for a running server, and refuses. They may
        go only when nobody works in the folder any more: they guard the cluster.
        """
        if sys.platform != "linux":
            return
        began_at = time.monotonic()
        while left := processes.servers_in(self.places.cluster):
            waited_seconds = time.monotonic() - began_at
            if waited_seconds > 2 * LEFTOVER_SECONDS:
                raise LaunchError(
                    f"An old PostgreSQL does not end (process {left[0]})."
                )
            late = waited_seconds > LEFTOVER_SECONDS
            for pid in left:
                _tell(pid, signal.SIGKILL if late else signal.SIGINT)
            time.sleep(0.05)
        for stale in (
            self.places.cluster / "postmaster.pid",
            self.places.sockets / ".s.PGSQL.5432.lock",
        ):
            stale.unlink(missing_ok=True)

    def _rotate_log(self) -> None:
        log = self.places.log
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise LaunchError(f"PostgreSQL did not start: {self._end_of_log()}")
            if time.monotonic() > give_up_at:
                self.stop()
                raise LaunchError(f"PostgreSQL is not ready: {self._end_of_log()}")
            time.sleep(0.01)

    def _is_ready(self, pid: int) -> bool:
        """Whether *our* child takes connections, not another server on the folder."""
        try:
            lines = (self.places.cluster / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _end_of_log(self) -> str:
        text = self.places.log.read_text(errors="replace")
        return f"{text[-800:].strip()}\n(the whole log: {self.places.log})"


def _tell(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
