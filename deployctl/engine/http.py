"""HTTP requests of a worker: many at once over kept connections, by libcurl.

It knows no target and no meaning of an answer; what it does not follow, use or believe
is a redirect, a proxy of the environment, a packed body and an endless one.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pycurl

from deployctl.engine.reach import Reach, Refused

#: A kept connection is closed after this; below the agent's 75 s, so that it is we who
#: close it.
KEEP_SECONDS = 30
#: So many connections are kept: one for each target of a large fleet.
MOST_KEPT = 20_000
_ALWAYS = ("User-Agent: deployctl", "Accept:", "Accept-Encoding: identity", "Expect:")
_NOBODY = (pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST)
_WATCHED = {pycurl.POLL_IN: 1, pycurl.POLL_OUT: 2, pycurl.POLL_INOUT: 3}


class Lost(Exception):
    """No whole answer came.

    Attributes:
        sent: whether a part of the request had been written: it may have been acted on.
        nobody: whether there was nobody to connect to.
    """

    def __init__(self, message: str, *, sent: bool, nobody: bool = False) -> None:
        self.sent, self.nobody = sent, nobody
        super().__init__(message)


class _Socket(socket.socket):
    """What libcurl copies for itself: closed without a word when it is let go."""

    def __del__(self) -> None:
        self.close()


@dataclass
class _Call:
    """One request under way, and what has come of its answer."""

    answered: asyncio.Future[tuple[int, bytes]]
    most_bytes: int
    reach: Reach
    body: bytearray = field(default_factory=bytearray)
    #: Why we ended it ourselves, or would not begin.
    refused: str = ""
    #: Whether an address of the name might be used: then that one's fate is told.
    tried: bool = False

    def take(self, data: bytes) -> int | None:
        if len(self.body) + len(data) > self.most_bytes:
            self.refused = f"an answer of over {self.most_bytes} bytes"
            return 0
        self.body += data
        return None

    def open(self, purpose: int, place: Any) -> socket.socket | int:
        """Connect to checked addresses only, whatever a name resolves to."""
        if not self._may(place.addr[0]):
            if self.tried:
                self.refused = ""
            return pycurl.SOCKET_BAD
        self.tried, self.refused = True, ""
        return _Socket(place.family, place.socktype, place.protocol)

    def connected(self, there: str, here: str, to_port: int, from_port: int) -> int:
        """Check a kept connection too: who opened it may have been allowed more."""
        del here, to_port, from_port
        return pycurl.PREREQFUNC_OK if self._may(there) else pycurl.PREREQFUNC_ABORT

    def _may(self, address: str) -> bool:
        try:
            self.reach.check(address)
        except Refused as error:
            self.refused = str(error)
            return False
        return True


class Http:
    """Requests on the running event loop; made there, and closed there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._watched: dict[int, int] = {}
        self._calls: dict[pycurl.Curl, _Call] = {}
        self._spare: list[pycurl.Curl] = []
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, MOST_KEPT)

    async def request(
        self,
        method: str,
        url: str,
        *,
        reach: Reach,
        seconds: float,
        most_bytes: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, bytes]:
        """Return status and body; within `seconds`, connecting included.

        A request with a body is written once only, even if its kept connection turns
        out to be dead; one without may be written again.

        Raises:
            Lost: with what happened.
        """
        curl = self._spare.pop() if self._spare else _made()
        call = _Call(self._loop.create_future(), most_bytes, reach)
        more = [f"{name}: {value}" for name, value in (headers or {}).items()]
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [*_ALWAYS, *more])
        curl.setopt(pycurl.WRITEFUNCTION, call.take)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, call.open)
        curl.setopt(pycurl.PREREQFUNCTION, call.connected)
        # Zero would be no limit at all.
        curl.setopt(pycurl.TIMEOUT_MS, max(1, math.ceil(seconds * 1000)))
        _set_method(curl, method, body)
        self._calls[curl] = call
        self._multi.add_handle(curl)
        try:
            return await call.answered
        finally:
            if self._calls.pop(curl, None) is not None:
                self._multi.remove_handle(curl)  # It was cancelled.
            self._spare.append(curl)

    def close(self) -> None:
        """Cut what is under way, and close every connection."""
        for curl, call in self._calls.items():
            self._multi.remove_handle(curl)
            call.answered.cancel()
        self._calls.clear()
        self._set_timer(-1)
        self._multi.close()
        for curl in self._spare:
            curl.close()
        self._spare.clear()

    # -- what libcurl asks for -----------------------------------------------------

    def _watch(self, what: int, fd: int, multi: object, data: object) -> None:
        before, now = self._watched.pop(fd, 0), _WATCHED.get(what, 0)
        loop = self._loop
        if now & ~before & 1:
            loop.add_reader(fd, self._act, fd, pycurl.CSELECT_IN)
        if before & ~now & 1:
            loop.remove_reader(fd)
        if now & ~before & 2:
            loop.add_writer(fd, self._act, fd, pycurl.CSELECT_OUT)
        if before & ~now & 2:
            loop.remove_writer(fd)
        if now:
            self._watched[fd] = now

    def _set_timer(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Never at once: this is called from inside libcurl.
        if milliseconds >= 0:
            self._timer = self._loop.call_later(
                milliseconds / 1000, self._act, pycurl.SOCKET_TIMEOUT, 0
            )

    def _act(self, fd: int, events: int) -> None:
        self._multi.socket_action(fd, events)
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                self._ended(curl)
            for curl, code, message in failed:
                self._ended(curl, code, message)

    def _ended(self, curl: pycurl.Curl, code: int = 0, message: str = "") -> None:
        self._multi.remove_handle(curl)
        call = self._calls.pop(curl)
        if call.answered.done():
            return  # It was cancelled in this very moment.
        if not code:
            answer = curl.getinfo(pycurl.RESPONSE_CODE), bytes(call.body)
            call.answered.set_result(answer)
            call.body.clear()  # A spare handle still knows its last call.
            return
        if code == pycurl.E_OPERATION_TIMEDOUT:
            message = "no answer in time"
        elif code == pycurl.E_SEND_FAIL_REWIND:
            message = "the connection was closed before an answer"
        sent = curl.getinfo(pycurl.REQUEST_SIZE) > 0
        text = call.refused or message or f"libcurl's error {code}"
        nobody = code in _NOBODY and not call.refused
        call.answered.set_exception(Lost(text, sent=sent, nobody=nobody))


def _made() -> pycurl.Curl:
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.MAXAGE_CONN, KEEP_SECONDS)
    # libcurl writes a request again when a kept connection died under it, unless its
    # body cannot be had again.
    curl.setopt(pycurl.SEEKFUNCTION, lambda offset, origin: pycurl.SEEKFUNC_FAIL)
    trusted = ssl.get_default_verify_paths()
    if trusted.cafile:
        curl.setopt(pycurl.CAINFO, trusted.cafile)
    if trusted.capath:
        curl.setopt(pycurl.CAPATH, trusted.capath)
    return curl


def _set_method(curl: pycurl.Curl, method: str, body: bytes | None) -> None:
    if body is None:
        curl.setopt(pycurl.HTTPGET, 1)
    else:
        rest = memoryview(body)

        def read(size: int) -> bytes:
            nonlocal rest
            part, rest = rest[:size], rest[size:]
            return bytes(part)

        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE, len(body))
        curl.setopt(pycurl.READFUNCTION, read)
    curl.setopt(pycurl.CUSTOMREQUEST, method)
