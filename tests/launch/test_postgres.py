"""The embedded server: real ones, killed and started again, as root and as a user."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from deployctl.launch import LaunchError, Places, Postgres, identity, prepare_database
from deployctl.launch.postgres import FORGETFUL
from deployctl.launch.processes import is_running, servers_in
from tests.support import ROOT

pytestmark = pytest.mark.serial

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# A process that starts a server, says its pid, and waits to be killed.
HOLDER = """
import sys, time
from pathlib import Path
from deployctl.launch import Places, Postgres
server = Postgres(Places(Path(sys.argv[1])))
server.start()
print(server.process.pid, server.superuser_url, sep="\\n", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A DATA_DIR with a short path, in a folder that only its maker enters."""
    made = Path(tempfile.mkdtemp(prefix="dctl-"))
    yield made / "data"
    shutil.rmtree(made)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], Postgres]]:
    """Starts servers on the folder; all are stopped at the end."""
    servers: list[Postgres] = []

    def started() -> Postgres:
        servers.append(Postgres(Places(folder), FORGETFUL))
        servers[-1].start()
        return servers[-1]

    yield started
    for server in servers:
        server.stop()


def answer(server: Postgres) -> int:
    """Ask the server for its own process id, as psycopg gives it."""
    with psycopg.connect(server.superuser_url) as connection:
        row = connection.execute("SELECT 42").fetchone()
    assert row is not None
    return int(row[0])


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether it becomes true in time."""
    give_up_at = time.monotonic() + seconds
    while not true():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


def test_it_starts_stops_and_starts_again_with_what_it_held(
    start: Callable[[], Postgres],
) -> None:
    server = start()
    with psycopg.connect(server.superuser_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    server.start()
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_nobody_else_can_reach_it(start: Callable[[], Postgres]) -> None:
    server = start()
    with psycopg.connect(server.superuser_url) as connection:
        shown = connection.execute("SHOW listen_addresses").fetchone()
    assert shown == ("",)
    places = server.places
    for private in (places.data, places.sockets, places.cluster):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700


@ON_LINUX
def test_a_killed_server_starts_again_over_its_stale_pid_file(
    start: Callable[[], Postgres],
) -> None:
    server = start()
    assert server.process is not None
    pid = server.process.pid
    os.kill(pid, signal.SIGKILL)
    # Not waited for: where nobody reaps it stays a zombie, which seems alive.
    assert until(lambda: not is_running(pid))
    assert (server.places.cluster / "postmaster.pid").exists()
    again = start()
    assert answer(again) == 42


@ON_LINUX
def test_a_pid_file_that_names_a_living_stranger_is_stale(
    start: Callable[[], Postgres],
) -> None:
    server = start()
    server.stop()
    stale = f"{os.getpid()}\n{server.places.cluster}\n0\n5432\n\n\n\nready\n"
    (server.places.cluster / "postmaster.pid").write_text(stale)
    assert answer(start()) == 42


@ON_LINUX
def test_a_killed_holder_takes_its_server_with_it(
    folder: Path, start: Callable[[], Postgres]
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert is_running(pid)
        holder.kill()
    assert until(lambda: servers_in(folder / "postgres") == [])
    assert not is_running(pid)
    assert answer(start()) == 42


def test_a_second_launcher_on_the_same_folder_is_refused(folder: Path) -> None:
    places = Places(folder)
    places.make()
    held = places.lock()
    with pytest.raises(LaunchError, match=f"already runs on .* {os.getpid()}"):
        places.lock()
    os.close(held)
    os.close(places.lock())


def test_a_server_that_cannot_start_says_why(start: Callable[[], Postgres]) -> None:
    server = start()
    server.stop()
    (server.places.cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(LaunchError, match=r"(?s)did not start.*version 9"):
        server.start()


def test_a_long_path_gets_a_short_folder_for_its_socket(folder: Path) -> None:
    places = Places(folder / ("long" * 30))
    places.make()
    assert len(str(places.sockets)) < 60
    assert stat.S_IMODE(places.sockets.stat().st_mode) == 0o700
    places.sockets.rmdir()


def test_a_socket_folder_that_points_elsewhere_is_refused(folder: Path) -> None:
    folder.mkdir()
    (folder / "run").symlink_to("/tmp")
    with pytest.raises(LaunchError, match=r"belongs to somebody else|cannot be used"):
        Places(folder).make()


def test_roles_are_made_once_and_may_make_nothing(
    start: Callable[[], Postgres],
) -> None:
    server = start()
    first = prepare_database(server.superuser_url)
    assert prepare_database(server.superuser_url) == first
    with psycopg.connect(first.owner) as owner:
        owner.execute("CREATE TABLE theirs (n int)")
    with (
        psycopg.connect(first.app) as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        app.execute("SELECT * FROM theirs")
    with (
        psycopg.connect(first.owner) as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        owner.execute("CREATE ROLE more")


@AS_ROOT
def test_roots_files_stay_roots(start: Callable[[], Postgres]) -> None:
    server = start()
    assert server.identity.map_user
    assert server.places.cluster.stat().st_uid == 0


@AS_ROOT
def test_without_namespaces_root_uses_an_unprivileged_user(folder: Path) -> None:
    """The identity that is next in line when the kernel allows no namespace."""
    folder.parent.chmod(0o755)
    folder.mkdir(mode=0o755)
    places = Places(folder)
    server = Postgres(places, FORGETFUL)
    server._identity = identity.Identity(user="nobody")
    server.start()
    assert answer(server) == 42
    assert places.cluster.stat().st_uid != 0
    server.stop()
    # What nobody made goes on as nobody's.
    assert identity.find_identity(places, server.binaries).user == "nobody"


@AS_ROOT
def test_an_ordinary_user_starts_one(folder: Path) -> None:
    """With the system's Python, since root's may lie where nobody else may look."""
    folder.parent.chmod(0o777)
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("no Python that an ordinary user can run")
    script = HOLDER.replace("time.sleep(600)", "server.stop()")
    done = subprocess.run(
        [python, "-c", script, str(folder)],
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd=ROOT,
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "postgres").stat().st_uid != 0
