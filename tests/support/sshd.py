"""Debian's SSH server itself, in a folder of its own on a free port, and ended.

It lets in one user with one key. All that it runs for anybody carries a mark, by which
nothing that was left running can hide.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import asyncssh
import pytest

from deployctl.launch.processes import is_running
from tests.support import ROOT
from tests.support.balancers import PATH
from tests.support.ports import free_ports

#: The secret under whose name a test's key stands in the environment.
KEY = "ssh-test"
KEY_VARIABLE = "DEPLOYCTL_SECRET_SSH_TEST"
MARK = "DCTL_TEST_MARK"
#: Where OpenSSH parts its rights, when root runs it.
_PARTED = Path("/run/sshd")
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 200
SetEnv {mark_name}={mark} HOME={folder}
"""


def ordinary_user() -> str:
    """Return who is not root and has a shell: whoever runs the tests, if not root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    for entry in pwd.getpwall():
        if entry.pw_uid and entry.pw_shell in ("/bin/sh", "/bin/bash"):
            return entry.pw_name
    pytest.skip("there is no ordinary user with a shell on this machine")


class Sshd:
    """One server; `start` it again after `stop`; `remove` at the end.

    Attributes:
        user: who runs it, and who is let in.
        folder: where everything of it is; that user's.
        key: the private key that it lets in.
    """

    def __init__(self, user: str = "", config: str = "") -> None:
        found = shutil.which("sshd", path=PATH)
        if found is None:
            pytest.skip("there is no sshd: install openssh-server (see tests/run.sh)")
        self.path = found
        self.user = user or pwd.getpwuid(os.geteuid()).pw_name
        self.folder = Path(tempfile.mkdtemp(prefix="dctl-"))
        (self.port,) = free_ports(1)
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None
        host_key = self.new_host_key()
        client = asyncssh.generate_private_key("ssh-ed25519")
        self.key = client.export_private_key().decode()
        self._write("host_key", host_key)
        self._write("authorized_keys", client.export_public_key())
        shutil.copy(ROOT / "deployctl" / "deployctl-host", self.folder)
        lines = CONFIG.format(
            port=self.port, folder=self.folder, mark_name=MARK, mark=self.mark
        )
        self._write("sshd_config", (lines + config).encode())
        self.give(self.folder)

    @property
    def address(self) -> str:
        """The address of a target there."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    def new_host_key(self) -> bytes:
        """Make a host key, and have the server's line be its public part."""
        made = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = made.export_public_key().decode().strip()
        return made.export_private_key()

    def give(self, path: Path) -> Path:
        """Make a file or folder the user's own."""
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.user)
            for each in (path, *path.rglob("*")):
                os.chown(each, entry.pw_uid, entry.pw_gid)
        return path

    def start(self) -> Sshd:
        """Start it, and wait until it takes connections."""
        if self.user == "root":
            _PARTED.mkdir(mode=0o755, exist_ok=True)
        other = self.user if os.geteuid() == 0 and self.user != "root" else None
        group = pwd.getpwnam(other).pw_gid if other else None
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [self.path, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdout=said,
                stderr=said,
                user=other,
                group=group,
                extra_groups=[] if other else None,
            )
        end = time.monotonic() + 10
        while "Server listening" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)
        return self

    def said(self) -> str:
        """Return what it has printed."""
        return (self.folder / "said").read_text(errors="replace")

    def replace_host_key(self) -> None:
        """Be a host that was set up anew, or another one in its place."""
        self.stop()
        self._write("host_key", self.new_host_key())
        self.give(self.folder)
        (self.folder / "said").unlink()
        self.start()

    def cut(self) -> None:
        """Cut every connection, as a network does; nobody is asked first."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):  # It has gone by itself.
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End it, and the connections that it has."""
        if self.process is not None:
            self.cut()
            process, self.process = self.process, None
            process.terminate()
            process.wait(20)

    def remove(self) -> None:
        """End it, and leave neither process nor file behind."""
        self.stop()
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def running(self) -> list[int]:
        """Return the processes that run for somebody there, or were left by them."""
        wanted = f"{MARK}={self.mark}".encode()
        pids = [
            int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()
        ]
        return [pid for pid in pids if is_running(pid) and wanted in _environment(pid)]

    def is_quiet(self, seconds: float = 5.0) -> bool:
        """Whether nothing runs for anybody any more, soon."""
        end = time.monotonic() + seconds
        while self.running() and time.monotonic() < end:
            time.sleep(0.02)
        return not self.running()

    def sessions(self) -> list[int]:
        """Return what sshd has forked for connections, the deepest last."""
        found = [self.process.pid] if self.process else []
        parents = _parents()
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        # What they run in turn is not theirs to kill: it sees its input end.
        return [pid for pid in found[1:] if pid not in self.running()]

    def _write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parents() -> dict[int, int]:
    found = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                text = (each / "stat").read_text()
            except OSError:
                continue
            found[int(each.name)] = int(text.rpartition(")")[2].split()[1])
    return found
