"""Terminals in which blocks of a document are typed into a real bash, as they stand.

`deployctl` there is answered by this process: each start of ours costs a second. All
else is the shell's, with what it leaves running in its background.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import manage
from tests.support import ROOT

#: Hands words, folder and stdin on, and prints what comes back.
_ASKS = """#!{python} -SE
import json, os, socket, stat, sys
given = "" if stat.S_ISCHR(os.fstat(0).st_mode) else sys.stdin.read()
asks = socket.socket(socket.AF_UNIX)
asks.connect({address!r})
with asks.makefile("rw") as line:
    asked = {{"argv": sys.argv[1:], "folder": os.getcwd(), "stdin": given}}
    line.write(json.dumps(asked) + "\\n")
    line.flush()
    said = json.loads(line.readline())
sys.stdout.write(said["out"])
sys.stderr.write(said["err"])
sys.exit(said["code"])
"""
#: What the network would have done: a clone of this tree, and files on a host.
_GIT = """#!/bin/sh -e
test "$1" = clone
folder=$(basename "$2" .git)
mkdir "$folder"
ln -s {root}/* "$folder"
"""
_SCP = """#!/bin/sh -e
for word; do to=$word; done
cp -p $(echo "$*" | sed 's/ [^ ]*:$//; s/^-p //') "{hosts}/${{to%:}}"
"""


class Typed(NamedTuple):
    """How the last command that failed ended, 0 if none did, and all that was said."""

    code: int
    out: str


def commanded(argv: list[str]) -> tuple[int, str, str]:
    """Run `manage.py` here as its own process would; return code, stdout and stderr."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["manage.py", *argv])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                manage.main()
            except SystemExit as end:
                code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


class Desk:
    """Terminals on one machine and its hosts, each in a folder of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "asked"))
        self._listener.listen()
        self.tools = folder / "bin"
        self.tools.mkdir()
        given = {"python": sys.executable, "address": str(folder / "asked")}
        for name, text in (
            ("deployctl", _ASKS.format(**given)),
            ("git", _GIT.format(root=ROOT)),
            ("scp", _SCP.format(hosts=folder)),
        ):
            (self.tools / name).write_text(text)
            (self.tools / name).chmod(0o700)
        self._opened: list[Terminal] = []

    def terminal(self, name: str, put: Mapping[str, str], **given: str) -> Terminal:
        """Open one in a folder of that name; `put` is what a reader puts instead."""
        home = self.folder / name
        home.mkdir()
        path = f"{self.tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        surroundings = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **given}
        self._opened.append(Terminal(home, surroundings, put, self))
        return self._opened[-1]

    def close(self) -> None:
        """Close all, and end what they left running."""
        for each in self._opened:
            each.close()
        self._listener.close()

    def answer(self, wait_seconds: float) -> None:
        """Answer one `deployctl`, if one is asked in that time."""
        if not select.select([self._listener], [], [], wait_seconds)[0]:
            return
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rw") as line:
            asked = json.loads(line.readline())
            with self._patch.context() as patch:
                patch.chdir(asked["folder"])
                raw = io.BytesIO(asked["stdin"].encode())
                patch.setattr(sys, "stdin", io.TextIOWrapper(raw))
                code, out, err = commanded(asked["argv"])
            line.write(json.dumps({"code": code, "out": out, "err": err}) + "\n")


class Terminal:
    """One bash that runs until it is closed."""

    def __init__(
        self,
        home: Path,
        surroundings: Mapping[str, str],
        put: Mapping[str, str],
        desk: Desk,
    ) -> None:
        self.home, self._put, self._desk = home, put, desk
        self._said = desk.folder / f"{home.name}.said"
        read, self._keys = os.pipe()
        with self._said.open("wb") as out:
            self._bash = subprocess.Popen(
                ["bash", "--norc", "--noprofile", f"/dev/fd/{read}"],
                cwd=home,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=[read],
                start_new_session=True,
            )
        os.close(read)
        self._blocks = 0

    def type(self, block: str, seconds: float = 60) -> Typed:
        """Type a block, wait until it is done, and return how it went."""
        for own, put in self._put.items():
            block = block.replace(own, put)
        self._blocks += 1
        mark, begin = f"-- block {self._blocks}:", self._said.stat().st_size
        line = f"failed=0\ntrap 'failed=$?' ERR\n{block}\necho \"{mark} $failed\"\n"
        os.write(self._keys, line.encode())
        end = time.monotonic() + seconds
        while True:
            self._desk.answer(0.05)
            out = self._said.read_bytes()[begin:].decode()
            if found := re.search(rf"^{mark} (\d+)$", out, re.MULTILINE):
                return Typed(int(found[1]), out[: found.start()])
            assert self._bash.poll() is None, out
            assert time.monotonic() < end, f"not within {seconds} s: {block}\n{out}"

    def close(self) -> None:
        """End bash, and what it left running, if anything."""
        os.close(self._keys)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait(20)
