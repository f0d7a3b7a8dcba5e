"""Connections are kept, shared, bounded, and opened anew when the host has cut them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from deployctl.engine.reach import Reach
from deployctl.engine.ssh import Connections, Host, Lost, kept
from tests.support.sshd import KEY, Sshd

pytestmark = [pytest.mark.asyncio, pytest.mark.serial]


@pytest_asyncio.fixture
async def connections(sshd: Sshd) -> AsyncIterator[Connections]:
    (sshd.folder / "said").write_text("")
    made = Connections()
    yield made
    await made.close()
    assert sshd.is_quiet()


def host(sshd: Sshd, name: str = "127.0.0.1", **more: Any) -> Host:
    return Host(sshd.user, name, sshd.port, sshd.host_key, key=KEY, **more)


def accepted(sshd: Sshd) -> int:
    return sshd.said().count("Accepted publickey")


async def said(
    connections: Connections, host: Host, command: str, reach: Reach | None = None
) -> str:
    ended = await connections.run(
        host, f"head -n 1; {command}", b"hello\n", reach=reach or Reach(), seconds=20
    )
    return ended.out.text()


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_connection_for_all_that_is_asked(
    connections: Connections, sshd: Sshd
) -> None:
    """More at once than sshd allows on one: they wait for each other."""
    asked = (said(connections, host(sshd), "sleep 0.1") for _ in range(12))
    assert await asyncio.gather(*asked) == ["hello\n"] * 12
    assert await said(connections, host(sshd), "true") == "hello\n"
    assert accepted(sshd) == 1


async def test_a_kept_one_that_was_cut_is_opened_anew(
    connections: Connections, sshd: Sshd
) -> None:
    await said(connections, host(sshd), "true")
    sshd.cut()
    assert await said(connections, host(sshd), "true") == "hello\n"
    assert accepted(sshd) == 2


async def test_a_kept_one_that_is_silent_is_given_up(
    connections: Connections, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that swallows: nothing was sent, so it is safe to ask elsewhere."""
    monkeypatch.setattr(kept, "DEAD_SECONDS", 0.3)
    await said(connections, host(sshd), "true")
    asleep = sshd.sessions()
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert await said(connections, host(sshd), "true") == "hello\n"
    finally:
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    assert accepted(sshd) == 2


async def test_a_command_that_may_have_been_sent_is_not_sent_again(
    connections: Connections, sshd: Sshd
) -> None:
    ran = sshd.folder / "ran"
    await said(connections, host(sshd), "true")
    cut = f"echo ran >>{ran}; kill -9 $PPID; sleep 1"
    with pytest.raises(Lost) as lost:
        await connections.run(host(sshd), cut, b"x\n", reach=Reach(), seconds=5)
    assert lost.value.sent
    await asyncio.sleep(0.1)
    assert ran.read_text() == "ran\n"


async def test_the_longest_idle_goes_when_there_are_too_many(
    connections: Connections, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 1)
    await said(connections, host(sshd), "true")
    await said(connections, host(sshd, "localhost"), "true")
    await said(connections, host(sshd), "true")
    assert accepted(sshd) == 3


async def test_an_idle_one_is_closed(
    connections: Connections, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "IDLE_SECONDS", 0.1)
    await said(connections, host(sshd), "true")
    await until(lambda: not sshd.sessions())


async def test_who_is_cancelled_while_it_opens_leaves_it_to_others(
    connections: Connections, sshd: Sshd
) -> None:
    first = asyncio.create_task(said(connections, host(sshd), "true"))
    second = asyncio.create_task(said(connections, host(sshd), "true"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "hello\n"
    assert accepted(sshd) == 1


async def test_a_kept_one_is_no_way_around_what_is_allowed(
    connections: Connections, sshd: Sshd
) -> None:
    """Opened for an environment that may; another one, or the same later, may not."""
    await said(connections, host(sshd), "true")
    narrow = Reach(allowed=[ip_network("10.0.0.0/8")])
    with pytest.raises(Lost, match="no network that this environment allows") as lost:
        await said(connections, host(sshd), "true", narrow)
    assert not lost.value.sent
    assert await said(connections, host(sshd), "true") == "hello\n"
    assert accepted(sshd) == 1


async def test_a_kept_one_is_for_the_same_secret_only(
    connections: Connections, sshd: Sshd
) -> None:
    """The name is the same in each environment, and its value is not."""
    await said(connections, host(sshd), "true")
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(Lost, match="did not let in"):
        await said(connections, host(sshd), "true", Reach({KEY: other}))


async def test_closing_leaves_nothing(sshd: Sshd) -> None:
    made = Connections()
    running = asyncio.create_task(
        made.run(host(sshd), "cat", b"x\n", reach=Reach(), seconds=60)
    )
    await until(sshd.running)
    await made.close()
    with pytest.raises(Lost):
        await running
    assert sshd.is_quiet()
    await until(lambda: not sshd.sessions())
