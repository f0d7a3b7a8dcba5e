"""Sockets of the real server, spoken to byte by byte."""

from __future__ import annotations

import contextlib
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from deployctl.models import Deployment
from strategies.states import OperationState
from tests.live.pages import Hands, Page, started
from tests.live.raw import BINARY, TEXT, RawSocket, Refused
from tests.support import nursery
from tests.support.fleet import kill, until
from tests.support.ports import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]
S = OperationState


#: What the protocol forbids is dropped by daphne before we hear of it.
DROPPED = 1006


class Web:
    """A web process, a deployment, and the cookie of somebody who has signed in."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.open: list[RawSocket] = []
        self.port = free_port()
        quick = {"RECHECK": "0.5", "TICK": "0.05", "HEARTBEAT": "1"}
        more = {f"DEPLOYCTL_LIVE_{name}_SECONDS": n for name, n in quick.items()}
        with log.open("wb") as output:
            self.process = nursery.start(
                [nursery.MANAGE, "web", "--port", str(self.port)],
                env={**environment, **more},
                stdout=output,
                stderr=output,
            )
        until(self._answers, 30, "the web process answers")
        _, self.deployment = started(20)
        self.id = self.deployment.pk
        client = Client()
        client.force_login(User.objects.create_user("ivo"))
        self.cookie = f"sessionid={client.cookies['sessionid'].value}"

    def _answers(self) -> bool:
        asked = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            asked.request("GET", "/healthz")
            return asked.getresponse().status == 200
        except OSError:
            return False
        finally:
            asked.close()

    def join(self, *, path: str = "", **headers: str) -> RawSocket:
        """Open a socket of the deployment as it is now."""
        seq = Deployment.objects.get(pk=self.id).seq
        path = path or f"/ws/deployments/{self.id}/?since={seq}"
        made = RawSocket(self.port, path, **{"cookie": self.cookie, **headers})
        self.open.append(made)
        return made

    def end(self) -> None:
        """Hang up everywhere, and kill the process."""
        for each in self.open:
            each.close()
        kill(self.process)

    def said(self) -> str:
        """Return what the process has logged."""
        return self.log.read_text()


@pytest.fixture
def web(
    child_environment: dict[str, str], server_folder: Path, settings: Settings
) -> Iterator[Web]:
    settings.SECRET_KEY = (server_folder / "secret-key").read_text().strip()
    with tempfile.TemporaryDirectory() as folder:
        made = Web(child_environment, Path(folder) / "log")
        yield made
        made.end()
        assert "Traceback" not in made.said()


def test_frames_heartbeats_and_the_end_of_a_session(web: Web) -> None:
    page, listener = Page(web.id), web.join()
    hands = Hands(web.deployment)
    hands.flush(S.SUCCEEDED)
    frame = listener.hear()
    assert frame["kind"] == "state"
    page.hear(frame)
    page.check()
    assert page.fetched == 0
    beat = listener.hear()
    assert (beat["kind"], beat["seq"]) == ("hb", page.seq)
    Session.objects.all().delete()
    assert listener.ended() == 4401


def test_whoever_may_not_listen_is_told_by_code_or_refused(web: Web) -> None:
    assert web.join(cookie="").ended() == 4401
    assert web.join(path="/ws/deployments/999999/").ended() == 4403
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": f"https://127.0.0.1:{web.port}"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": ""},
        {"host": "evil.example", "origin": "http://evil.example"},
    ):
        with pytest.raises(Refused, match="403"):
            web.join(**headers)
    with pytest.raises(Refused, match="403"):
        web.join(path="/ws/nothing")


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (lambda s: s.send(TEXT, b'{"type": "pause"}'), 4003),
        (lambda s: s.send(TEXT, b"[" * 100_000), 4003),
        (lambda s: s.send(BINARY, b"\x00\xff"), 4003),
        (lambda s: s.send(TEXT, b""), 4003),
        (lambda s: s.send(TEXT, b"\xff\xfe"), DROPPED),
        (lambda s: s.send(TEXT, b"x" * 1_100_000), DROPPED),
        (lambda s: s.send(7, b"no such kind"), DROPPED),
    ],
)
def test_whoever_speaks_is_cut_off(
    web: Web, say: Callable[[RawSocket], None], code: int
) -> None:
    other, listener = web.join(), web.join()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        say(listener)
    assert listener.ended() == code
    Hands(web.deployment).flush(S.SUCCEEDED)
    assert other.hear()["kind"] == "state", "another one goes on"


def test_a_stopping_server_says_so_to_every_page(web: Web) -> None:
    listeners = [web.join() for _ in range(3)]
    Hands(web.deployment).flush(S.SUCCEEDED)
    for listener in listeners:
        assert listener.hear()["kind"] == "state"
    # While it still has an answered request on its list, daphne trips over that and
    # drops every socket without a word; a page comes back after either.
    time.sleep(2.5)
    web.process.send_signal(signal.SIGTERM)
    assert [listener.ended() for listener in listeners] == [4012] * 3
    assert web.process.wait(15) in (0, -signal.SIGTERM)


def test_a_reader_that_stops_reading_delays_nobody(web: Web) -> None:
    stuck, quick = web.join(), web.join()
    stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    page, hands = Page(web.id), Hands(web.deployment)
    while page.grid.count("s") < 20:
        hands.flush(S.SUCCEEDED)
        page.hear(quick.hear())
    page.catch_up(page.seq)
    page.check()
