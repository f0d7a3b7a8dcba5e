"""Keeps a list of processes running until told to stop; does not care what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deployctl.launch import child
from deployctl.launch.errors import LaunchError
from deployctl.launch.postgres import Postgres
from deployctl.launch.signals import Signals

# SIGINT and SIGTERM stop everything within half a minute, PostgreSQL's part included.
GRACE_SECONDS = 21
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30
# A child that ran this long has shown that it can: its next end is a new story.
STEADY_SECONDS = 60


@dataclass(frozen=True)
class Child:
    """One process to keep running: a name for people, and its argv."""

    name: str
    argv: Sequence[str]


@dataclass
class Kept:
    """A child, its process while it has one, and when it may start again."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    start_at: float = 0
    pause_seconds: float = FIRST_PAUSE_SECONDS


@dataclass
class Supervisor:
    """Starts children, starts again those that end, and leaves none behind.

    All times are of the monotonic clock. Used from the main thread only.
    """

    signals: Signals
    environment: Mapping[str, str]
    say: Callable[[str], None]
    postgres: Postgres | None = None
    kept: list[Kept] = field(default_factory=list)

    def run_once(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run a command to its end before going on; LaunchError when it fails."""
        process = self._spawn(argv, environment)
        while process.poll() is None and not self.signals.stopping:
            self.signals.wait(1)
        self._end([process])
        if process.returncode != 0 and not self.signals.stopping:
            raise LaunchError(f"{' '.join(argv[1:])} failed; what it said is above.")

    def keep(self, children: Sequence[Child]) -> None:
        """Take over these children; they start at the next turn."""
        self.kept += [Kept(each) for each in children]

    def run(self, on_turn: Callable[[], None]) -> None:
        """Keep everything running until a signal says stop; then stop the children.

        `on_turn` is called at least every second.
        """
        while not self.signals.stopping:
            self._keep_postgres()
            for each in self.kept:
                self._turn(each)
            on_turn()
            self.signals.wait(self._idle_seconds())

    def stop(self) -> None:
        """Stop children, then PostgreSQL: workers give back their claims first."""
        processes = [each.process for each in self.kept if each.process is not None]
        for each in self.kept:
            each.process = None
        self._end(processes)
        if self.postgres is not None:
            self.postgres.stop()

    def _spawn(
        self, argv: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches the supervisor alone, which stops things
        # in their order. SIGKILL at its death: whatever hangs, nothing is left.
        return subprocess.Popen(
            child.command(list(argv), death_signal=signal.SIGKILL),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _keep_postgres(self) -> None:
        if self.postgres is not None and not self.postgres.is_running():
            self.say("PostgreSQL ended; starting it again.")
            self.postgres.start()

    def _turn(self, each: Kept) -> None:
        now = time.monotonic()
        if each.process is None:
            if now >= each.start_at:
                each.process = self._spawn(each.child.argv, self.environment)
                each.started_at = now
            return
        code = each.process.poll()
        if code is None:
            return
        _kill_group(each.process)
        each.process = None
        if now - each.started_at > STEADY_SECONDS:
            each.pause_seconds = FIRST_PAUSE_SECONDS
        each.start_at = now + each.pause_seconds
        self.say(
            f"{each.child.name} ended ({_ending(code)}); starting it again in"
            f" {each.pause_seconds:g} s."
        )
        each.pause_seconds = min(each.pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _idle_seconds(self) -> float:
        now = time.monotonic()
        waiting = [e.start_at - now for e in self.kept if e.process is None]
        return min([1.0, *waiting])

    def _end(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        """Stop processes together: politely, then not; a second signal is impatient."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        patience = self.signals.stops + 1
        give_up_at = time.monotonic() + GRACE_SECONDS
        while any(process.poll() is None for process in processes):
            if time.monotonic() > give_up_at or self.signals.stops > patience:
                break
            self.signals.wait(0.2)
        for process in processes:
            _kill_group(process)
            process.wait()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End whatever a child has started and left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
