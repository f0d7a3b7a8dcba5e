"""Child processes, and what the kernel says they cost; knows no database."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deployctl.launch.child import command

#: Every process of a run carries this variable, so that one left behind is found.
MARK = "BENCH_RUN"
_TICKS = os.sysconf("SC_CLK_TCK")


def child(argv: list[str]) -> list[str]:
    """Return the command that runs `argv` and ends when this process does."""
    return command(argv, death_signal=signal.SIGTERM)


def marked(run: str) -> list[int]:
    """Return the processes of a run, but for this one.

    Some write their title over their variables: it names a file in the run's folder.
    """
    wanted, folder = f"{MARK}={run}".encode(), f"{run}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
                title = (entry / "cmdline").read_bytes()
            except OSError:  # ended meanwhile, or not ours to look at
                continue
            if wanted in variables or folder in title:
                found.append(int(entry.name))
    return found


def stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ask processes to end, and wait until they have."""
    gone = list(processes)
    for each in gone:
        each.terminate()
    for each in gone:
        try:
            each.wait(30)
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


@dataclass(frozen=True)
class Cost:
    """CPU seconds: of some processes, of PostgreSQL, and of the machine as a whole."""

    ours: float
    postgres: float
    machine: float

    def since(self, before: Cost) -> Cost:
        """Return what was spent between two readings."""
        return Cost(
            self.ours - before.ours,
            self.postgres - before.postgres,
            self.machine - before.machine,
        )


def cost(pids: Iterable[int], postgres: int) -> Cost:
    """Return what has been spent until now; `postgres` is the postmaster's pid."""
    return Cost(
        ours=sum(_spent(pid) for pid in pids),
        postgres=_spent(postgres, ended=True) + sum(map(_spent, _children(postgres))),
        machine=_machine(),
    )


def peak_megabytes(pid: int) -> float:
    """Return the most memory that a running process has had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"the kernel does not say how large process {pid} was")


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _spent(pid: int, *, ended: bool = False) -> float:
    """Return the CPU seconds of a process, with its ended children if asked."""
    fields = _stat(pid)
    return sum(map(int, fields[11 : 15 if ended else 13])) / _TICKS


def _children(parent: int) -> list[int]:
    numbers = (int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit())
    return [pid for pid in numbers if _stat(pid)[1:2] == [str(parent)]]


def _machine() -> float:
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, soft, _steal = map(int, fields[:8])
    return (user + nice + system + irq + soft) / _TICKS
