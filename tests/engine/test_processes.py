"""Nothing that a program starts outlives its end, its deadline, its caller, its worker.

Real processes; a family of them writes its pids into a file, and nothing tells it.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from deployctl.engine.processes import (
    Ended,
    Lost,
    NotRun,
    Overdue,
    Processes,
    Program,
)
from deployctl.launch.processes import is_running

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel in /proc"),
]

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}

#: A parent, its child, a grandchild, and one that made a session of its own twice
#: removed; none listens to TERM. Each writes its pid.
FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def stay():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(60)
    os._exit(0)
if os.fork() == 0:
    if os.fork() == 0:
        stay()
    stay()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        stay()
    os._exit(0)
stay()
"""
MEMBERS = 4

#: A worker with nothing but one program.
WORKER = """
import asyncio, os, sys
from deployctl.engine.processes import Processes, Program
program = Program(sys.argv[2:], dict(os.environ))
asyncio.run(Processes().run(program, seconds=float(sys.argv[1])))
"""


def sh(script: str, **more: object) -> Program:
    """Return a shell that runs a script."""
    return Program(["sh", "-c", script], ENVIRONMENT, **more)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def processes() -> AsyncIterator[Processes]:
    made = Processes()
    yield made
    await made.close()


class Family:
    """A program of several processes, and whether they live."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "pids"
        self._file.touch()
        self.argv = [sys.executable, "-I", "-S", "-c", FAMILY, str(self._file)]
        self.program = Program(self.argv, ENVIRONMENT)

    @property
    def pids(self) -> list[int]:
        """Those that have begun."""
        return [int(line) for line in self._file.read_text().split()]

    async def complete(self) -> None:
        """Wait until all of them have begun."""
        for _ in range(500):
            if len(self.pids) == MEMBERS:
                return
            await asyncio.sleep(0.01)
        pytest.fail("the family never began")

    def living(self) -> list[int]:
        """Those that still run."""
        return [pid for pid in self.pids if is_running(pid)]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    made = Family(tmp_path)
    yield made
    for pid in made.living():
        os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return all that a process has started and not lost sight of."""
    found = []
    with suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        for child in map(int, text.split()):
            found += [child, *descendants(child)]
    return found


async def gone(pids: Iterable[int], *, seconds: float) -> bool:
    """Wait until none of these runs; whether that was so in time."""
    until = time.monotonic() + seconds
    while any(map(is_running, pids)):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.01)
    return True


# -- an ordinary life ------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_program_is_run_to_its_end(processes: Processes) -> None:
    script = "echo out; echo err >&2; exit 3"
    assert await processes.run(sh(script), seconds=5) == Ended(3, "out\nerr\n")


@pytest.mark.asyncio
async def test_a_signal_is_a_negative_status(processes: Processes) -> None:
    ended = await processes.run(sh("kill -9 $$"), seconds=5)
    assert ended.status == -signal.SIGKILL


@pytest.mark.asyncio
async def test_it_finds_what_it_is_given_and_nothing_else(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable, no open file and no signal setting of the worker comes along."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://not-for-you")
    look = (
        "import os, signal; print(os.getcwd(), dict(os.environ),"
        " sorted(os.listdir('/proc/self/fd'))[:3],"
        " [signal.getsignal(n) for n in (1, 15, 17)] == [signal.SIG_DFL] * 3)"
    )
    argv = [sys.executable, "-I", "-S", "-c", look]
    given = {"LC_CTYPE": "C.UTF-8", "SAID": "by name"}
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        program = Program(argv, given, cwd=str(tmp_path))
        ended = await processes.run(program, seconds=5)
    assert ended.output == f"{tmp_path} {given} ['0', '1', '2'] True\n"


@pytest.mark.asyncio
async def test_a_program_inherits_three_handles(processes: Processes) -> None:
    # The fourth is what `ls` reads the folder by.
    ended = await processes.run(sh("ls /proc/self/fd | wc -l"), seconds=5)
    assert ended.output.strip() == "4"


@pytest.mark.asyncio
async def test_it_reads_what_it_is_given(processes: Processes) -> None:
    fed = b"x" * 3_000_000
    assert (await processes.run(sh("wc -c", stdin=fed), seconds=5)).output == (
        "3000000\n"
    )


