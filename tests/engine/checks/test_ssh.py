"""The check `ssh` on Debian's SSH server: what holds, what does not, what is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployctl.engine.checks import Checks
from deployctl.engine.checks.base import Finding
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.effects import ProbeFailed
from tests.engine.drivers.ssh_hosts import SshSubject
from tests.support.sshd import KEY, Sshd

pytestmark = [pytest.mark.asyncio, pytest.mark.serial]

OTHER_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEhb/BbtC3HOUJ4SgSBcf9qgnrCX+zMQ4Uec9OwMlWlj"
)


async def ask(sshd: Sshd, script: str, seconds: float = 5, **more: Any) -> Finding:
    """Ask by a script on the server, which is the target itself unless told more."""
    asked = Checks()
    settings = {"key": KEY, "host_key": sshd.host_key}
    target = TargetRef("1", "one", sshd.address, settings)
    check = {"kind": "ssh", "command": ["sh", "-c", script], **more}
    try:
        return await asked.ask(target, [check], seconds=seconds)
    finally:
        await asked.close()
        assert await asyncio.to_thread(sshd.is_quiet)


async def test_its_status_is_the_answer(sshd: Sshd) -> None:
    assert await ask(sshd, "echo fine") == Finding(True, "check 1 (ssh): fine")
    found = await ask(sshd, "echo disk full >&2; exit 3")
    said = "check 1 (ssh): it ended with status 3: disk full"
    assert found == Finding(False, said)


async def test_another_host_may_be_asked(sshd: Sshd) -> None:
    host: dict[str, Any] = {
        "address": sshd.address,
        "host_key": sshd.host_key,
        "key": KEY,
    }
    assert (await ask(sshd, "true", **host)).holds


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("sleep 60", "in time|no end within|no answer"),
        ("exec yes", "in time|no end within|no answer"),
        ("trap '' TERM HUP; while :; do sleep 1; done", "no end|in time|no answer"),
        ("kill -9 $$", "signal|137"),
        ("exec /gone", "127"),
    ],
)
async def test_what_says_nothing_is_an_error_and_leaves_nothing(
    sshd: Sshd, script: str, says: str
) -> None:
    with pytest.raises(ProbeFailed, match=rf"check 1 \(ssh\): .*({says})"):
        await ask(sshd, script, 1)


async def test_an_output_of_any_bytes_becomes_a_line(sshd: Sshd) -> None:
    found = await ask(sshd, r"printf '\033[2J\000\377\nmore'; exit 1")
    assert "\x1b" not in found.detail
    assert "\0" not in found.detail
    assert "\n" not in found.detail


async def test_another_host_key_is_refused(sshd: Sshd) -> None:
    host: dict[str, Any] = {"address": sshd.address, "host_key": OTHER_KEY, "key": KEY}
    with pytest.raises(ProbeFailed, match="not the pinned one"):
        await ask(sshd, "true", **host)


async def test_a_host_that_is_not_there_yet_is_a_finding(sshd: Sshd) -> None:
    host: dict[str, Any] = {
        "address": "ssh://a@127.0.0.1:1",
        "host_key": sshd.host_key,
        "key": KEY,
    }
    assert not (await ask(sshd, "true", **host)).holds


async def test_beside_what_the_target_says(sshd: Sshd) -> None:
    """On a target of the kind `ssh` it needs a command, and no more."""
    subject = SshSubject(sshd)
    asked = Checks()
    check = {"kind": "ssh", "command": ["true"]}
    found = await asked.ask(subject.target(), [check], seconds=5)
    assert found.holds
    await asked.close()
    await subject.driver.close()
