"""Load balancers themselves, started from the examples of the documents, and ended.

Each is in a folder of its own on free ports, and run by an ordinary user on request.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.ports import free_ports

EXAMPLES = ROOT / "docs" / "examples"
#: The user `nobody`, whom nothing of ours belongs to.
NOBODY = 65_534
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Balancer:
    """One load balancer; `start` it again after `stop` or `kill`; `remove` at the end.

    Attributes:
        port: where it takes requests.
        folder: where everything of it is.
    """

    program: str
    example: str

    def __init__(
        self, slots: Mapping[str, list[int]], *, ordinary_user: bool = False
    ) -> None:
        found = shutil.which(self.program, path=PATH)
        if found is None:
            pytest.skip(f"there is no {self.program}: install it (see tests/run.sh)")
        self.path = found
        self.folder = Path(tempfile.mkdtemp(prefix="dctl-"))
        self.folder.chmod(0o755)
        self.user = NOBODY if ordinary_user and os.geteuid() == 0 else None
        self.port, self.status_port = free_ports(2)
        self.slots = slots
        self.config = self.folder / self.example
        self.process: subprocess.Popen[bytes] | None = None
        self.write_config()
        if self.user is not None:
            os.chown(self.folder, self.user, self.user)
            for path in self.folder.iterdir():
                os.chown(path, self.user, self.user)

    def changes(self) -> dict[str, str]:
        """Return what of the example is put otherwise here: old text, new text."""
        found = {"127.0.0.1:8080": f"127.0.0.1:{self.port}"}
        for first, ports in zip((9101, 9201), self.slots.values(), strict=False):
            for number, port in enumerate(ports[:3]):
                found[f"127.0.0.1:{first + number}"] = f"127.0.0.1:{port}"
        return found

    def write_config(self) -> None:
        """Write the example with our own paths and ports."""
        text = (EXAMPLES / self.example).read_text()
        for old, new in self.changes().items():
            assert old in text, f"the example says {old} no more"
            text = text.replace(old, new)
        self.config.write_text(text)

    def argv(self) -> list[str]:
        """Return what starts it in the foreground."""
        raise NotImplementedError

    def settings(self) -> dict[str, object]:
        """Return the settings of a router that is this one."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                self.argv(), stdout=said, stderr=said, user=self.user, group=self.user
            )
        end = time.monotonic() + 10
        while not self.listens():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def listens(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def said(self) -> str:
        """Return what it has printed."""
        return (self.folder / "said").read_text(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, gently or not."""
        if self.process is not None:
            process, self.process = self.process, None
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(20)

    def restart(self) -> None:
        """End it and start it anew, from its files."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """End it, and leave no file behind."""
        self.stop()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Balancer:
        self.start()
        return self

    def __exit__(self, *why: object) -> None:
        self.remove()


class Haproxy(Balancer):
    """HAProxy, asked over a socket in its folder."""

    program, example = "haproxy", "haproxy.cfg"
    key = "storefront"

    @property
    def socket(self) -> str:
        """The address of its runtime API."""
        return str(self.folder / "admin.sock")

    @property
    def map(self) -> Path:
        """Its map, which is a file too."""
        return self.folder / "slots.map"

    def changes(self) -> dict[str, str]:
        """Keep its socket and its map in our folder."""
        return {
            **super().changes(),
            "/run/haproxy/admin.sock": self.socket,
            "/etc/haproxy/slots.map": str(self.map),
        }

    def write_config(self) -> None:
        """Write the map's file too."""
        super().write_config()
        self.map.write_text(f"{self.key} blue\n")

    def listens(self) -> bool:
        """Whether its API does too, which is opened after its ports."""
        try:
            return super().listens() and bool(self.asked("show info"))
        except OSError:
            return False

    def argv(self) -> list[str]:
        """Return what starts it in the foreground."""
        return [self.path, "-db", "-f", str(self.config)]

    def settings(self) -> dict[str, object]:
        """As the documents have them."""
        file = str(self.map)
        more = {"map": file, "key": self.key, "map_file": file}
        return {"address": self.socket, **more}

    def asked(self, command: str) -> str:
        """Ask it as an operator does."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(10)
            line.connect(self.socket)
            line.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: line.recv(65_536), b"")).decode()

    def serves(self, key: str = key) -> str:
        """Return what its map really says."""
        return self.asked(f"get map {self.map} {key}").split('value="')[1].split('"')[0]
