"""The wrapper of SSH targets by itself, under each shell, with and without tools."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployctl.launch.processes import is_running
from tests.support import ROOT
from tests.support.balancers import PATH

pytestmark = pytest.mark.serial

WRAPPER = ROOT / "deployctl" / "deployctl-host"
#: All that a host needs; flock is missing on some.
TOOLS = (
    *("sh", "cat", "date", "head", "ln", "mkdir", "mkfifo", "mv", "readlink", "rm"),
    *("rmdir", "sed", "setsid", "sleep", "sync", "tail", "touch", "tr", "wc"),
)
#: Shells, and where their tools come from: this machine's, without flock, or busybox's.
HOSTS = {
    "dash": (["dash"], PATH),
    "bash": (["bash"], PATH),
    "busybox": (["busybox", "sh"], PATH),
    "without-flock": (["sh"], "no-flock"),
    "busybox-alone": (["busybox", "sh"], "busybox"),
}


class Host:
    """One host: a configuration, its state, and requests to it."""

    def __init__(self, folder: Path, shell: list[str], path: str) -> None:
        found = shutil.which(shell[0])
        if found is None:
            pytest.skip(f"there is no {shell[0]} on this machine")
        self.folder, self.state = folder, folder / "state"
        self.argv = [found, *shell[1:], str(WRAPPER), str(folder / "conf")]
        self.path = path if path == PATH else self._tools(path)
        self.asked: list[subprocess.Popen[str]] = []

    def _tools(self, which: str) -> str:
        tools = self.folder / "tools"
        tools.mkdir()
        for name in TOOLS:
            found = shutil.which("busybox" if which == "busybox" else name)
            assert found
            (tools / name).symlink_to(found)
        return str(tools)

    def configure(self, *lines: str) -> None:
        text = "\n".join([f"state {self.state}", "version 1.0", *lines])
        (self.folder / "conf").write_text(text)  # The last line has no end.

    def applies(self, script: str) -> None:
        """Have a script apply: the version is its $1, this folder its $2."""
        path = self.folder / "script"
        path.write_text(script)
        words = ["/bin/sh", str(path), "{version}", str(self.folder)]
        self.configure(*(f"apply {word}" for word in words))

    def start(self, request: str) -> subprocess.Popen[str]:
        """Ask, and leave the input open as the driver does."""
        process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": self.path, "LANG": "C.UTF-8"},
        )
        assert process.stdin
        process.stdin.write(request)
        process.stdin.flush()
        self.asked.append(process)
        return process

    def answer(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout
        said = process.stdout.read()
        assert process.wait(20) == 0
        return json.loads(said) if said else {}

    def ask(self, do: str, seconds: float = 5, **more: Any) -> dict[str, Any]:
        return self.answer(self.begin(do, seconds, **more))

    def begin(self, do: str, seconds: float = 5, **more: Any) -> subprocess.Popen[str]:
        request = {"do": do, "seconds": seconds, **more}
        return self.start(json.dumps(request, separators=(",", ":")) + "\n")

    def log(self, *whats: str) -> list[str]:
        lines = (self.state / "log").read_text().splitlines()
        read = [json.loads(line) for line in lines]
        return [f"{x['what']} {x['fence']}" for x in read if x["what"] in whats]

    def close(self) -> None:
        for process in self.asked:
            assert process.stdin
            assert process.stdout
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path, *HOSTS[request.param])
    yield made
    made.close()


def until(true: Callable[[], object], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


# -- the fence -------------------------------------------------------------------------


def test_it_applies_once_for_each_fence(host: Host) -> None:
    host.applies('echo "to $1"')
    assert host.ask("probe") == {"version": "1.0", "healthy": True, "detail": ""}
    first = host.ask("apply", version="2.0", fence=3)
    assert first == {
        "ok": True, "error": "", "output": "to 2.0", "version": "2.0", "fence": 3,
    }  # fmt: skip
    assert host.ask("apply", version="2.0", fence=3) == first
    assert host.ask("apply", version="9.9", fence=3)["refused"] == "fence_reused"
    assert host.ask("probe", fence=4)["version"] == "2.0"
    stale = host.ask("apply", version="3.0", fence=3)
    assert (stale["refused"], stale["fence"]) == ("stale", 4)
    assert host.log("started", "ended") == ["started 3", "ended 3"]


def test_no_two_effects_overlap(host: Host) -> None:
    host.applies("sleep 0.4")
    first = host.begin("apply", version="2.0", fence=1)
    until(lambda: (host.state / "log").exists() and host.log("started"))
    second = host.begin("apply", version="3.0", fence=2)
    assert host.answer(first)["ok"]
    assert host.answer(second)["ok"]
    effects = ["started 1", "ended 1", "started 2", "ended 2"]
    assert host.log("started", "ended") == effects


def test_a_promise_outlives_what_waited_for_it(host: Host) -> None:
    """Heard is on disk before it is waited with: who slept on 5 is shut out."""
    host.applies("sleep 0.5")
    running = host.begin("apply", version="2.0", fence=5)
    until(lambda: (host.state / "log").exists() and host.log("started"))
    waiting = host.begin("apply", version="3.0", fence=6)
    until(lambda: (host.state / "fences" / "6").exists())
    assert host.ask("probe", fence=7, seconds=0.1)["refused"] == "busy"
    assert host.answer(waiting)["refused"] == "stale"
    assert host.answer(running)["ok"]
    assert host.log("started") == ["started 5"]


def test_killed_in_the_middle_is_interrupted_and_never_run_again(host: Host) -> None:
    host.applies('echo $$ >>"$2/pids"; sleep 61 & echo $! >>"$2/pids"; sleep 62')
    dying = host.begin("apply", version="2.0", fence=3, seconds=60)
    pids = host.folder / "pids"
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    dying.kill()
    dying.wait()
    probe = host.ask("probe", fence=4)
    assert probe["version"] is None
    assert probe["detail"] == "the apply of 2.0 with fence 3 was interrupted"
    assert not any(is_running(int(pid)) for pid in pids.read_text().split())
    host.applies("exit 0")
    assert host.ask("apply", version="2.0", fence=5)["ok"]
    assert host.ask("probe", fence=5)["detail"] == ""


def test_its_own_fence_does_not_run_an_interrupted_one_again(host: Host) -> None:
    host.applies('touch "$2/began"; sleep 62')
    dying = host.begin("apply", version="2.0", fence=3, seconds=60)
    until((host.folder / "began").exists)
    dying.kill()
    dying.wait()
    again = host.ask("apply", version="2.0", fence=3)
    assert again["refused"] == "interrupted"
    assert host.log("started") == ["started 3"]


def test_a_lost_fence_is_never_guessed(host: Host) -> None:
    host.applies("exit 0")
    assert host.ask("apply", version="2.0", fence=3)["ok"]
    shutil.rmtree(host.state / "fences")
    assert host.ask("apply", version="2.0", fence=1)["refused"] == "storage"


# -- how an effect ends ----------------------------------------------------------------


def test_an_overdue_effect_ends_with_all_of_its_group(host: Host) -> None:
    host.applies('trap "" TERM; sleep 61 & echo $! $$ >"$2/pids"; wait')
    began = time.monotonic()
    answer = host.ask("apply", version="2.0", fence=3, seconds=0.5)
    assert answer["ok"] is False
    assert answer["error"] == "killed: not done within 500 ms"
    assert time.monotonic() - began < 4.5
    pids = map(int, (host.folder / "pids").read_text().split())
    assert not any(map(is_running, pids))
    assert host.ask("probe")["version"] is None


def test_an_effect_never_runs_longer_even_if_nobody_watches(host: Host) -> None:
    host.applies('echo $$ >"$2/pid"; exec sleep 62')
    dying = host.begin("apply", version="2.0", fence=3, seconds=1)
    pid = host.folder / "pid"
    until(lambda: pid.exists() and pid.read_text())
    dying.kill()
    until(lambda: not is_running(int(pid.read_text())), seconds=5)


def test_who_asked_may_go_and_the_answer_is_kept(host: Host) -> None:
    host.applies('echo one; sleep 0.4; echo two; touch "$2/done"')
    gone = host.begin("apply", version="2.0", fence=3)
    assert gone.stdin
    assert gone.stdout
    until(lambda: (host.state / "log").exists() and host.log("started"))
    gone.stdin.close()
    gone.stdout.close()
    gone.send_signal(signal.SIGHUP)
    again = host.ask("apply", version="2.0", fence=3)
    assert (again["ok"], again["output"]) == (True, "one\ntwo")
    assert host.log("started") == ["started 3"]


def test_a_failure_is_its_status_and_its_output(host: Host) -> None:
    host.applies("echo half; echo no image >&2; exit 4")
    answer = host.ask("apply", version="2.0", fence=3)
    assert (answer["ok"], answer["error"]) == (False, "ended with 4")
    assert answer["output"] == "half\nno image"
    assert host.ask("probe")["version"] is None


def test_a_service_that_it_started_stays_and_is_not_waited_for(host: Host) -> None:
    host.applies('sleep 5 & echo $! >"$2/pid"; echo up')
    began = time.monotonic()
    assert host.ask("apply", version="2.0", fence=3)["ok"]
    assert time.monotonic() - began < 4
    pid = int((host.folder / "pid").read_text())
    assert is_running(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_flood_is_cut(host: Host) -> None:
    host.applies("echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo last")
    output = host.ask("apply", version="2.0", fence=3, seconds=20)["output"]
    assert output.startswith("first\nxxx")
    assert output.endswith("xxxlast")
    assert "\n[... cut ...]\n" in output
    assert len(output) < 70_000


def test_whatever_is_written_is_told_as_json(host: Host) -> None:
    host.applies(r"""printf 'a"b\\c\td\000e\033[31mf\rg\n\nh'""")
    output = host.ask("apply", version="2.0", fence=3)["output"]
    assert output == 'a"b\\c\tde\x1b[31mfg\n\nh'


def test_what_is_configured_has_the_hosts_own_surroundings(host: Host) -> None:
    host.applies('echo "$1 $DEPLOYCTL_FENCE ${LC_ALL-none}"; touch "$2/made"')
    answer = host.ask("apply", version="2.0", fence=3)
    assert answer["output"] == "2.0 3 none"
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((host.folder / "made").stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((host.state / "log").stat().st_mode) == 0o600


# -- releases, version files and checks ------------------------------------------------


def test_it_switches_a_release_in_one_rename(host: Host) -> None:
    root = host.folder / "app"
    for version in ("1.0", "2.0"):
        (root / "releases" / version).mkdir(parents=True)
    (root / "releases" / "away").symlink_to("/")
    (root / "current").symlink_to("releases/1.0")
    (root / "current.new").symlink_to("left/behind")
    host.configure(f"release_root {root}")
    assert host.ask("probe")["version"] == "1.0"
    assert host.ask("apply", version="2.0", fence=3)["ok"]
    assert os.readlink(root / "current") == "releases/2.0"
    for fence, missing in enumerate(("9.9", "away", "away/etc"), 4):
        answer = host.ask("apply", version=missing, fence=fence)
        assert answer["error"] == f"there is no release {missing}"
    assert host.ask("probe", fence=9)["version"] == "2.0"


def test_a_version_file_says_the_version(host: Host) -> None:
    file = host.folder / "version"
    host.configure("apply /bin/false", f"version_file {file}")
    assert host.ask("probe")["version"] is None
    file.write_text("2.0\nmore\n")
    assert host.ask("probe")["version"] == "2.0"
    file.write_text('"; rm -rf /\n')
    assert host.ask("probe")["version"] is None


@pytest.mark.parametrize(
    ("script", "healthy", "detail"),
    [
        ("echo fine", True, "fine"),
        ("echo down; exit 1", False, "down"),
        ("sleep 62", False, "no answer within 1000 ms"),
    ],
)
def test_a_check_says_whether_it_is_well(
    host: Host, script: str, healthy: bool, detail: str
) -> None:
    words = ["/bin/sh", "-c", script]
    host.configure(
        "apply /bin/true", "check_seconds 1", *(f"check {word}" for word in words)
    )
    probe = host.ask("probe")
    assert (probe["healthy"], probe["detail"]) == (healthy, detail)
    assert not list(host.state.glob("check.*"))


# -- requests and configurations that are none -----------------------------------------

GOOD = '{"do":"apply","version":"2.0","fence":3,"seconds":5}'


@pytest.mark.parametrize(
    "request_line",
    [
        "",
        "{}",
        "[1]",
        '{"do":"apply","version":"2.0","seconds":5}',
        '{"do":"apply","fence":3,"seconds":5}',
        '{"do":"remove","seconds":5}',
        GOOD.replace("3", "03"),
        GOOD.replace("3", "-3"),
        GOOD.replace("3", "9" * 19),
        GOOD.replace('"seconds":5', '"seconds":0'),
        GOOD.replace('"seconds":5', '"seconds":1e9'),
        GOOD.replace(',"seconds":5', ""),
        GOOD.replace("2.0", "../../etc"),
        GOOD.replace("2.0", "-rf"),
        GOOD.replace("2.0", "$(touch x)"),
        GOOD.replace("2.0", '2.0\\",\\"x'),
        GOOD.replace("}", ',"more":1}'),
    ],
)
def test_a_request_that_makes_no_sense_does_nothing(
    host: Host, request_line: str
) -> None:
    host.applies('touch "$2/ran"')
    assert host.answer(host.start(request_line + "\n"))["refused"] == "invalid"
    assert not (host.folder / "ran").exists()


def test_a_request_that_did_not_arrive_whole_does_nothing(host: Host) -> None:
    host.applies('touch "$2/ran"')
    process = host.start(GOOD)
    assert process.stdin
    process.stdin.close()
    assert host.answer(process) == {}
    assert not (host.folder / "ran").exists()


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["apply /bin/true", "release_root /srv"],
        ["apply /bin/true", "colour red"],
        ["apply /bin/true", "state relative"],
        ["apply /bin/true", "check_seconds 0"],
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    host: Host, lines: list[str]
) -> None:
    host.configure(*lines)
    refused = host.answer(host.start(GOOD + "\n"))
    assert refused["refused"] == "invalid"
    assert not host.state.exists()


def test_seconds_may_have_a_fraction(host: Host) -> None:
    host.applies("exit 0")
    assert host.ask("apply", seconds=0.75, version="2.0", fence=3)["ok"]
    assert host.ask("apply", seconds=10.005, version="2.1", fence=4)["ok"]