@pytest.mark.asyncio
async def test_who_is_given_nothing_reads_an_end(processes: Processes) -> None:
    assert await processes.run(sh("cat"), seconds=5) == Ended(0, "")


@pytest.mark.asyncio
async def test_who_does_not_read_is_not_waited_for(processes: Processes) -> None:
    script = "exec <&-; echo closed"
    ended = await processes.run(sh(script, stdin=b"x" * 3_000_000), seconds=5)
    assert ended == Ended(0, "closed\n")


@pytest.mark.asyncio
async def test_many_run_beside_each_other(processes: Processes) -> None:
    began = time.monotonic()
    runs = [processes.run(sh(f"sleep 0.5; echo {n}"), seconds=9) for n in range(30)]
    ended = await asyncio.gather(*runs)
    assert [each.output for each in ended] == [f"{n}\n" for n in range(30)]
    assert time.monotonic() - began < 5


# -- output ----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_output_is_cleaned(processes: Processes) -> None:
    script = r"printf 'a\000b\033[31mred\033[0m\377\n'"
    assert (await processes.run(sh(script), seconds=5)).output == "abred�\n"


@pytest.mark.asyncio
async def test_a_flood_keeps_its_ends_and_fills_no_memory(processes: Processes) -> None:
    """A gigabyte; the program says itself how much its guard has needed at most."""
    flood = "echo begin; head -c 1G /dev/zero; grep VmHWM /proc/$PPID/status; echo end"
    ended = await processes.run(sh(flood, kept_bytes=4096), seconds=60)
    assert ended.output.startswith("begin")
    assert ended.output.endswith("end\n")
    assert " bytes cut …]" in ended.output
    assert len(ended.output) < 4096
    assert int(ended.output.split("VmHWM:")[1].split()[0]) < 60_000


@pytest.mark.asyncio
async def test_what_is_cut_is_counted(processes: Processes) -> None:
    script = "printf 1234567890abcdefghij"
    ended = await processes.run(sh(script, kept_bytes=8), seconds=5)
    assert ended.output == "1234\n[… 12 bytes cut …]\nghij"
    ended = await processes.run(sh(script, kept_bytes=20), seconds=5)
    assert ended.output == "1234567890abcdefghij"


@pytest.mark.asyncio
async def test_a_flood_ends_at_its_deadline(processes: Processes) -> None:
    began = time.monotonic()
    with pytest.raises(Overdue):
        await processes.run(Program(["yes"], ENVIRONMENT), seconds=1)
    assert time.monotonic() - began < 1.5


# -- what cannot be run ----------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_cannot_be_run_says_what_to_do(
    processes: Processes, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo")
    strange = tmp_path / "strange"
    strange.write_text("echo")
    strange.chmod(0o700)
    for argv, said in (
        (["/nowhere/x"], "could not run /nowhere/x: .* Install it on every worker"),
        (["nowhere"], "could not run nowhere: .* Install it on every worker"),
        ([str(plain)], "plain: .* Make it executable"),
        ([str(strange)], "strange: .* A script needs a first line"),
        (["a\0b"], "could not run ab: .* NUL"),
        (["true", "x" * 3_000_000], "could not run true: .* Shorten"),
    ):
        with pytest.raises(NotRun, match=f"{said}.*Nothing was run"):
            await processes.run(Program(argv, ENVIRONMENT), seconds=5)


@pytest.mark.asyncio
async def test_a_folder_that_is_not_there_is_said(processes: Processes) -> None:
    with pytest.raises(NotRun, match=r"could not run in /nowhere: .*Nothing was run"):
        await processes.run(sh("true", cwd="/nowhere"), seconds=5)


@pytest.mark.asyncio
async def test_without_time_nothing_is_run(
    processes: Processes, tmp_path: Path
) -> None:
    with pytest.raises(NotRun, match="no time was left"):
        await processes.run(sh("touch ran", cwd=str(tmp_path)), seconds=0)
    assert not (tmp_path / "ran").exists()


