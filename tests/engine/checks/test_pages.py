"""The checks `http` and `tcp` against servers that refuse, hang, flood and stray."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from deployctl.engine.checks import Checks
from deployctl.engine.checks.base import Finding
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.effects import ProbeFailed
from tests.support.certificates import server_tls
from tests.support.hostile import (
    Handler,
    Serve,
    cuts,
    cuts_in_the_body,
    drips,
    endless_head,
    floods,
    hangs,
    hostile,
    says,
)

__all__ = ["hostile"]  # A fixture.
pytestmark = [pytest.mark.asyncio, pytest.mark.serial]

TARGET = TargetRef("1", "one", "")


async def ask(seconds: float = 0.5, **check: Any) -> Finding:
    asked = Checks()
    try:
        return await asked.ask(TARGET, [check], seconds=seconds)
    finally:
        await asked.close()


async def asked_of(
    hostile: Serve, handler: Handler, path: str = "/health?x=1", **more: Any
) -> Finding:
    page = await hostile(handler)
    return await ask(kind="http", url=page.target.address + path, **more)


@pytest.mark.parametrize(
    ("status", "holds"), [("200 OK", True), ("204 No", True), ("503 No", False)]
)
async def test_the_status_decides(hostile: Serve, status: str, holds: bool) -> None:
    found = await asked_of(hostile, says(status, b"\x1b[1mhello\x00"))
    assert found.holds is holds
    assert found.detail.startswith(f"check 1 (http): HTTP {status.split()[0]}")
    assert "\x1b" not in found.detail
    assert "\0" not in found.detail


async def test_a_redirect_is_not_followed(hostile: Serve) -> None:
    goal = await hostile(says("200 OK", b"ok"))
    away = says("302 Found", b"", f"Location: {goal.target.address}/")
    assert not (await asked_of(hostile, away)).holds
    assert goal.asked == []
    assert (await asked_of(hostile, away, status=[302])).holds


async def test_other_statuses_may_be_expected(hostile: Serve) -> None:
    page = says("401 Who", b"")
    assert (await asked_of(hostile, page, status=[200, 401])).holds
    assert not (await asked_of(hostile, says("200 OK", b""), status=[204])).holds


async def test_a_text_may_be_expected(hostile: Serve) -> None:
    page = says("200 OK", b'{"ready": true}')
    assert (await asked_of(hostile, page, contains='"ready": true')).holds
    found = await asked_of(hostile, page, contains='"ready": 1')
    assert not found.holds
    assert "does not contain" in found.detail


async def test_nobody_there_is_a_finding() -> None:
    """It starts: the check works, and has found that the target is not there yet."""
    wanted: tuple[dict[str, Any], ...] = (
        {"kind": "http", "url": "http://127.0.0.1:1/"},
        {"kind": "tcp", "address": "127.0.0.1:1"},
    )
    for check in wanted:
        found = await ask(**check)
        assert not found.holds
        assert "127.0.0.1:1" in found.detail


@pytest.mark.parametrize(
    "handler", [hangs, cuts, cuts_in_the_body, drips, floods, endless_head]
)
async def test_no_answer_that_makes_sense_is_an_error(
    hostile: Serve, handler: Handler
) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(ProbeFailed, match=r"check 1 \(http\)"):
        await asked_of(hostile, handler)
    assert asyncio.get_running_loop().time() - began < 5


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    tls = server_tls(tmp_path)
    server = await asyncio.start_server(never, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ProbeFailed, match="certificate"):
        await ask(5, kind="http", url=f"https://localhost:{port}/")
    server.close()


async def test_a_port_that_accepts_holds(hostile: Serve) -> None:
    page = await hostile(hangs)
    assert (await ask(kind="tcp", address=f"127.0.0.1:{page.port}")).holds
    assert (await ask(kind="tcp", address=f"localhost:{page.port}")).holds


async def test_an_address_of_version_6() -> None:
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "::1", 0, family=socket.AF_INET6
    )
    port = server.sockets[0].getsockname()[1]
    assert (await ask(kind="tcp", address=f"[::1]:{port}")).holds
    server.close()


@pytest.mark.parametrize("place", ["169.254.169.254:80", "[::ffff:169.254.169.254]:80"])
async def test_metadata_services_are_never_connected_to(place: str) -> None:
    with pytest.raises(ProbeFailed, match="never a target"):
        await ask(kind="tcp", address=place)


async def test_a_name_that_nobody_has_is_a_finding() -> None:
    assert not (await ask(5, kind="tcp", address="nobody.invalid:80")).holds
