"""Requests of a worker against real sockets: kept, cut, cancelled, closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deployctl.engine.http import Http, Lost
from deployctl.engine.reach import Reach
from deployctl.networks import networks
from tests.support.certificates import server_tls

pytestmark = pytest.mark.asyncio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers each request after a while, and counts connections and requests."""

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.wait_seconds = 0.0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                if b"Content-Length: " in head:
                    length = head.split(b"Content-Length: ")[1].split(b"\r\n")[0]
                    await reader.readexactly(int(length))
                await asyncio.sleep(self.wait_seconds)
                writer.write(ANSWER)
        except (EOFError, OSError, asyncio.CancelledError):
            pass  # The client hung up, or the test is over.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()
    await made.stop()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[Http]:
    made = Http()
    yield made
    made.close()


async def get(http: Http, server: Server, host: str = "127.0.0.1") -> tuple[int, bytes]:
    url = f"http://{host}:{server.port}/"
    return await http.request("GET", url, seconds=5, reach=Reach(), most_bytes=100)


async def post(http: Http, server: Server, body: bytes) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{server.port}/"
    return await http.request(
        "POST", url, seconds=5, reach=Reach(), most_bytes=100, body=body
    )


async def test_as_many_connections_as_run_at_once(http: Http, server: Server) -> None:
    server.wait_seconds = 0.02
    for _ in range(3):
        found = await asyncio.gather(*(get(http, server) for _ in range(40)))
        assert set(found) == {(200, b"ok")}
    assert len(server.heads) == 120
    assert server.connections == 40


async def test_a_name_is_resolved(http: Http, server: Server) -> None:
    assert await get(http, server, "localhost") == (200, b"ok")


async def test_nothing_of_a_request_is_in_the_next(http: Http, server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/one"
    token = {"Authorization": "Bearer canary"}
    await http.request(
        "POST",
        url,
        seconds=5,
        reach=Reach(),
        most_bytes=100,
        headers=token,
        body=b"{}" * 50_000,
    )
    await get(http, server)
    await post(http, server, b"")
    first, second, third = server.heads
    assert first.startswith(b"POST /one ")
    assert b"canary" in first
    assert second.startswith(b"GET / ")
    assert third.startswith(b"POST / ")
    assert b"canary" not in second + third
    assert b"Content-Length" not in second
    assert b"Content-Length: 0" in third


async def test_a_cancelled_one_disturbs_no_other(http: Http, server: Server) -> None:
    server.wait_seconds = 0.2
    running = [asyncio.create_task(get(http, server)) for _ in range(10)]
    await asyncio.sleep(0.1)
    for task in running[::2]:
        task.cancel()
    found = await asyncio.gather(*running, return_exceptions=True)
    assert {type(each) for each in found[::2]} == {asyncio.CancelledError}
    assert set(found[1::2]) == {(200, b"ok")}
    assert await get(http, server) == (200, b"ok")


async def test_closing_ends_what_is_under_way(server: Server) -> None:
    http = Http()
    server.wait_seconds = 30
    running = [asyncio.create_task(get(http, server)) for _ in range(3)]
    await asyncio.sleep(0.1)
    http.close()
    found = await asyncio.gather(*running, return_exceptions=True)
    assert {type(each) for each in found} == {asyncio.CancelledError}


@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_there_is_always_a_limit(
    http: Http, server: Server, seconds: float
) -> None:
    server.wait_seconds = 30
    url = f"http://127.0.0.1:{server.port}/"
    with pytest.raises(Lost, match="no answer in time"):
        await http.request("GET", url, seconds=seconds, reach=Reach(), most_bytes=100)


async def test_nobody_there_is_said(http: Http, server: Server) -> None:
    for url in ("http://127.0.0.1:1/", "http://nowhere.invalid/"):
        with pytest.raises(Lost) as lost:
            await http.request("GET", url, seconds=5, reach=Reach(), most_bytes=100)
        assert (lost.value.nobody, lost.value.sent) == (True, False)


async def test_only_http(http: Http, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    url = (tmp_path / "secret").as_uri()
    with pytest.raises(Lost):
        await http.request("GET", url, seconds=5, reach=Reach(), most_bytes=100)


async def test_a_certificate_that_nobody_signed_is_refused(
    http: Http, tmp_path: Path
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.close()

    listening = await asyncio.start_server(
        serve, "127.0.0.1", 0, ssl=server_tls(tmp_path)
    )
    url = f"https://localhost:{listening.sockets[0].getsockname()[1]}/"
    try:
        with pytest.raises(Lost, match="certificate") as lost:
            await http.request(
                "POST", url, seconds=5, reach=Reach(), most_bytes=100, body=b"{}"
            )
        assert not lost.value.sent
        assert asked in ([], [b""])
    finally:
        listening.close()


async def test_only_what_is_allowed_is_connected_to(http: Http, server: Server) -> None:
    """Not even over a connection that somebody else was allowed to open."""
    url = f"http://127.0.0.1:{server.port}/"
    elsewhere = Reach(allowed=networks(["10.0.0.0/8", "::1"]))
    here = Reach(allowed=networks(["127.0.0.0/8"]))

    async def get_as(reach: Reach) -> tuple[int, bytes]:
        return await http.request("GET", url, reach=reach, seconds=5, most_bytes=100)

    with pytest.raises(Lost, match=r"127\.0\.0\.1 is in no network") as lost:
        await get_as(elsewhere)
    assert (lost.value.sent, lost.value.nobody) == (False, False)
    assert (await get_as(here))[0] == 200
    with pytest.raises(Lost, match="in no network") as lost:
        await get_as(elsewhere)
    assert not lost.value.sent
    assert (await get_as(here))[0] == 200
    assert len(server.heads) == 2


async def test_a_refused_address_says_nothing_about_another_one(
    http: Http, server: Server
) -> None:
    """libcurl takes localhost for both; the one that may be used is connected to."""
    here = Reach(allowed=networks(["127.0.0.0/8"]))

    async def lost(port: int) -> Lost:
        with pytest.raises(Lost) as lost:
            await http.request(
                "GET",
                f"http://localhost:{port}/",
                reach=here,
                seconds=1,
                most_bytes=100,
            )
        return lost.value

    server.wait_seconds = 30
    silent = await lost(server.port)
    assert (str(silent), silent.sent, silent.nobody) == (
        "no answer in time",
        True,
        False,
    )
    gone = await lost(1)
    assert (gone.sent, gone.nobody, "no network" in str(gone)) == (False, True, False)