# -- deaths ----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_is_left_behind_goes_with_its_parent(processes: Processes) -> None:
    """Also when it holds the output open: the end of the parent is the end."""
    script = "sleep 60 & echo $!; setsid sleep 60 & echo $!"
    ended = await processes.run(sh(script), seconds=5)
    assert ended.status == 0
    assert not any(is_running(int(pid)) for pid in ended.output.split())


@pytest.mark.asyncio
async def test_a_deadline_ends_the_whole_family(
    processes: Processes, family: Family
) -> None:
    began = time.monotonic()
    with pytest.raises(Overdue, match="was killed"):
        await processes.run(family.program, seconds=1.5)
    assert time.monotonic() - began < 2
    assert len(family.pids) == MEMBERS
    assert family.living() == []


@pytest.mark.asyncio
async def test_a_program_is_asked_to_end_before_it_is_killed(
    processes: Processes,
) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.05; done"
    began = time.monotonic()
    with pytest.raises(Overdue) as overdue:
        await processes.run(sh(script), seconds=1.5)
    # The shell's own sleep, too, was asked to end; some shells say so.
    assert overdue.value.output.startswith("hello\n")
    assert overdue.value.output.endswith("bye\n")
    assert time.monotonic() - began < 1.4


@pytest.mark.asyncio
async def test_a_cancellation_ends_the_whole_family(
    processes: Processes, family: Family
) -> None:
    run = asyncio.create_task(processes.run(family.program, seconds=60))
    await family.complete()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert family.living() == []


@pytest.mark.asyncio
async def test_closing_ends_the_whole_family(
    processes: Processes, family: Family
) -> None:
    run = asyncio.create_task(processes.run(family.program, seconds=60))
    await family.complete()
    run.cancel()
    await processes.close()
    assert await gone(family.pids, seconds=1)
    with pytest.raises(asyncio.CancelledError):
        await run


@pytest.fixture
def worker(family: Family) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process of its own, whose only program is the family."""
    argv = [sys.executable, "-c", WORKER, "3", *family.argv]
    process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


@pytest.mark.asyncio
async def test_a_killed_worker_leaves_nothing(
    worker: subprocess.Popen[bytes], family: Family
) -> None:
    """Killed, not stopped: no line of its code runs any more. Its keeper goes too."""
    await family.complete()
    started = descendants(worker.pid)
    assert len(started) >= 2 + MEMBERS
    worker.kill()
    assert await gone([*started, *family.pids], seconds=1)


@pytest.mark.asyncio
async def test_a_killed_group_of_a_worker_leaves_nothing(
    worker: subprocess.Popen[bytes], family: Family
) -> None:
    """A supervisor, or Ctrl-C, hits all that the worker has in its own group."""
    await family.complete()
    started = descendants(worker.pid)
    keeper = started[0]
    assert os.getpgid(keeper) != os.getpgid(worker.pid)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.killpg(os.getpgid(keeper), number)
    await asyncio.sleep(0.1)
    assert is_running(keeper)
    worker.kill()
    assert await gone([*started, *family.pids], seconds=1)


@pytest.mark.asyncio
async def test_a_stopped_worker_does_not_stop_a_deadline(
    worker: subprocess.Popen[bytes], family: Family
) -> None:
    """Another worker may take the claim over when its deadline has passed."""
    await family.complete()
    worker.send_signal(signal.SIGSTOP)
    assert await gone(family.pids, seconds=4)


# -- deaths of the killers -------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_family_of_a_killed_guard_is_killed(
    processes: Processes, family: Family, tmp_path: Path
) -> None:
    """A program may do it itself; the keeper is the next in line."""
    script = f"""{shlex.join(family.argv)} &
        until [ $(wc -l < pids) = {MEMBERS} ]; do sleep 0.02; done
        kill -9 $PPID; wait"""
    with pytest.raises(Lost):
        await processes.run(sh(script, cwd=str(tmp_path)), seconds=60)
    assert await gone(family.pids, seconds=1)
    assert (await processes.run(sh("echo on"), seconds=5)).output == "on\n"


@pytest.mark.asyncio
async def test_a_killed_keeper_hurts_nobody_and_is_replaced(
    processes: Processes,
) -> None:
    script = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 0.2; echo done"
    for _ in range(2):
        assert (await processes.run(sh(script), seconds=5)).output == "done\n"
