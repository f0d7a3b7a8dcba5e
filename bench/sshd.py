"""An SSH server that is many hosts: one process, an address of 127.0.0.0/8 for each.

A home of its own keeps what a login shell would start there out of the measurement.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

import asyncssh

from bench import processes

WRAPPER = Path(__file__).resolve().parents[1] / "deployctl" / "deployctl-host"
#: Where OpenSSH parts its rights, when root runs it.
_PARTED = Path("/run/sshd")
_CONFIG = """\
ListenAddress 0.0.0.0:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
AllowUsers {user}@127.0.0.0/8
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 2000
MaxSessions 20
SetEnv HOME={folder}
Subsystem sftp internal-sftp
"""


class Hosts:
    """So many hosts, each with a configuration of the wrapper of its own.

    Attributes:
        folder: where everything of them is.
        user, port: where to sign in, on each address.
        key: the private key that is let in, also in the file `key`.
        host_key: the line of the key that all of them have.
    """

    def __init__(self, folder: Path, count: int, port: int) -> None:
        found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if found is None:
            raise SystemExit("bench: there is no sshd here. Install openssh-server.")
        folder.mkdir()
        self.folder, self.port = folder, port
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        self.key = client.export_private_key().decode()
        self.host_key = host.export_public_key().decode().strip()
        self._write("host_key", host.export_private_key().decode())
        self._write("key", self.key)
        self._write("authorized_keys", client.export_public_key().decode())
        given = {"port": port, "folder": folder, "user": self.user}
        self._write("sshd_config", _CONFIG.format(**given))
        self.addresses = [f"127.77.{n // 250}.{n % 250 + 1}" for n in range(count)]
        for number in range(count):
            for whose in ("ours", "peer"):
                state = f"state {folder}/{whose}-{number}\n"
                lines = state + "version 1\napply /bin/true\n"
                self._write(f"{whose}-{number}.conf", lines)
        if os.geteuid() == 0:
            _PARTED.mkdir(mode=0o755, exist_ok=True)
        argv = [found, "-D", "-e", "-f", str(folder / "sshd_config")]
        with (folder / "said").open("wb") as said:
            self.process = subprocess.Popen(processes.child(argv), stderr=said)
        while "Server listening" not in (folder / "said").read_text():
            assert self.process.poll() is None, (folder / "said").read_text()
            time.sleep(0.02)

    def command(self, number: int, whose: str) -> list[str]:
        """Return the wrapper's command on one of the hosts.

        Whoever measures has a state of its own there: `ours` or `peer`. A fence of one
        would shut out the other.
        """
        return [str(WRAPPER), str(self.folder / f"{whose}-{number}.conf")]

    def close(self) -> None:
        """End it, and every connection."""
        processes.stop([self.process])

    def _write(self, name: str, content: str) -> None:
        path = self.folder / name
        path.write_text(content)
        path.chmod(0o600)
