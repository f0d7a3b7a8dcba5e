"""HAProxy as the conformance kit's subject, with somebody between it and the driver."""

from __future__ import annotations

import itertools
import re
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from deployctl.engine.routers.base import Member, RouterRef
from deployctl.engine.routers.haproxy import HaproxyRouter
from deployctl.engine.routers.haproxy_weights import HaproxyWeightsRouter
from tests.engine.routers import kit
from tests.support.balancers import Haproxy
from tests.support.ports import free_ports


class Between:
    """Hands commands on to an HAProxy and writes down each switch that was done.

    Faults: `refusing` hands a switch on for a key that HAProxy has not; `lying` says
    yes to it and hands nothing on; `slow` hands it on late, if somebody still waits;
    `mute` hands it on and never answers; `endless` answers for ever; `dripping` does so
    slowly; `binary` answers what is no text; `cut` closes in the middle of an answer;
    `deaf` never answers anything.
    """

    def __init__(
        self,
        path: Path,
        behind: str,
        key: str,
        fault: str,
        told: Callable[[str], str] = lambda command: command.split()[-1],
    ) -> None:
        self.path, self.behind, self.key, self.fault = path, behind, key, fault
        self._told = told
        self.switches: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[line], daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line:
            command = line.recv(4096).decode()
            try:
                self._act(line, command, switching=command.startswith("set "))
            except OSError:
                return  # Nobody waits any more.

    def _act(self, line: socket.socket, command: str, *, switching: bool) -> None:
        if self.fault in ("endless", "dripping", "deaf"):
            self._hold(line)
        elif self.fault == "binary":
            line.sendall(bytes(range(256)) + b"\n\n")
        elif switching and self.fault == "lying":
            line.sendall(b"\n")
        elif (
            switching and self.fault == "slow" and _left(line, kit.Subject.slow_seconds)
        ):
            return
        else:
            if switching and self.fault == "refusing":
                command = re.sub(rf" {self.key}([ /])", r" no-such\1", command)
            said = self._handed_on(command)
            if switching and not said.strip():
                self.switches.append(self._told(command))
            if switching and self.fault == "mute":
                _left(line, 60)
            else:
                line.sendall(said[:-4] if self.fault == "cut" else said)

    def _hold(self, line: socket.socket) -> None:
        while not _left(line, 0.05 if self.fault == "dripping" else 0):
            if self.fault == "deaf":
                _left(line, 60)
            else:
                line.sendall(b"x" * (1 if self.fault == "dripping" else 65_536))

    def _handed_on(self, command: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as behind:
            behind.connect(self.behind)
            behind.sendall(command.encode())
            return b"".join(iter(lambda: behind.recv(65_536), b""))


def _left(line: socket.socket, seconds: float) -> bool:
    """Whether the other side hangs up within so many seconds."""
    end = time.monotonic() + seconds
    ready, _, _ = select.select([line], [], [], max(0.0, end - time.monotonic()))
    return bool(ready) and not line.recv(1)


class HaproxySubject(kit.Subject):
    """Keys in the map of one HAProxy, which an ordinary user runs."""

    def __init__(self, directory: Path) -> None:
        self.driver = HaproxyRouter()
        slots = dict(zip(kit.SLOTS, (free_ports(3), free_ports(3)), strict=True))
        self.haproxy = Haproxy(slots, ordinary_user=True)
        self.haproxy.start()
        self._between: dict[str, Between] = {}
        self._led: dict[str, str] = {}
        self._numbers = itertools.count()

    async def close(self) -> None:
        await super().close()
        for each in self._between.values():
            each.close()
        self.haproxy.remove()
        assert not self.haproxy.folder.exists()

    def router(self, fault: str = "") -> RouterRef:
        key = uuid.uuid4().hex
        with self.haproxy.map.open("a") as entries:
            entries.write(f"{key} blue\n")
        self.haproxy.asked(f"add map {self.haproxy.map} {key} blue")
        path = self.haproxy.folder / f"{next(self._numbers)}.sock"
        behind = self.haproxy.socket
        if fault != "unreachable":
            self._between[key] = Between(path, behind, key, fault)
        settings = {**self.haproxy.settings(), "address": str(path), "key": key}
        return RouterRef(key, key, kit.SLOTS, settings)

    def switches(self, router: RouterRef) -> list[str]:
        done = self._between[router.name].switches
        # Its own word, beside what was written down: the last switch is what it does.
        last = done[-1:] or [self._led.get(router.name, "blue")]
        assert [self.haproxy.serves(router.name)] == last
        return done

    def lead(self, router: RouterRef, slot: str) -> None:
        self.haproxy.asked(f"set map {self.haproxy.map} {router.name} {slot}")
        self._led[router.name] = slot

    def restart(self, router: RouterRef) -> None:
        self.haproxy.restart()


class HaproxyWeightsSubject(kit.Subject):
    """The backends of one HAProxy, each with three servers of the same weight."""

    slots = ("even", "10% to 1")
    forgets = True

    def __init__(self, directory: Path) -> None:
        self.driver = HaproxyWeightsRouter()
        slots = dict(zip(kit.SLOTS, (free_ports(3), free_ports(3)), strict=True))
        self.haproxy = Haproxy(slots, ordinary_user=True)
        self.haproxy.start()
        self._between: dict[str, Between] = {}
        self._backends = iter(kit.SLOTS)

    async def close(self) -> None:
        await super().close()
        for each in self._between.values():
            each.close()
        self.haproxy.remove()

    def router(self, fault: str = "") -> RouterRef:
        backend = next(self._backends)
        path = self.haproxy.folder / f"{backend}.sock"
        if fault != "unreachable":
            self._between[backend] = Between(
                path, self.haproxy.socket, backend, fault, _label
            )
        settings = {"address": str(path), "backend": backend}
        groups = {"even": (), "10% to 1": (Member("one"),)}
        return RouterRef(backend, backend, (), settings, groups=groups)

    def switches(self, router: RouterRef) -> list[str]:
        return self._between[router.name].switches

    def lead(self, router: RouterRef, slot: str) -> None:
        weight = {self.slots[0]: 1, self.slots[1]: 56}.get(slot, 77)
        self.haproxy.asked(f"set server {router.name}/one weight {weight}")

    def restart(self, router: RouterRef) -> None:
        self.haproxy.restart()


def _label(command: str) -> str:
    """Return the share that a command's weights are."""
    weights = {int(each.split()[-1]) for each in command.split(";")}
    return "even" if weights == {1} else "10% to 1"
