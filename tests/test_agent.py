"""The reference agent, from outside: what it keeps, what it refuses, how it dies."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deployctl import agent as reference
from tests.engine.drivers.agents import AGENT, Agents
from tests.support.ports import free_port

pytestmark = pytest.mark.serial


def call(
    port: int, method: str, path: str, body: object = None, token: str = ""
) -> tuple[int, dict[str, Any]]:
    """Return status and answer of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def apply(
    port: int, version: str, fence: int, seconds: float = 10
) -> tuple[int, dict[str, Any]]:
    body = {"version": version, "fence": fence, "seconds": seconds}
    return call(port, "POST", "/v1/apply", body)


def state(port: int, fence: int | None = None) -> dict[str, Any]:
    query = "" if fence is None else f"?fence={fence}"
    return call(port, "GET", f"/v1/state{query}")[1]


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def in_background(work: Callable[[], object]) -> None:
    def quiet() -> None:
        # The agent is killed under it, where the test wants that.
        with contextlib.suppress(OSError, http.client.HTTPException):
            work()

    threading.Thread(target=quiet, daemon=True).start()


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Callable[..., Agents]]:
    """Return a function that starts an agent process with a configuration."""
    made: list[Agents] = []

    def start(**config: Any) -> Agents:
        made.append(Agents(tmp_path, config).start())
        return made[-1]

    yield start
    for each in made:
        each.stop()


