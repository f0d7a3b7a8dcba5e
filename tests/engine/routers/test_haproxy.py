"""HAProxy as a router: its file, its restarts, and answers that make no sense."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.routers import start_file
from deployctl.engine.routers.base import RouterRef
from deployctl.engine.routers.haproxy import HaproxyRouter
from tests.engine.routers import kit
from tests.engine.routers.haproxies import HaproxySubject
from tests.support.ports import free_ports

pytestmark = [pytest.mark.serial, pytest.mark.asyncio]


@pytest_asyncio.fixture
async def subject(tmp_path: Path) -> AsyncIterator[HaproxySubject]:
    made = HaproxySubject(tmp_path)
    yield made
    await made.close()


def changed(router: RouterRef, **settings: object) -> RouterRef:
    """Return a router with other settings; None takes one away."""
    given = {**router.settings, **settings}
    kept = {name: value for name, value in given.items() if value is not None}
    return RouterRef(router.id, router.name, router.slots, kept)


async def test_the_file_keeps_what_others_wrote_there(subject: HaproxySubject) -> None:
    router = subject.router()
    before = subject.haproxy.map.read_text()
    assert (await subject.switch(router)).ok
    after = before.replace(f"{router.name} blue", f"{router.name} green")
    assert subject.haproxy.map.read_text() == after
    found = subject.haproxy.map.stat()
    assert found.st_uid == (subject.haproxy.user or os.geteuid())
    assert [path.name for path in subject.haproxy.folder.glob(".*")] == []


async def test_who_moves_it_by_hand_is_kept_too(subject: HaproxySubject) -> None:
    """The file follows what is served, whoever changed that; so does a restart."""
    router = subject.router()
    subject.lead(router, "green")
    assert (await subject.read(router)).serving == "green"
    subject.restart(router)
    assert (await subject.read(router)).serving == "green"


async def test_a_lost_answer_is_settled_by_reading_and_kept(
    subject: HaproxySubject,
) -> None:
    """It was done and nobody heard: the file is written by whoever reads it next."""
    router = subject.router("mute")
    with pytest.raises(OutcomeUnknown):
        await subject.switch(router, seconds=0.5)
    assert f"{router.name} blue" in subject.haproxy.map.read_text()
    assert (await subject.read(router)).serving == "green"
    assert f"{router.name} green" in subject.haproxy.map.read_text()


async def test_without_a_file_it_is_switched_and_forgotten(
    subject: HaproxySubject,
) -> None:
    router = changed(subject.router(), map_file=None)
    assert (await subject.switch(router)).ok
    assert (await subject.read(router)).serving == "green"
    subject.restart(router)
    assert (await subject.read(router)).serving == "blue"


async def test_a_file_that_cannot_be_written_stops_a_switch(
    subject: HaproxySubject, tmp_path: Path
) -> None:
    """Else a restart would lead traffic back, long after the switch was believed."""
    missing = str(tmp_path / "none.map")
    router = changed(subject.router(), map_file=missing)
    with pytest.raises(NotSent, match="could not be read"):
        await subject.switch(router)
    reading = await subject.read(router)
    assert reading.serving == "blue"
    assert "a restart may lead elsewhere" in reading.detail
    assert subject.switches(router) == []


async def test_a_file_that_cannot_be_replaced_is_said_and_no_failure(
    subject: HaproxySubject, tmp_path: Path
) -> None:
    """As one that is mounted by itself into a container: what is served counts."""
    file = tmp_path / "other" / "mounted.map"
    file.parent.mkdir()
    file.write_text("")
    router = changed(subject.router(), map_file=str(file))
    async with start_file.alone(file, seconds=1):
        waiting = asyncio.create_task(subject.switch(router))
        await asyncio.sleep(0.2)
        process = subject.haproxy.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
    try:
        beside = file.with_name(".mounted.map.deployctl")
        while not beside.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        file.unlink()
        file.mkdir()
    finally:
        process.send_signal(signal.SIGCONT)
    with pytest.raises(OutcomeUnknown, match=r"switched, but .* could not be replaced"):
        await waiting
    reading = await subject.read(router)
    assert reading.serving == "green"
    assert "a restart may lead elsewhere" in reading.detail
    assert not beside.exists()


async def test_a_switch_waits_for_another_in_its_folder(
    subject: HaproxySubject,
) -> None:
    router = subject.router()
    async with start_file.alone(subject.haproxy.map, seconds=1):
        with pytest.raises(NotSent, match="somebody else is at work"):
            await subject.switch(router, seconds=0.3)
        waiting = asyncio.create_task(subject.switch(router))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert (await waiting).ok


async def test_two_keys_of_one_file_switched_together_are_both_kept(
    subject: HaproxySubject,
) -> None:
    routers = [subject.router() for _ in range(8)]
    done = await asyncio.gather(*[subject.switch(each) for each in routers])
    assert all(each.ok for each in done)
    text = subject.haproxy.map.read_text()
    assert all(f"{each.name} green\n" in text for each in routers)


@pytest.mark.parametrize("fault", ["endless", "dripping", "binary", "cut", "deaf"])
async def test_an_answer_that_makes_no_sense(
    subject: HaproxySubject, fault: str
) -> None:
    """It ends in time, fills no memory, and says nothing of what is served."""
    router = subject.router(fault)
    asked_at = asyncio.get_running_loop().time()
    with pytest.raises(ProbeFailed) as failed:
        await subject.read(router, seconds=1)
    assert asyncio.get_running_loop().time() - asked_at < 2
    assert len(str(failed.value)) < 1000
    assert "\0" not in str(failed.value)
    with pytest.raises(NotSent, match="could not be read before"):
        await subject.switch(router, seconds=1)


async def test_one_that_is_stopped_is_sent_no_switch(subject: HaproxySubject) -> None:
    """It is read first, so that nothing waits there to be done when it goes on."""
    router = changed(subject.router(), address=subject.haproxy.socket, map_file=None)
    process = subject.haproxy.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(NotSent):
            await subject.switch(router, seconds=0.5)
    finally:
        process.send_signal(signal.SIGCONT)
    await asyncio.sleep(0.2)
    assert (await subject.read(router)).serving == "blue"


async def test_one_that_is_killed_is_said_and_nothing_is_sent(
    subject: HaproxySubject,
) -> None:
    router = changed(subject.router(), address=subject.haproxy.socket)
    subject.haproxy.stop(signal.SIGKILL)
    with pytest.raises(NotSent, match="no connection"):
        await subject.switch(router)
    subject.haproxy.start()
    assert (await subject.switch(router)).ok


async def test_a_key_that_is_not_there_says_what_to_do(subject: HaproxySubject) -> None:
    router = changed(subject.router(), key="nobody", map_file=None)
    with pytest.raises(ProbeFailed, match="Add a line 'nobody <slot>' to the map"):
        await subject.read(router)


async def test_a_slot_with_a_command_in_it_is_not_sent(subject: HaproxySubject) -> None:
    router = subject.router()
    slot = f"green; set map {subject.haproxy.map} {subject.haproxy.key} green"
    with pytest.raises(NotSent, match="no name that a map can hold"):
        await subject.driver.switch(
            router, expected="blue", slot=slot, fence=1, seconds=5
        )
    assert subject.haproxy.serves() == "blue"


async def test_it_is_asked_over_tcp_too(subject: HaproxySubject) -> None:
    (port,) = free_ports(1)
    config = subject.haproxy.config
    more = f"global\n    stats socket ipv4@127.0.0.1:{port} level admin\n"
    config.write_text(config.read_text().replace("global\n", more, 1))
    router = changed(subject.router(), address=f"localhost:{port}")
    subject.restart(router)
    assert (await subject.switch(router)).ok
    assert subject.haproxy.serves(router.name) == "green"


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("", "is needed"),
        ("haproxy", "host:port"),
        ("host:0", "host:port"),
        ("host:70000", "host:port"),
        ("169.254.169.254:80", "never a target"),
        ("host:80;x", "host:port"),
        ("/run/a\0b", "NUL"),
    ],
)
async def test_an_address_that_is_none(address: str, word: str) -> None:
    good = {"map": "/m", "key": "k"}
    found = HaproxyRouter.problems({**good, "address": address})
    assert word in found["address"]
    assert HaproxyRouter.problems({**good, "address": "[::1]:9999"}) == {}


async def test_a_name_with_a_refused_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def resolved(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    settings = {"address": "metadata:80", "map": "/m", "key": "k"}
    router = RouterRef("1", "one", kit.SLOTS, settings)
    with pytest.raises(ProbeFailed, match="never a target"):
        await HaproxyRouter().read(router, fence=None, seconds=2)
