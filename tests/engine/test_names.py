"""Names that can be none, asked for by all that connect by a name of their own."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import replace
from typing import Any

import asyncssh
import pytest

from deployctl.engine import names
from deployctl.engine.checks.tcp import TcpCheck
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.effects import NotSent
from deployctl.engine.reach import Reach
from deployctl.engine.routers import runtime_api
from deployctl.engine.ssh import Host, Lost, opening

pytestmark = pytest.mark.asyncio
NONE = ("a..b", "x" * 64 + ".test", "no-such-name.invalid")


@pytest.mark.parametrize("name", NONE)
async def test_a_name_that_can_be_none_has_no_address(name: str) -> None:
    with pytest.raises(OSError, match=r".+"):
        await names.places(name, 80)


@pytest.mark.parametrize("name", NONE)
async def test_nothing_is_sent_to_it(name: str) -> None:
    """It is said, and is no fault of the worker that would leave a doubt."""
    with pytest.raises(NotSent, match="no connection to"):
        await runtime_api.asked(f"{name}:80", "x", reach=Reach(), seconds=5)
    line = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    host = Host("me", "127.0.0.1", 22, line.strip(), password="p")
    with pytest.raises(Lost, match="could not be reached") as lost:
        await opening.opened(replace(host, name=name), "secret", Reach())
    assert not lost.value.sent
    found = await TcpCheck().ask(
        TargetRef("1", "one", ""), {"address": f"{name}:80"}, seconds=5
    )
    assert "has no address" in found.detail


async def test_names_that_are_slow_hold_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, resolved = socket.getaddrinfo, threading.Event()

    def slow(name: str, *more: Any, **options: Any) -> Any:
        if name.endswith(".test") and not options["flags"]:
            resolved.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real(name, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    waiting = [
        asyncio.create_task(names.places(f"n{number}.test", 80)) for number in range(99)
    ]
    try:
        async with asyncio.timeout(5):
            assert await names.places("localhost", 80)
            assert await names.places("127.0.0.1", 80)
            await asyncio.to_thread(int)  # What others do beside the loop goes on, too.
        assert not any(task.done() for task in waiting)
    finally:
        resolved.set()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_address_is_its_own() -> None:
    assert [place[4] for place in await names.places("127.0.0.1", 80)] == [
        ("127.0.0.1", 80)
    ]
