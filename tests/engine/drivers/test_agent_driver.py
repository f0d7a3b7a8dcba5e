"""The agent driver against targets that hang, flood, lie, cut and point elsewhere."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployctl.engine.drivers.agent import MAX_ANSWER_BYTES, AgentDriver
from deployctl.engine.drivers.base import (
    Applied,
    NotSent,
    OutcomeUnknown,
    ProbeFailed,
    StaleFence,
    TargetRef,
)
from deployctl.engine.reach import Reach
from tests.engine.drivers.agents import Agents
from tests.support.hostile import (
    Serve,
    answers,
    cuts,
    cuts_in_the_body,
    drips,
    endless_head,
    floods,
    hangs,
    hostile,
    says,
)
from tests.support.ports import free_port

__all__ = ["hostile"]  # A fixture.

pytestmark = [pytest.mark.asyncio, pytest.mark.serial]

SECONDS = 0.4


@pytest_asyncio.fixture
async def driver() -> AsyncIterator[AgentDriver]:
    made = AgentDriver()
    yield made
    await made.close()


async def apply(
    driver: AgentDriver, target: TargetRef, seconds: float = SECONDS
) -> Applied:
    return await driver.apply(target, version="2.0", fence=5, seconds=seconds)


# Good when it is unpacked: nobody may unpack it.
BOMB = gzip.compress(b'{"ok": true, "version": "2.0", "fence": 5}')

NONSENSE = {
    "hangs": hangs,
    "cuts": cuts,
    "cuts_in_the_body": cuts_in_the_body,
    "drips": drips,
    "floods": floods,
    "endless_head": endless_head,
    "not_http": says("nonsense", b""),
    "not_json": says("200 OK", b"<html>"),
    "not_an_object": says("200 OK", b"[]"),
    "deep": says("200 OK", b"[" * 200_000),
    "no_answer_in_it": says("200 OK", b"{}"),
    "gzip": says("200 OK", BOMB, "Content-Encoding: gzip"),
    "redirect": says("302 Found", b"", "Location: http://127.0.0.1:1/"),
    "error": says("500 Oh", b'{"error": "internal", "message": "x"}'),
    "no_agent": says("404 Not Found", b"nothing here"),
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_no_answer_that_makes_sense(
    driver: AgentDriver, hostile: Serve, name: str
) -> None:
    server = await hostile(NONSENSE[name])
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        await apply(driver, server.target)
    assert len(server.asked) == 1
    with pytest.raises(ProbeFailed):
        await driver.probe(server.target, fence=6, seconds=SECONDS)
    assert time.monotonic() - began < 2 * SECONDS + 1


async def test_a_flood_does_not_fill_the_memory(
    driver: AgentDriver, hostile: Serve
) -> None:
    server = await hostile(floods)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(OutcomeUnknown, match=str(MAX_ANSWER_BYTES)):
        await apply(driver, server.target, 20)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 50 * 1024


async def test_a_cut_connection_is_not_tried_again(
    driver: AgentDriver, hostile: Serve
) -> None:
    kept = answers(ok=True, version="2.0", fence=5)
    server = await hostile(kept)
    await apply(driver, server.target)
    server.handler = cuts
    with pytest.raises(OutcomeUnknown):
        await apply(driver, server.target)
    assert len(server.asked) == 2


async def test_nobody_listens(driver: AgentDriver) -> None:
    target = TargetRef("1", "one", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NotSent):
        await apply(driver, target)
    with pytest.raises(ProbeFailed):
        await driver.probe(target, fence=None, seconds=1)


async def test_a_connection_that_never_comes_was_not_sent(driver: AgentDriver) -> None:
    # A full backlog: the system answers no more handshakes, as a lost route would.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        await asyncio.sleep(0.05)
        target = TargetRef("1", "one", f"http://127.0.0.1:{address[1]}")
        with pytest.raises(NotSent):
            await apply(driver, target)
        for each in waiting:
            each.close()


async def test_a_failed_handshake_was_not_sent(
    driver: AgentDriver, hostile: Serve
) -> None:
    server = await hostile(hangs)
    target = TargetRef("1", "one", f"https://127.0.0.1:{server.port}")
    with pytest.raises(NotSent):
        await apply(driver, target)
    assert server.asked == []


async def test_a_redirect_is_not_followed(driver: AgentDriver, hostile: Serve) -> None:
    other = await hostile(answers(version="1", healthy=True))
    location = f"Location: {other.target.address}/v1/state"
    for status in ("301 X", "302 X", "307 X", "308 X"):
        server = await hostile(says(status, b"{}", location))
        with pytest.raises(OutcomeUnknown):
            await apply(driver, server.target)
        with pytest.raises(ProbeFailed):
            await driver.probe(server.target, fence=None, seconds=1)
    assert other.asked == []


async def test_a_proxy_in_the_environment_is_not_used(
    driver: AgentDriver, hostile: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await hostile(hangs)
    server = await hostile(answers(ok=True, version="2.0", fence=5))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.target.address)
    assert (await apply(driver, server.target)).ok
    assert proxy.asked == []


FILTH = "\x00\x1b[31m\ud800<script>alert(1)</script>\x07\u202e" + "ü" * 300_000


async def test_filth_is_cleaned_and_bounded(
    driver: AgentDriver, hostile: Serve
) -> None:
    body = {"ok": False, "version": "2.0", "fence": 5, "error": FILTH}
    short = {"error": FILTH[:2000], "output": FILTH[:150_000]}
    raw = json.dumps({**body, **short})
    server = await hostile(says("200 OK", raw.encode()))
    applied = await apply(driver, server.target, 5)
    assert applied.output.startswith("<script>alert(1)</script>ü")
    assert "characters cut" in applied.output
    assert len(applied.error) <= 500
    (applied.error + applied.output).encode()


async def test_bytes_that_are_no_text(driver: AgentDriver, hostile: Serve) -> None:
    raw = b'{"ok": true, "version": "2.0", "fence": 5, "output": "\xff\xfe"}'
    server = await hostile(says("200 OK", raw))
    with pytest.raises(OutcomeUnknown):
        await apply(driver, server.target)


@pytest.mark.parametrize(
    "body",
    [
        {"ok": True, "version": "2.0", "fence": 4},
        {"ok": True, "version": "1.0", "fence": 5},
        {"ok": "yes", "version": "2.0", "fence": 5},
        {"ok": True},
    ],
)
async def test_an_answer_about_something_else(
    driver: AgentDriver, hostile: Serve, body: dict[str, Any]
) -> None:
    server = await hostile(answers(**body))
    with pytest.raises(OutcomeUnknown):
        await apply(driver, server.target)


@pytest.mark.parametrize(
    "body",
    [
        {"version": "1.0"},
        {"version": 1, "healthy": True},
        {"version": "", "healthy": True},
        {"version": "1.0", "healthy": "yes"},
    ],
)
async def test_a_state_that_makes_no_sense(
    driver: AgentDriver, hostile: Serve, body: dict[str, Any]
) -> None:
    server = await hostile(answers(**body))
    with pytest.raises(ProbeFailed):
        await driver.probe(server.target, fence=None, seconds=1)


@pytest.mark.parametrize(
    "error", ["busy", "fence_reused", "invalid", "token", "not_found", "too_large"]
)
async def test_a_refusal_has_changed_nothing(
    driver: AgentDriver, hostile: Serve, error: str
) -> None:
    server = await hostile(answers(409, error=error, message="no"))
    assert await apply(driver, server.target) == Applied(ok=False, error="no")


@pytest.mark.parametrize("error", ["interrupted", "storage", "internal", ""])
async def test_what_the_agent_does_not_know_we_do_not_know(
    driver: AgentDriver, hostile: Serve, error: str
) -> None:
    server = await hostile(answers(409, error=error, message="who knows"))
    with pytest.raises(OutcomeUnknown, match="who knows"):
        await apply(driver, server.target)


async def test_stale_says_what_was_heard(driver: AgentDriver, hostile: Serve) -> None:
    server = await hostile(answers(409, error="stale", message="no", fence=9))
    with pytest.raises(StaleFence) as refused:
        await apply(driver, server.target)
    assert refused.value.heard == 9


async def test_being_cancelled_is_passed_on(
    driver: AgentDriver, hostile: Serve
) -> None:
    server = await hostile(hangs)
    running = asyncio.create_task(apply(driver, server.target, 30))
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_token_is_named_and_never_told(
    driver: AgentDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").write_text("canary-1\n")
    monkeypatch.setenv("DEPLOYCTL_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("DEPLOYCTL_SECRET_WRONG_ONE", "canary-2")
    agents = Agents(tmp_path, {"token_file": str(tmp_path / "demo")}).start()
    try:
        right, wrong, unknown = (
            TargetRef("1", "one", agents.url(), {"token": name})
            for name in ("demo", "wrong-one", "nobody-has-this")
        )
        assert (await apply(driver, right, 5)).ok
        refused = await apply(driver, wrong, 5)
        assert not refused.ok
        assert "canary" not in refused.error
        with pytest.raises(ProbeFailed, match="bearer token"):
            await driver.probe(wrong, fence=None, seconds=5)
        with pytest.raises(NotSent, match="nobody-has-this"):
            await apply(driver, unknown, 5)
        with pytest.raises(NotSent):
            await apply(driver, TargetRef("1", "", agents.url(), {"token": 5}))
    finally:
        agents.stop()


@pytest.mark.parametrize("value", ["pässwort", "two\nlines", "a\u2028b"])
async def test_what_a_header_cannot_hold_is_no_token(
    driver: AgentDriver, value: str
) -> None:
    reach = Reach({"token": value})
    target = TargetRef("1", "one", "http://127.0.0.1:9", {"token": "token"}, reach)
    with pytest.raises(NotSent, match="the secret token is no token") as refused:
        await apply(driver, target)
    assert value not in str(refused.value)


async def test_an_agent_that_restarts_is_found_again(
    driver: AgentDriver, tmp_path: Path
) -> None:
    agents = Agents(tmp_path, {}).start()
    try:
        target = TargetRef("1", "one", agents.url())
        assert (await apply(driver, target, 5)).ok
        agents.kill()
        agents.start()
        # The kept connection is dead; reading may be tried again, and is.
        probe = await driver.probe(target, fence=6, seconds=5)
        assert (probe.version, probe.healthy) == ("2.0", True)
    finally:
        agents.stop()
