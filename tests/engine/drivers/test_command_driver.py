"""The command driver against programs that hang, flood, babble and die."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployctl.engine.drivers.base import (
    Applied,
    NotSent,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
    TargetRef,
)
from deployctl.engine.drivers.command import CommandDriver
from deployctl.launch.processes import is_running

pytestmark = [pytest.mark.asyncio, pytest.mark.serial]


@pytest_asyncio.fixture
async def driver() -> AsyncIterator[CommandDriver]:
    made = CommandDriver()
    yield made
    await made.close()


def target(*, name: str = "web-1", address: str = "", **settings: Any) -> TargetRef:
    """Return a target with such settings."""
    return TargetRef("1", name, address, settings)


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code, *words]


def sh(script: str, *words: str) -> list[str]:
    return ["/bin/sh", "-c", script, "sh", *words]


async def probe(driver: CommandDriver, argv: list[str], seconds: float = 5) -> Probe:
    return await driver.probe(target(probe=argv), fence=None, seconds=seconds)


async def apply(
    driver: CommandDriver, argv: list[str], seconds: float = 5, **more: Any
) -> Applied:
    it = target(apply=argv, **more)
    return await driver.apply(it, version="2.0", fence=7, seconds=seconds)


# -- what a probe may print ------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("2.0\n", Probe("2.0", True)),
        ("  registry/app:2.0  \n\n", Probe("registry/app:2.0", True)),
        ("\n", Probe(None, False, "the probe printed nothing")),
        ('{"version": "2.0", "healthy": false, "detail": "x\\u0000y"}',
         Probe("2.0", False, "xy")),
        ('{\n "version": null,\n "healthy": true\n}', Probe(None, True)),
    ],
)  # fmt: skip
async def test_a_probe_says_a_version_or_an_object(
    driver: CommandDriver, printed: str, found: Probe
) -> None:
    assert await probe(driver, sh('printf %s "$1"', printed)) == found


@pytest.mark.parametrize(
    "printed",
    [
        "Warning: old\n2.0",
        "x" * 129,
        '{"version": "2.0"}',
        '{"version": 2, "healthy": true}',
        '{"version": "", "healthy": true}',
        '{"version": "2.0", "healthy": "yes"}',
        '{"version": "2.0", ',
        "{" * 3000,
    ],
)
async def test_anything_else_is_no_answer(driver: CommandDriver, printed: str) -> None:
    with pytest.raises(ProbeFailed):
        await probe(driver, sh('printf %s "$1"', printed))


async def test_bytes_that_are_no_text_are_cleaned(driver: CommandDriver) -> None:
    found = await probe(driver, sh(r"printf '\000\377\033[31m2.0\342\200\256'"))
    assert found.version == "\ufffd2.0"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no cluster >&2; exit 3", "exit status 3: no cluster"),
        ("kill -9 $$", "was ended by signal 9"),
        ("sleep 60", "gave no answer within"),
        ("kill -9 $PPID; sleep 5", "was killed"),
    ],
)
async def test_a_probe_that_does_not_end_well(
    driver: CommandDriver, script: str, said: str
) -> None:
    with pytest.raises(ProbeFailed, match=said):
        await probe(driver, sh(script), seconds=0.5)


# -- what an apply gets, and how it ends -----------------------------------------------


async def test_values_are_words_and_variables(driver: CommandDriver) -> None:
    show = (
        "import json, os, sys; print(json.dumps([sys.argv[1:],"
        " {k: v for k, v in os.environ.items() if k.startswith('DEPLOYCTL')}]))"
    )
    argv = python(show, "--tag={version}", "{target}@{address}", "{fence}", "$HOME;ls")
    it = target(name="web-1", address="[::1]:22", apply=argv)
    applied = await driver.apply(it, version="2.0", fence=7, seconds=5)
    words, variables = json.loads(applied.output)
    assert words == ["--tag=2.0", "web-1@[::1]:22", "7", "$HOME;ls"]
    assert variables == {
        "DEPLOYCTL_VERSION": "2.0",
        "DEPLOYCTL_TARGET": "web-1",
        "DEPLOYCTL_ADDRESS": "[::1]:22",
        "DEPLOYCTL_FENCE": "7",
    }


async def test_an_earlier_version_that_is_an_option_is_not_run(
    driver: CommandDriver, tmp_path: Path
) -> None:
    """A return goes to what was observed once, which nobody had bound to a pattern."""
    it = target(apply=["/usr/bin/touch", str(tmp_path / "ran"), "{version}"])
    with pytest.raises(NotSent, match="the version '--help' cannot be put"):
        await driver.apply(it, version="--help", fence=7, seconds=5)
    assert not (tmp_path / "ran").exists()


async def test_a_refusal_is_its_status_and_its_output(driver: CommandDriver) -> None:
    applied = await apply(driver, sh("echo half; echo no such image >&2; exit 4"))
    assert applied == Applied(False, "exit status 4", "half\nno such image\n")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/nowhere/kubectl"], "could not run /nowhere/kubectl"),
        (["kubectl"], "must begin with an absolute path. Nothing was run"),
        (None, "must be a list of words. Nothing was run"),
    ],
)
async def test_what_cannot_be_run_was_not_sent(
    driver: CommandDriver, argv: Any, said: str
) -> None:
    with pytest.raises(NotSent, match=said):
        await apply(driver, argv)


async def test_without_time_nothing_is_sent(driver: CommandDriver) -> None:
    with pytest.raises(NotSent, match="no time was left"):
        await apply(driver, ["/bin/true"], seconds=0)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo step 3 of 5; sleep 60", "did not end in time .* printed: step 3 of 5"),
        ("kill -9 $$", "was ended by signal 9"),
        ("kill -9 $PPID; sleep 5", "killed together"),
    ],
)
async def test_an_end_that_nobody_saw_is_unknown(
    driver: CommandDriver, script: str, said: str
) -> None:
    with pytest.raises(OutcomeUnknown, match=said):
        await apply(driver, sh(script), seconds=2)


async def test_the_effect_before_a_cut_is_not_denied(
    driver: CommandDriver, tmp_path: Path
) -> None:
    """The change was made, then who made it was killed: unknown, and not a failure."""
    done = tmp_path / "done"
    with pytest.raises(OutcomeUnknown):
        await apply(driver, sh('touch "$1"; kill -9 $$', str(done)))
    assert done.exists()


async def test_a_flood_neither_fills_memory_nor_hangs(driver: CommandDriver) -> None:
    """A gigabyte: the ends are kept, and said to be cut."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    applied = await apply(
        driver, sh("echo first; head -c 1000000000 /dev/zero; echo last"), seconds=60
    )
    assert applied.ok
    assert "first" in applied.output
    assert "last" in applied.output
    assert "bytes cut" in applied.output
    assert len(applied.output) < 20_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


