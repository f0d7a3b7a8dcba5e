"""Several checks of one target: all must hold, and one that hangs hides no other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deployctl.engine import checks
from deployctl.engine.checks import Checks
from deployctl.engine.checks.base import Finding
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.effects import ProbeFailed

pytestmark = [pytest.mark.asyncio, pytest.mark.serial]

TARGET = TargetRef("1", "web-1", "http://10.0.0.1:7000")


@pytest_asyncio.fixture
async def asked() -> AsyncIterator[Checks]:
    made = Checks()
    yield made
    await made.close()


def shell(script: str) -> dict[str, Any]:
    return {"kind": "command", "argv": ["/bin/sh", "-c", script]}


async def ask(asked: Checks, *wanted: object, seconds: float = 5) -> Finding:
    return await asked.ask(TARGET, list(wanted), seconds=seconds)


async def running(line: str) -> bytes:
    """Return the numbers of the processes with this command line."""
    listing = await asyncio.create_subprocess_exec(
        "pgrep", "-fx", line, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await listing.communicate()
    return out


async def test_all_must_hold(asked: Checks) -> None:
    good, bad = shell("echo fine"), shell("echo too hot >&2; exit 3")
    assert await ask(asked, good, good) == Finding(True, "check 2 (command): fine")
    found = await ask(asked, good, bad)
    said = "check 2 (command): exit status 3: too hot"
    assert found == Finding(False, said)


async def test_the_first_of_the_list_speaks_whichever_ends_first(
    asked: Checks,
) -> None:
    slow, quick = shell("sleep 0.2; exit 1"), shell("exit 2")
    assert (await ask(asked, slow, quick)).detail.startswith("check 1")


async def test_they_are_asked_at_once(asked: Checks) -> None:
    began = time.monotonic()
    assert (await ask(asked, *[shell("sleep 0.5")] * 8)).holds
    assert time.monotonic() - began < 8 * 0.5


async def test_one_that_hangs_is_an_error_and_is_killed(asked: Checks) -> None:
    says = r"^check 1 \(command\): no answer within 0\.3 s$"
    with pytest.raises(ProbeFailed, match=says):
        await ask(asked, shell("exec sleep 63"), seconds=0.3)
    await asked.close()
    assert await running("sleep 63") == b""


async def test_none_is_no_objection(asked: Checks) -> None:
    assert (await ask(asked)).holds


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("none", "must be a list"),
        ([{"kind": []}], "kind is one of"),
        (["http"], "kind is one of"),
        ([{"kind": "eval"}], "kind is one of command, http, ssh, tcp"),
        ([{"kind": "tcp", "address": "host"}], "number 1: address must be host:port"),
        ([{"kind": "tcp", "address": "h:70000"}], "must be host:port"),
        ([{"kind": "http", "url": "file:///etc/passwd"}], "url must begin with http"),
        ([{"kind": "http", "url": "http://169.254.169.254/"}], "never a target"),
        ([{"kind": "http", "url": "http://h/", "status": [99]}], "HTTP status codes"),
        ([{"kind": "http", "url": "http://h/", "more": 1}], "more is not a setting"),
        ([{"kind": "command", "argv": ["ls"]}], "absolute path"),
        ([{"kind": "command", "argv": ["/x", "{version}"]}], "nobody knows then"),
        ([{"kind": "ssh", "command": "ls"}], "command must be a list of words"),
        ([{"kind": "ssh", "command": ["ls"], "key": "k"}], "key needs an address"),
        ([{"kind": "ssh", "command": ["ls"], "address": "ssh://a@b"}], "key is needed"),
        ([shell("true")] * 17, "at most 16"),
    ],
)
async def test_what_is_no_check_is_refused_before_it_is_asked(
    asked: Checks, wanted: object, says: str
) -> None:
    assert says in checks.problem(wanted)
    with pytest.raises(ProbeFailed, match="cannot be asked"):
        await asked.ask(TARGET, wanted, seconds=1)


async def test_values_reach_a_command_as_one_word_each(asked: Checks) -> None:
    check = {
        "kind": "command",
        "argv": ["/bin/echo", "{target}", "at={address}"],
    }
    found = await ask(asked, check)
    assert found.detail == "check 1 (command): web-1 at=http://10.0.0.1:7000"


async def test_cancelling_leaves_no_program(asked: Checks) -> None:
    task = asyncio.create_task(ask(asked, shell("exec sleep 61")))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asked.close()
    assert await running("sleep 61") == b""
