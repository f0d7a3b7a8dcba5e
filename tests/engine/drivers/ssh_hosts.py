"""Hosts behind one SSH server as the conformance kit's subjects."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path

from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.drivers.ssh import SshCommandDriver, SshDriver
from tests.engine.drivers import kit
from tests.support.sshd import KEY, Sshd

#: What a company's own script would be: reads a request, keeps version and effects.
TOOL = """#!/bin/sh -e
read -r request
version=${request#*\\"version\\":\\"} fence=${request##*:}
if [ "$3" = probe ]; then exec cat "$1/version"; fi
echo "started ${fence%\\}}" >>"$1/log"
sleep "$2"
printf %s "${version%%\\"*}" >"$1/version"
echo "ended ${fence%\\}}" >>"$1/log"
"""


class SshSubject(kit.Subject):
    """Each target has a configuration of the wrapper of its own, on one host."""

    slow_seconds = 1.0  # beside which starting some programs is nothing

    def __init__(self, sshd: Sshd, shell: Sequence[str] = ()) -> None:
        self.sshd, self.shell = sshd, shell
        self.driver = SshDriver()

    def target(self, *, slow: bool = False) -> TargetRef:
        return self.configured(f"exec sleep {self.slow_seconds if slow else 0}")

    def configured(self, script: str, *lines: str) -> TargetRef:
        """Return a target whose apply is a script, with the version as its $0."""
        name = uuid.uuid4().hex
        folder = self.sshd.folder / name
        folder.mkdir()
        (folder / "apply").write_text(script)
        apply = ["apply /bin/sh", f"apply {folder}/apply", "apply {version}"]
        state = [f"state {folder}/state", "version 1.0"]
        (folder / "conf").write_text("\n".join([*state, *(lines or apply)]) + "\n")
        self.sshd.give(folder)
        command = [*self.shell, f"{self.sshd.folder}/deployctl-host", f"{folder}/conf"]
        return self.at(name, command=command)

    def at(self, name: str, **settings: object) -> TargetRef:
        """Return a target with such settings."""
        given = {"host_key": self.sshd.host_key, "key": KEY, **settings}
        return TargetRef(name, name, self.sshd.address, given)

    def state(self, target: TargetRef) -> Path:
        """Return where the wrapper keeps what it knows of a target."""
        return self.sshd.folder / target.name / "state"

    def effects(self, target: TargetRef) -> list[str]:
        log = self.state(target) / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [
            f"{line['what']} {line['fence']}"
            for line in map(json.loads, lines)
            if line["what"] in ("started", "ended")
        ]


class SshCommandSubject(kit.Subject):
    """Each target has a folder of its own, on one host."""

    slow_seconds = 1.0

    def __init__(self, sshd: Sshd) -> None:
        self.sshd = sshd
        self.driver = SshCommandDriver()

    def target(self, *, slow: bool = False) -> TargetRef:
        name = uuid.uuid4().hex
        folder = self.sshd.folder / name
        folder.mkdir()
        (folder / "tool").write_text(TOOL)
        (folder / "version").write_text("1.0")
        self.sshd.give(folder)
        seconds = str(self.slow_seconds if slow else 0)
        argv = ["sh", f"{folder}/tool", str(folder), seconds]
        return self.at(name, apply=[*argv, "apply"], probe=[*argv, "probe"])

    def at(self, name: str, **settings: object) -> TargetRef:
        """Return a target with such settings."""
        given = {"host_key": self.sshd.host_key, "key": KEY, **settings}
        return TargetRef(name, name, self.sshd.address, given)

    def effects(self, target: TargetRef) -> list[str]:
        log = self.sshd.folder / target.name / "log"
        return log.read_text().splitlines() if log.exists() else []