async def test_a_slow_drip_ends_at_the_deadline(driver: CommandDriver) -> None:
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        await apply(driver, sh("while :; do echo .; sleep 0.05; done"), seconds=0.6)
    assert time.monotonic() - began < 1.2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a session is not found")
@pytest.mark.parametrize("ends", ["", "; sleep 60"], ids=["ended", "overdue"])
async def test_no_process_is_left(
    driver: CommandDriver, tmp_path: Path, ends: str
) -> None:
    """Neither a child, nor one in a session of its own, nor one that ignores TERM."""
    script = (
        'trap "" TERM; sleep 61 & echo $! >"$1";'
        f' setsid sh -c \'echo $$ >>"$1"; exec sleep 62\' sh "$1" & sleep 0.2{ends}'
    )
    pids = tmp_path / "pids"
    try:
        await apply(driver, sh(script, str(pids)), seconds=1)
    except OutcomeUnknown:
        assert ends
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 2
    assert not any(map(is_running, found))


async def test_being_cancelled_ends_it(driver: CommandDriver, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    argv = sh('echo $$ >"$1"; exec sleep 60', str(pid))
    running = asyncio.create_task(apply(driver, argv, seconds=60))
    while not pid.exists() or not pid.read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_running(int(pid.read_text()))


async def test_a_target_knows_no_secret_of_the_worker(
    driver: CommandDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://canary")
    monkeypatch.setenv("DEPLOYCTL_SECRET_X", "canary")
    monkeypatch.setenv("KUBECONFIG", "/etc/kube")
    applied = await apply(driver, ["/usr/bin/env"], env=["KUBECONFIG"])
    assert "KUBECONFIG=/etc/kube" in applied.output
    assert "canary" not in applied.output


async def test_settings_are_checked() -> None:
    good = {"apply": ["/bin/a", "{version}"], "probe": ["/bin/p"], "env": ["A"]}
    assert CommandDriver.problems("anything", good) == {}
    bad = {"apply": ["a"], "probe": ["/p", "{fence}"], "env": ["a"], "shell": "x"}
    assert CommandDriver.problems("", bad).keys() == bad.keys()
    assert CommandDriver.problems("", {}).keys() == {"apply", "probe"}