class Inside:
    """Agents on a loop in a thread of the test: quick to start, and measured."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.count = directory, 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.fleets: list[reference.Fleet] = []

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def start(self, **config: Any) -> int:
        """Return the port of a new agent."""
        self.count += 1
        directory = str(self.directory / f"inside-{self.count}")
        config = {"state_dir": directory, "version": "1.0", **config}
        fleet = self.run(reference.Fleet().open([config]))
        self.fleets.append(fleet)
        return int(fleet.ports[0])

    def log(self, what: str) -> list[dict[str, Any]]:
        path = self.directory / f"inside-{self.count}" / "log.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]

    def close(self) -> None:
        for fleet in self.fleets:
            self.run(fleet.close())
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    made = Inside(tmp_path)
    yield made
    made.close()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code, reference.PLACEHOLDER]


class TestDying:
    def test_in_the_middle_of_an_apply(self, killable: Callable[..., Agents]) -> None:
        agent = killable(apply_seconds=30)
        in_background(lambda: apply(agent.ports[0], "2.0", 7))
        until(lambda: agent.log(what="started"))
        agent.kill()
        port = agent.start().ports[0]
        assert state(port)["version"] == "1.0"
        assert "interrupted" in state(port)["detail"]
        assert state(port)["fence"] == 7
        assert apply(port, "2.0", 6)[1]["error"] == "stale"
        assert apply(port, "2.0", 7)[1]["error"] == "interrupted"
        assert len(agent.log(what="started")) == 1
        assert not apply(port, "2.0", 8, 0.1)[1]["ok"]

    def test_after_a_promise(self, killable: Callable[..., Agents]) -> None:
        agent = killable()
        assert state(agent.ports[0], fence=9)["fence"] == 9
        agent.kill()
        port = agent.start().ports[0]
        assert apply(port, "2.0", 8)[1] == {
            "error": "stale",
            "message": "fence 9 has been here",
            "fence": 9,
        }
        assert agent.log(what="started") == []

    def test_after_an_apply(self, killable: Callable[..., Agents]) -> None:
        agent = killable()
        answer = apply(agent.ports[0], "2.0", 3)
        agent.kill()
        port = agent.start().ports[0]
        assert state(port)["version"] == "2.0"
        assert apply(port, "2.0", 3) == answer
        assert len(agent.log(what="started")) == 1

    def test_under_a_command(
        self, killable: Callable[..., Agents], tmp_path: Path
    ) -> None:
        # The command and its child outlive the agent; a restarted one ends both
        # before it says anything, else they would change the host behind its back.
        pids = tmp_path / "pids"
        code = (
            "import os, time\n"
            "child = os.fork()\n"
            "both = f'{os.getpid()} {child}\\n'\n"
            f"child and open({str(pids)!r}, 'w').write(both)\n"
            "time.sleep(60)"
        )
        agent = killable(argv=python(code))
        in_background(lambda: apply(agent.ports[0], "2.0", 7, 50))
        until(lambda: pids.exists() and pids.read_text().endswith("\n"))
        agent.kill()
        processes = [int(pid) for pid in pids.read_text().split()]
        assert all(running(pid) for pid in processes)
        port = agent.start().ports[0]
        until(lambda: not any(running(pid) for pid in processes), 2)
        assert agent.log(what="opened")[-1]["leftovers"] == "ended"
        assert state(port)["version"] is None
        assert apply(port, "2.0", 7)[1]["error"] == "interrupted"

    def test_politely_ends_what_runs_and_answers(
        self, killable: Callable[..., Agents]
    ) -> None:
        agent = killable(apply_seconds=0.5)
        answers: list[tuple[int, dict[str, Any]]] = []
        in_background(lambda: answers.append(apply(agent.ports[0], "2.0", 1)))
        until(lambda: agent.log(what="started"))
        agent.stop()
        until(lambda: answers)
        assert answers[0][1]["ok"]
        assert len(agent.log(what="ended")) == 1


def running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class TestStore:
    def test_is_for_one_process(self, inside: Inside, tmp_path: Path) -> None:
        inside.start()
        second = [sys.executable, str(AGENT), "--state-dir", str(tmp_path / "inside-1")]
        ended = subprocess.run(second, capture_output=True, text=True, timeout=20)
        assert ended.returncode == 1
        assert "in use by another agent" in ended.stderr

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (Path.unlink, "missing, and the fence with it"),
            (lambda path: path.write_text('{"promised"'), "cannot be read"),
        ],
    )
    def test_a_lost_fence_is_never_guessed(
        self, tmp_path: Path, damage: Callable[[Path], object], said: str
    ) -> None:
        config = {"state_dir": str(tmp_path), "version": "1.0"}
        agent = reference.Agent(config, reference.Stats())
        agent.store.close()
        damage(tmp_path / "state.json")
        with pytest.raises(SystemExit, match=said):
            reference.Agent(config, reference.Stats())

    @pytest.mark.parametrize(
        "cut", [b'{"promised": 9', b'{"prom\0\0\0\0 9}\n', b"\0\0\n"]
    )
    def test_a_line_that_a_crash_cut_off_was_never_answered(
        self, tmp_path: Path, cut: bytes
    ) -> None:
        config = {"state_dir": str(tmp_path), "version": "1.0"}
        agent = reference.Agent(config, reference.Stats())
        agent._save(promised=7)
        agent.store.close()
        with (tmp_path / "state.json").open("ab") as file:
            file.write(cut)
        again = reference.Agent(config, reference.Stats())
        again.store.close()
        assert again.state["promised"] == 7

    def test_reads_what_an_earlier_agent_kept(self, tmp_path: Path) -> None:
        kept = {"version": "3.0", "promised": 7, "last": None}
        (tmp_path / "state.json").write_text(json.dumps(kept))
        agent = reference.Agent({"state_dir": str(tmp_path)}, reference.Stats())
        agent.store.close()
        assert agent.state == kept

    def test_does_not_grow_for_ever(self, tmp_path: Path) -> None:
        config = {"state_dir": str(tmp_path), "version": "1.0", "fsync": False}
        agent = reference.Agent(config, reference.Stats())
        for fence in range(1, 5000):
            agent._save(promised=fence)
        agent.store.close()
        kept = (tmp_path / "state.json").stat().st_size
        assert kept <= reference.MAX_STATE_BYTES
        again = reference.Agent(config, reference.Stats())
        again.store.close()
        assert again.state["promised"] == 4999

    def test_without_a_disk_nothing_is_promised_or_done(
        self, inside: Inside, tmp_path: Path
    ) -> None:
        port = inside.start()
        directory = tmp_path / "inside-1"
        directory.rename(tmp_path / "gone")
        assert call(port, "GET", "/v1/state?fence=5")[1]["error"] == "storage"
        assert apply(port, "2.0", 6)[1]["error"] == "storage"
        (tmp_path / "gone").rename(directory)
        assert state(port)["version"] == "1.0"
        assert inside.log("started") == []
        assert apply(port, "2.0", 1)[1]["ok"]


class TestCommand:
    def test_gets_the_version_and_nothing_secret(
        self, inside: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET", "canary")
        code = (
            "import os, sys; print(sys.argv[1:], os.environ['DEPLOYCTL_VERSION'],"
            "'SECRET' in os.environ, os.getpgrp() == os.getpid())"
        )
        port = inside.start(argv=python(code))
        answer = apply(port, "2.0", 1)[1]
        assert answer["output"] == "['2.0'] 2.0 False True\n"
        assert state(port)["version"] == "2.0"

    def test_that_fails_leaves_an_unknown_version(self, inside: Inside) -> None:
        port = inside.start(argv=python("import sys; print('no room'); sys.exit(3)"))
        answer = apply(port, "2.0", 1)[1]
        assert (answer["ok"], answer["error"]) == (False, "ended with 3")
        assert answer["output"] == "no room\n"
        assert state(port)["version"] is None

    def test_that_is_not_there(self, inside: Inside) -> None:
        port = inside.start(argv=["/nonexistent/deploy"])
        assert apply(port, "2.0", 1)[1]["error"].startswith("cannot start")

    def test_may_have_a_file_that_says_the_truth(
        self, inside: Inside, tmp_path: Path
    ) -> None:
        truth = tmp_path / "VERSION"
        code = f"import sys; open({str(truth)!r}, 'w').write(sys.argv[1])"
        port = inside.start(argv=python(code), version_file=str(truth))
        assert state(port)["version"] is None
        apply(port, "2.0", 1)
        assert state(port)["version"] == "2.0"
        truth.write_text("1.5\n")
        assert state(port)["version"] == "1.5"

    def test_is_killed_with_its_children_at_the_deadline(
        self, inside: Inside, tmp_path: Path
    ) -> None:
        pids = tmp_path / "pids"
        code = (
            "import os, signal, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "child = os.fork()\n"
            f"child and open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
            "print('begun', flush=True); time.sleep(60)"
        )
        port = inside.start(argv=python(code))
        answer = apply(port, "2.0", 1, seconds=0.7)[1]
        assert answer["error"].startswith("killed: not done within 0.")
        assert answer["output"].startswith("begun")
        left = [int(pid) for pid in pids.read_text().split()]
        until(lambda: not any(running(pid) for pid in left), 2)

    def test_may_flood(self, inside: Inside) -> None:
        code = "import sys; [sys.stdout.write('x' * 65536) for _ in range(800)]"
        port = inside.start(argv=python(code))
        output = apply(port, "2.0", 1)[1]["output"]
        assert len(output) < 2 * reference.KEPT_BYTES + 100
        assert f"[... {800 * 65536 - 2 * reference.KEPT_BYTES} bytes cut ...]" in output

    def test_output_takes_no_more_memory_than_is_kept(self) -> None:
        clipped = reference.Clipped(1000)
        for _ in range(1000):
            clipped.feed(b"x" * 997)
            assert len(clipped.head) + len(clipped.tail) <= 6000
        assert "[... 995000 bytes cut ...]" in clipped.text()

    def test_may_leave_a_service_behind(self, inside: Inside, tmp_path: Path) -> None:
        # It keeps the pipe and the effect's lock; neither may stop the next apply.
        pid = tmp_path / "pid"
        code = (
            "import subprocess, sys\n"
            "service = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
            "process = subprocess.Popen(service, close_fds=False)\n"
            f"open({str(pid)!r}, 'a').write(f'{{process.pid}} ')"
        )
        port = inside.start(argv=python(code))
        try:
            began = time.monotonic()
            assert apply(port, "2.0", 1)[1]["ok"]
            assert apply(port, "3.0", 2)[1]["ok"]
            assert time.monotonic() - began < 5
            assert all(running(int(each)) for each in pid.read_text().split())
        finally:
            for each in pid.read_text().split():
                os.kill(int(each), signal.SIGKILL)

    @pytest.mark.parametrize(
        "argv", ["deploy", [], ["deploy", 1], ["deploy", "--version={version}"]]
    )
    def test_must_be_a_plain_argv(self, tmp_path: Path, argv: object) -> None:
        config = {"state_dir": str(tmp_path), "argv": argv}
        with pytest.raises(SystemExit):
            reference.chosen_effect(config, tmp_path)


class TestSymlink:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        for version in ("1.0", "2.0", "team/3.0"):
            (tmp_path / "root/releases" / version).mkdir(parents=True)
        (tmp_path / "root/current").symlink_to("releases/1.0")
        return tmp_path / "root"

    def test_is_switched_and_read_back(self, inside: Inside, root: Path) -> None:
        port = inside.start(release_root=str(root), version=None)
        assert state(port)["version"] == "1.0"
        assert apply(port, "2.0", 1)[1]["ok"]
        assert os.readlink(root / "current") == "releases/2.0"
        assert apply(port, "team/3.0", 2)[1]["ok"]
        assert state(port)["version"] == "team/3.0"

    def test_truth_is_the_link_not_the_memory(self, inside: Inside, root: Path) -> None:
        port = inside.start(release_root=str(root))
        apply(port, "2.0", 1)
        (root / "current").unlink()
        assert state(port)["version"] is None
        (root / "current").symlink_to("releases/1.0")
        assert state(port)["version"] == "1.0"

    def test_needs_a_release_inside(self, inside: Inside, root: Path) -> None:
        (root / "releases/outside").symlink_to("/tmp")
        port = inside.start(release_root=str(root))
        for fence, version in enumerate(("9.9", "outside"), start=1):
            assert not apply(port, version, fence)[1]["ok"]
        assert state(port)["version"] == "1.0"

    def test_a_switch_that_died_leaves_nothing_in_the_way(
        self, inside: Inside, root: Path
    ) -> None:
        (root / "current.new").symlink_to("releases/1.0")
        assert apply(inside.start(release_root=str(root)), "2.0", 1)[1]["ok"]


class TestRefusals:
    @pytest.mark.parametrize(
        "version",
        [
            *("", "-rf", "; rm", "$(id)", "a b", "a\nb", "a\0b", "../x", "a/../b"),
            *("/etc", "x" * 129, "ü", 2, None, ["2.0"]),
        ],
    )
    def test_versions(self, inside: Inside, version: Any) -> None:
        port = inside.start()
        assert apply(port, version, 1)[0] == 400
        assert inside.log("heard") == []

    @pytest.mark.parametrize(
        "body",
        [
            {"version": "2.0", "fence": 1},
            {"version": "2.0", "fence": 1, "seconds": 1, "more": 1},
            {"version": "2.0", "fence": 0, "seconds": 1},
            {"version": "2.0", "fence": True, "seconds": 1},
            {"version": "2.0", "fence": 1.5, "seconds": 1},
            {"version": "2.0", "fence": 2**63, "seconds": 1},
            {"version": "2.0", "fence": 1, "seconds": 0},
            {"version": "2.0", "fence": 1, "seconds": float("nan")},
            {"version": "2.0", "fence": 1, "seconds": float("inf")},
            {"version": "2.0", "fence": 1, "seconds": "5"},
            [],
            "text",
        ],
    )
    def test_bodies(self, inside: Inside, body: object) -> None:
        assert call(inside.start(), "POST", "/v1/apply", body)[0] == 400

    @pytest.mark.parametrize("query", ["fence=x", "fence=0", "seconds=nan", "fence"])
    def test_queries(self, inside: Inside, query: str) -> None:
        assert call(inside.start(), "GET", f"/v1/state?{query}")[0] == 400

    @pytest.mark.parametrize(
        ("raw", "status"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET / HTTP/1.0\r\n\r\n", 400),
            (b"GET /healthz HTTP/1.1\r\nbad\r\n\r\n", 400),
            (b"GET /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
            (b"GET / HTTP/1.1\r\nX: " + b"x" * 70000 + b"\r\n\r\n", 413),
            (b"GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
            (
                b"POST /v1/apply HTTP/1.1\r\nConnection: close\r\n"
                b"Content-Length: 60000\r\n\r\n" + b"[" * 60000,
                400,
            ),
        ],
    )
    def test_bytes(self, inside: Inside, raw: bytes, status: int) -> None:
        port = inside.start()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(raw)
            first = connection.recv(64)
        assert first.startswith(b"HTTP/1.1 %d " % status)
        assert call(port, "GET", "/healthz") == (200, {"ok": True})

    def test_a_wrong_token(self, inside: Inside, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("s3cret-canary\n")
        port = inside.start(token_file=str(tmp_path / "token"))
        for path in ("/v1/state", "/v1/stats", "/v1/apply", "/x"):
            for token in ("", "wrong", "s3cret-canaryx"):
                status, answer = call(port, "GET", path, token=token)
                assert (status, answer["error"]) == (401, "token")
                assert "fence" not in answer
        assert call(port, "GET", "/v1/state", token="s3cret-canary")[0] == 200
        assert call(port, "GET", "/healthz")[0] == 200
        written = (tmp_path / "inside-1").iterdir()
        assert not any(b"s3cret" in path.read_bytes() for path in written)

    def test_without_a_token_it_stays_at_home(self) -> None:
        with pytest.raises(SystemExit, match="without a token"):
            reference.token_of({}, "0.0.0.0")


class TestHealth:
    @pytest.fixture
    def page(self) -> Iterator[Callable[[bytes], str]]:
        """Return a function that serves one raw answer and gives its URL."""
        servers: list[socket.socket] = []

        def serve(raw: bytes) -> str:
            server = socket.create_server(("127.0.0.1", 0))
            servers.append(server)

            def answer() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(raw)

            in_background(answer)
            return f"http://127.0.0.1:{server.getsockname()[1]}/"

        yield serve
        for server in servers:
            server.close()

    @pytest.mark.parametrize(
        ("raw", "healthy", "detail"),
        [
            (b"HTTP/1.0 200 OK\r\n\r\nfine", True, "200 fine"),
            (b"HTTP/1.0 503 No\r\n\r\nstarting", False, "503 starting"),
            (
                b"HTTP/1.0 302 Go\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
                False,
                "302 ",
            ),
        ],
    )
    def test_by_http(
        self,
        inside: Inside,
        page: Callable[[bytes], str],
        raw: bytes,
        healthy: bool,
        detail: str,
    ) -> None:
        answer = state(inside.start(health={"url": page(raw)}))
        assert (answer["healthy"], answer["detail"]) == (healthy, detail)

    def test_by_http_that_nobody_answers(self, inside: Inside) -> None:
        answer = state(inside.start(health={"url": f"http://127.0.0.1:{free_port()}/"}))
        assert not answer["healthy"]
        assert "refused" in answer["detail"]

    @pytest.mark.parametrize(
        ("code", "healthy", "detail"),
        [
            ("print('fine')", True, "fine\n"),
            ("import sys; sys.exit('disk full')", False, "disk full\n"),
            ("import time; time.sleep(60)", False, "no answer within 0.4 s"),
        ],
    )
    def test_by_command(
        self, inside: Inside, code: str, healthy: bool, detail: str
    ) -> None:
        health = {"argv": [sys.executable, "-c", code], "timeout_seconds": 0.4}
        if healthy or "exit" in code:
            health["timeout_seconds"] = 10
        answer = state(inside.start(health=health))
        assert (answer["healthy"], answer["detail"]) == (healthy, detail)

    def test_by_version(self, inside: Inside) -> None:
        port = inside.start(unhealthy_versions=["2.0"])
        assert state(port)["healthy"]
        assert apply(port, "2.0", 1)[1]["ok"]
        assert not state(port)["healthy"]


class TestManyInOneProcess:
    def test_each_has_its_files_where_an_ordinary_user_has_few(
        self, tmp_path: Path
    ) -> None:
        given = f"--count 60 --version 1.0 --state-dir {tmp_path}"
        script = f"ulimit -Sn 128; exec {sys.executable} {AGENT} {given}"
        running = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
        with running:
            assert running.stdout is not None
            told = running.stdout.readline()
            running.terminate()
        assert len(json.loads(told)["ports"]) == 60

    def test_each_is_real_and_all_are_counted(self, tmp_path: Path) -> None:
        agents = Agents(tmp_path, *({} for _ in range(20)), apply_seconds=0.4).start()
        try:
            answers: list[tuple[int, dict[str, Any]]] = []

            def note(port: int) -> None:
                answers.append(apply(port, "2.0", 1))

            for port in agents.ports:
                in_background(partial(note, port))
            until(lambda: len(answers) == 20)
            port = agents.ports[0]
            stats = call(port, "GET", "/v1/stats")[1]
            assert stats["process"]["applies"] == 20
            assert 1 < stats["process"]["max_in_flight"] <= 20
            assert stats["agent"]["max_in_flight"] == 1
            assert all(state(each)["version"] == "2.0" for each in agents.ports)
        finally:
            agents.stop()

    def test_from_flags(self, tmp_path: Path) -> None:
        given = ["--state-dir", str(tmp_path), "--count", "3", "--port", "7100"]
        configs = reference.configured(reference.flags().parse_args(given))
        assert [each["port"] for each in configs] == [7100, 7101, 7102]
        assert configs[2]["state_dir"].endswith("agent-0002")

    def test_without_a_place_for_its_state(self) -> None:
        with pytest.raises(SystemExit, match="--state-dir"):
            reference.configured(reference.flags().parse_args([]))


def test_one_connection_serves_many_requests(inside: Inside) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", inside.start(), timeout=10)
    for fence in (1, 2, 3):
        connection.request("GET", f"/v1/state?fence={fence}")
        assert json.loads(connection.getresponse().read())["fence"] == fence
    connection.close()


def test_a_client_that_hangs_up_does_not_undo(inside: Inside) -> None:
    port = inside.start(apply_seconds=0.3)
    body = json.dumps({"version": "2.0", "fence": 1, "seconds": 5}).encode()
    head = b"POST /v1/apply HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + body)
        until(lambda: inside.log("started"))
    assert state(port, fence=2)["version"] == "2.0"


def test_it_is_one_file_for_python_3_8() -> None:
    tree = ast.parse(AGENT.read_text(), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
