"""ansible-core, installed for the measurement, asking each host to run one command.

It is what many have: a play that does nothing but `true`. It is given its best:
pipelining, connections that are kept, and as many at once as we have.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench.sshd import Hosts

PACKAGE = "ansible-core==2.19.14"
#: Its kept connections end by themselves after this, in seconds.
KEPT_SECONDS = 5


class Ansible:
    """An installation in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._bin = folder / "bin"
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(self._bin / "pip"), "install", "--quiet"]
        quiet = ["--disable-pip-version-check", PACKAGE]
        subprocess.run([*install, *quiet], check=True, stderr=subprocess.DEVNULL)

    def shell(self, hosts: Hosts, count: int, at_once: int) -> tuple[float, float]:
        """Run `true` on so many hosts; return wall seconds and its CPU seconds."""
        known = hosts.folder / "known_hosts"
        names = [f"[{address}]:{hosts.port}" for address in hosts.addresses[:count]]
        known.write_text(f"{','.join(names)} {hosts.host_key}\n")
        inventory = hosts.folder / "inventory"
        inventory.write_text("\n".join(hosts.addresses[:count]) + "\n")
        argv = [str(self._bin / "ansible"), "all", "-i", str(inventory), "-m", "shell"]
        argv += ["-a", "true", "-f", str(at_once)]
        given = {
            **os.environ,
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_REMOTE_USER": hosts.user,
            "ANSIBLE_REMOTE_PORT": str(hosts.port),
            "ANSIBLE_PRIVATE_KEY_FILE": str(hosts.folder / "key"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_SSH_ARGS": " ".join(
                f"-o {option}"
                for option in (
                    "ControlMaster=auto",
                    f"ControlPersist={KEPT_SECONDS}",
                    f"UserKnownHostsFile={known}",
                )
            ),
            "ANSIBLE_LOCAL_TEMP": str(hosts.folder / "ansible"),
            "ANSIBLE_HOME": str(hosts.folder / "home"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(hosts.folder / "cp"),
        }
        before, began = _spent(), time.perf_counter()
        done = subprocess.run(argv, env=given, capture_output=True, check=False)
        wall, cpu = time.perf_counter() - began, _spent() - before
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        time.sleep(KEPT_SECONDS + 2)
        return wall, cpu


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
