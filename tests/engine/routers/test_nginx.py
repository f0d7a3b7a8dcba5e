"""nginx as a router: its file, its reloads, and answers that make no sense."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from deployctl.engine.effects import NotSent, OutcomeUnknown, ProbeFailed
from deployctl.engine.routers import start_file
from deployctl.engine.routers.base import RouterRef
from deployctl.engine.routers.nginx import NginxRouter
from deployctl.launch.processes import is_running
from tests.engine.routers.nginxes import NginxSubject
from tests.support.nginxes import Nginx

pytestmark = [pytest.mark.serial, pytest.mark.asyncio]

#: What a status address may say instead of a slot.
FAULTS = {
    "endless": [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65_536] * 10_000],
    "dripping": [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 10_000],
    "cut": [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ngre"],
    "deaf": [],
    "redirecting": [
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n"
        b"Content-Length: 0\r\n\r\n"
    ],
    "failing": [b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\ngreen"],
    "no http": [bytes(range(256))],
}


def slot(name: str) -> list[bytes]:
    """Return what nginx's status address answers."""
    return [f"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{name}\n".encode()]


class Says:
    """A status address: the first connection gets the first answer, and so on.

    The last answer is for all that come after. Parts are `pause_seconds` apart; an
    answer without any is none for ever.
    """

    def __init__(self, *answers: list[bytes], pause_seconds: float = 0) -> None:
        self._answers, self._pause = [*answers], pause_seconds
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/slot"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections, and let those that wait go."""
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            more = len(self._answers) > 1
            parts = self._answers.pop(0) if more else self._answers[0]
            given = [line, parts]
            threading.Thread(target=self._answer, args=given, daemon=True).start()

    def _answer(self, line: socket.socket, parts: list[bytes]) -> None:
        with line:
            line.recv(4096)
            try:
                for part in parts:
                    line.sendall(part)
                    if self._over.wait(self._pause):
                        return
            except OSError:
                return  # Nobody waits any more.
            if not parts:
                self._over.wait(60)


@pytest.fixture
def says(request: pytest.FixtureRequest) -> Iterator[Says]:
    pause = 0.05 if request.param == "dripping" else 0
    made = Says(FAULTS[request.param], pause_seconds=pause)
    yield made
    made.close()


@pytest_asyncio.fixture
async def subject(tmp_path: Path) -> AsyncIterator[NginxSubject]:
    made = NginxSubject(tmp_path)
    yield made
    await made.close()


def changed(router: RouterRef, **settings: object) -> RouterRef:
    """Return a router with other settings."""
    return RouterRef(
        router.id, router.name, router.slots, {**router.settings, **settings}
    )


def of(subject: NginxSubject, router: RouterRef) -> Nginx:
    """Return the nginx of a router."""
    return subject.nginxes[router.name]


async def test_the_file_keeps_its_owner_and_mode(subject: NginxSubject) -> None:
    router = subject.router()
    nginx = of(subject, router)
    nginx.file.chmod(0o640)
    assert (await subject.switch(router)).ok
    found = nginx.file.stat()
    assert found.st_uid == (nginx.user or os.geteuid())
    assert found.st_mode & 0o777 == 0o640
    assert [path.name for path in nginx.folder.glob(".*")] == []


async def test_an_answer_counts_when_no_other_one_comes(
    subject: NginxSubject,
) -> None:
    """Both sets of workers answer for 100 ms: a few answers in a row are not enough."""
    router = subject.router()
    says = Says(*[slot("green")] * 4, slot("blue"))
    before = of(subject, router).file.read_bytes()
    reading = await subject.read(changed(router, status=says.url))
    says.close()
    assert reading.serving == "blue"
    assert b'default "blue"' in of(subject, router).file.read_bytes() != before


async def test_workers_that_never_agree_change_no_file(subject: NginxSubject) -> None:
    router = subject.router()
    both = [slot("green"), slot("blue")]
    says = Says(*both * 400)
    before = of(subject, router).file.read_bytes()
    reading = await subject.read(changed(router, status=says.url), seconds=1.5)
    says.close()
    assert reading.serving == "green"
    assert "do not agree yet" in reading.detail
    assert of(subject, router).file.read_bytes() == before


async def test_a_switch_is_over_when_no_old_worker_answers(
    subject: NginxSubject,
) -> None:
    """A new worker's first answer is none: the old ones answer for 100 ms more."""
    router = subject.router()
    old = of(subject, router).workers()
    assert (await subject.switch(router)).ok
    assert not any(map(is_running, old))


async def test_a_file_that_fails_its_test_is_put_back(subject: NginxSubject) -> None:
    """Byte for byte, and nothing is reloaded; the reason is in the output."""
    router = subject.router("refusing")
    before = of(subject, router).file.read_bytes()
    workers = of(subject, router).workers()
    applied = await subject.switch(router)
    assert "failed nginx's test and was put back" in applied.error
    assert "no_such_directive" in applied.output
    assert of(subject, router).file.read_bytes() == before
    assert of(subject, router).workers() == workers


