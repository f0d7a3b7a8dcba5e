"""`manage.py up`, whole: every process real, stopped politely and not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import pytest

from deployctl.launch.processes import is_running
from tests.support import ROOT
from tests.support.ports import free_port
from tests.support.servers import make_database

pytestmark = [
    pytest.mark.serial,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

PASSWORD = "    password "


@dataclass
class Up:
    """One `manage.py up` and everything that it started, told by their DATA_DIR."""

    process: subprocess.Popen[str]
    data: Path
    port: int
    said: Path

    def pids(self) -> list[int]:
        """Everything that runs with this DATA_DIR, the supervisor included."""
        mark = f"DATA_DIR={self.data}".encode()
        return [pid for pid in all_pids() if mark in read(f"/proc/{pid}/environ")]

    def pid_of(self, word: str) -> int:
        """The one process with this word on its command line."""
        found = self.with_word(word)
        assert len(found) == 1, (word, found)
        return found[0]

    def with_word(self, word: str) -> list[int]:
        """All processes with this word on their command line."""
        said = {pid: read(f"/proc/{pid}/cmdline").split(b"\0") for pid in self.pids()}
        return [pid for pid, words in said.items() if word.encode() in words]

    def says(self, text: str, seconds: float = 40) -> None:
        """Wait until it has said this."""
        assert until(lambda: text in self.said.read_text(), seconds), (
            self.said.read_text()
        )

    def answers(self) -> bool:
        """Whether /healthz answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().read() == b"ok\n"
        except OSError:
            return False
        finally:
            connection.close()


def read(path: str) -> bytes:
    """What the kernel says there, or nothing."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def all_pids() -> list[int]:
    """Every process that can still do something."""
    numbers = [int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit()]
    return [pid for pid in numbers if is_running(pid)]


def until(true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it becomes true in time."""
    give_up_at = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def data() -> Iterator[Path]:
    """A DATA_DIR with a short path."""
    made = Path(tempfile.mkdtemp(prefix="dctl-"))
    yield made / "data"
    shutil.rmtree(made)


@pytest.fixture
def start(data: Path) -> Iterator[Callable[..., Up]]:
    """Starts `manage.py up` from another folder, and kills what a test left."""
    started: list[Up] = []

    def up(**more: str) -> Up:
        port = int(more.get("PORT") or free_port())
        given = {"DATA_DIR": str(data), "PORT": str(port), "DEMO": "0", "WORKERS": "1"}
        clean = {k: v for k, v in os.environ.items() if not k.startswith("DATABASE_")}
        said = data.parent / f"said-{len(started)}"
        with said.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "up"],
                env={**clean, **given, **more},
                cwd=data.parent,
                stdout=out,
                stderr=out,
                text=True,
                # As a background job of a shell is started: it must not matter.
                preexec_fn=ignore_interrupts,
            )
        started.append(Up(process, data, port, said))
        return started[-1]

    yield up
    for each in started:
        each.process.kill()
        each.process.wait()
    assert until(lambda: not any(each.pids() for each in started)), "left running"


def served(data: Path) -> str:
    """Return what settings say before a path, for commands on that DATA_DIR."""
    asked = "from deployctl.settings import PUBLIC_URL; print(PUBLIC_URL)"
    clean = {k: v for k, v in os.environ.items() if k != "PUBLIC_URL"}
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={**clean, "DATA_DIR": str(data)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def ignore_interrupts() -> None:
    """What a shell without job control does to its background jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_a_killed_supervisor_leaves_nothing_and_a_signal_stops_the_next_one(
    start: Callable[..., Up],
) -> None:
    up = start()
    up.says(f"deployctl is at http://127.0.0.1:{up.port}/")
    assert up.answers()
    assert len(up.pids()) > 3
    assert up.said.read_text().count(PASSWORD) == 1
    up.process.kill()
    assert until(lambda: set(up.pids()) <= {up.process.pid}), up.pids()
    again = start()
    again.says(f"deployctl is at http://127.0.0.1:{again.port}/")
    assert again.answers()
    assert PASSWORD not in again.said.read_text()
    # Commands in other terminals read where that is, as long as it is so.
    assert served(again.data) == f"http://127.0.0.1:{again.port}"
    stopped_by(again, signal.SIGINT)
    assert served(again.data) == ""


def stopped_by(up: Up, number: signal.Signals) -> None:
    """Stop it by a signal to the supervisor alone; see that nothing is left."""
    up.process.send_signal(number)
    assert up.process.wait(30) == 0
    assert up.pids() == []


def test_a_second_one_is_refused_and_whatever_is_killed_is_started_again(
    start: Callable[..., Up],
) -> None:
    up = start()
    up.says("deployctl is at")
    second = start()
    assert second.process.wait(20) == 1
    assert f"already runs on {up.data}" in second.said.read_text()
    assert up.answers()
    for word, name in (("worker", "worker 1"), ("daphne", "web"), ("-D", "PostgreSQL")):
        victim = up.pid_of(word)
        os.kill(victim, signal.SIGKILL)
        up.says(f"{name} ended")
        assert until(partial(replaced, up, word, victim))
        assert until(up.answers)
    stopped_by(up, signal.SIGTERM)


def replaced(up: Up, word: str, before: int) -> bool:
    """Whether another process has taken that one's place."""
    return bool(set(up.with_word(word)) - {before})


def test_a_port_that_is_taken_is_refused_by_name(start: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = start(PORT=str(port))
        assert up.process.wait(20) == 1
    assert f"PORT {port} on 127.0.0.1 is taken" in up.said.read_text()


def test_a_given_database_is_used_and_none_is_started(
    start: Callable[..., Up], superuser_url: str, data: Path
) -> None:
    # One of its own: it makes an account and a fleet there.
    database = make_database(superuser_url)
    up = start(DATABASE_URL=database.app, DATABASE_OWNER_URL=database.owner)
    up.says("deployctl is at")
    assert not (data / "postgres").exists()
    assert up.answers()
    told = {pid: read(f"/proc/{pid}/environ") for pid in up.pids()}
    owners = [pid for pid, text in told.items() if b"DATABASE_OWNER_URL" in text]
    assert owners == [up.process.pid]