async def test_a_reload_that_is_killed_leaves_the_old_file(
    subject: NginxSubject,
) -> None:
    router = subject.router("slow")
    before = of(subject, router).file.read_bytes()
    with pytest.raises(OutcomeUnknown, match="was killed"):
        await subject.switch(router, seconds=subject.slow_seconds / 2)
    assert of(subject, router).file.read_bytes() == before


async def test_a_switch_that_is_given_up_leaves_the_old_file(
    subject: NginxSubject,
) -> None:
    router = subject.router("slow")
    before = of(subject, router).file.read_bytes()
    switching = asyncio.create_task(subject.switch(router))
    async with asyncio.timeout(subject.slow_seconds):
        # Nobody tells that a file was written.
        while of(subject, router).file.read_bytes() == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    switching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await switching
    assert of(subject, router).file.read_bytes() == before


async def test_a_file_that_is_not_what_is_served_is_brought_in_line(
    subject: NginxSubject,
) -> None:
    """A worker died between file and reload: no later reload may move traffic."""
    router = subject.router()
    of(subject, router).write("green")
    assert (await subject.read(router)).serving == "blue"
    assert 'default "blue"' in of(subject, router).file.read_text()
    subject.restart(router)
    assert (await subject.read(router)).serving == "blue"


async def test_who_moves_it_by_hand_is_kept(subject: NginxSubject) -> None:
    router = subject.router()
    subject.lead(router, "green")
    before = of(subject, router).file.read_bytes()
    assert (await subject.read(router)).serving == "green"
    assert of(subject, router).file.read_bytes() == before


async def test_a_file_that_is_not_there_stops_a_switch(subject: NginxSubject) -> None:
    router = subject.router()
    other = changed(router, file=str(of(subject, router).folder / "none"))
    with pytest.raises(NotSent, match="could not be read"):
        await subject.switch(other)
    reading = await subject.read(other)
    assert reading.serving == "blue"
    assert "a reload may lead elsewhere" in reading.detail
    assert subject.switches(router) == []


async def test_a_switch_waits_for_another_in_its_folder(subject: NginxSubject) -> None:
    router = subject.router()
    async with start_file.alone(of(subject, router).file, seconds=1):
        with pytest.raises(NotSent, match="somebody else is at work"):
            await subject.switch(router, seconds=0.3)
        waiting = asyncio.create_task(subject.switch(router))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert (await waiting).ok


async def test_one_that_is_stopped_is_sent_no_switch(subject: NginxSubject) -> None:
    router = subject.router()
    nginx = of(subject, router)
    pids = [*nginx.workers()]
    before = nginx.file.read_bytes()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(NotSent, match="could not be read before"):
            await subject.switch(router, seconds=0.5)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert nginx.file.read_bytes() == before


async def test_a_program_that_is_not_there_is_said_by_name(
    subject: NginxSubject,
) -> None:
    router = subject.router()
    before = of(subject, router).file.read_bytes()
    for name in ("test", "reload"):
        other = changed(router, **{name: ["/nowhere/nginx"]})
        with pytest.raises(NotSent, match="could not run /nowhere/nginx"):
            await subject.switch(other)
    assert of(subject, router).file.read_bytes() == before


@pytest.mark.parametrize("says", FAULTS, indirect=True)
async def test_an_answer_that_makes_no_sense(subject: NginxSubject, says: Says) -> None:
    """It ends in time, fills no memory, and nothing is written for it."""
    router = changed(subject.router(), status=says.url)
    before = of(subject, router).file.read_bytes()
    asked_at = asyncio.get_running_loop().time()
    with pytest.raises(ProbeFailed) as failed:
        await subject.read(router, seconds=1)
    assert asyncio.get_running_loop().time() - asked_at < 2
    assert len(str(failed.value)) < 1000
    assert "\0" not in str(failed.value)
    with pytest.raises(NotSent, match="could not be read before"):
        await subject.switch(router, seconds=1)
    assert of(subject, router).file.read_bytes() == before


async def test_a_slot_with_a_directive_in_it_is_not_written(
    subject: NginxSubject,
) -> None:
    router = subject.router()
    before = of(subject, router).file.read_bytes()
    slot = 'green"; } load_module "/tmp/x.so'
    with pytest.raises(NotSent, match="no name that a file can hold"):
        await subject.driver.switch(
            router, expected="blue", slot=slot, fence=1, seconds=5
        )
    assert of(subject, router).file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("file", "slot.conf", "absolute path"),
        ("file", "/run/a\0b", "absolute path"),
        ("variable", "$slot", "without its $"),
        ("variable", "slot { }", "without its $"),
        ("status", "http://169.254.169.254/latest", "never a target"),
        ("status", "file:///etc/passwd", "http://"),
        ("test", "nginx -t", "list of words"),
        ("reload", ["nginx", "-s", "reload"], "absolute path"),
    ],
)
async def test_a_setting_that_is_none(name: str, value: object, word: str) -> None:
    good = {"file": "/s", "variable": "slot", "status": "http://127.0.0.1:1/slot"}
    assert NginxRouter.problems(good) == {}
    assert word in NginxRouter.problems({**good, name: value})[name]
