"""nginx itself, started from the example of the documents: for tests alone."""

from __future__ import annotations

import itertools
import re
import signal
import time
import urllib.request
from pathlib import Path

from deployctl.launch.processes import is_running
from tests.support.balancers import Balancer

#: As the example says.
WORKERS = 2


class Nginx(Balancer):
    """nginx, whose status address writes what it answered into a log."""

    program, example = "nginx", "nginx.conf"

    @property
    def file(self) -> Path:
        """What is included, and says the slot."""
        return self.folder / "storefront.slot"

    @property
    def status(self) -> str:
        """The address that says which slot is served."""
        return f"http://127.0.0.1:{self.status_port}/slot"

    def changes(self) -> dict[str, str]:
        """Keep everything in our folder, temporary files too."""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        own = [f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds]
        own.append('log_format slot "$pid $storefront_slot";')
        return {
            **super().changes(),
            "127.0.0.1:8081": f"127.0.0.1:{self.status_port}",
            "/run/nginx.pid": str(self.folder / "nginx.pid"),
            "/var/log/nginx/error.log": str(self.folder / "error.log"),
            "/etc/nginx/storefront.slot": str(self.file),
            "access_log off;": "\n".join(["access_log off;", *own]),
            "default_type text/plain;": f"access_log {self.folder}/served slot;"
            " default_type text/plain;",
        }

    def start(self) -> None:
        """Start it, and wait until all of its workers have been."""
        super().start()
        end = time.monotonic() + 10
        while len(self.workers()) < WORKERS:
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def write_config(self) -> None:
        """Write the included file too."""
        super().write_config()
        self.write("blue")

    def write(self, slot: str) -> None:
        """Write a slot into the file as an operator does."""
        self.file.write_text(f'map "" $storefront_slot {{ default "{slot}"; }}\n')

    def lead(self, slot: str) -> None:
        """Write a slot, load it, and wait until the old workers are gone."""
        self.write(slot)
        assert self.process is not None
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while any(map(is_running, before)) or self.serves() != slot:
            assert time.monotonic() < end, self.said()
            time.sleep(0.01)

    def workers(self) -> list[int]:
        """Return the process ids of all workers that it has started, in order."""
        path = self.folder / "error.log"
        log = path.read_text(errors="replace") if path.exists() else ""
        return [int(pid) for pid in re.findall(r"start worker process (\d+)", log)]

    def argv(self) -> list[str]:
        """Return what starts it in the foreground."""
        return [*self.words(), "-g", "daemon off;"]

    def settings(self) -> dict[str, object]:
        """As the documents have them, with commands on this nginx."""
        return {
            "file": str(self.file),
            "variable": "storefront_slot",
            "status": self.status,
            "test": self.words("-q", "-t"),
            "reload": self.words("-s", "reload"),
        }

    def words(self, *more: str) -> list[str]:
        """Return a command on this nginx."""
        log = str(self.folder / "error.log")
        return [self.path, "-e", log, "-c", str(self.config), *more]

    def serves(self) -> str:
        """Return what it really answers."""
        with urllib.request.urlopen(self.status, timeout=10) as answer:
            return str(answer.read().decode().strip())

    def served(self) -> list[str]:
        """Return what its workers have answered so far, each change once.

        In the order in which they were started: old and new ones answer together
        for a while.
        """
        log = (self.folder / "served").read_text().split("\n")
        said = dict(line.split() for line in log if line)
        slots = [said[str(pid)] for pid in self.workers() if str(pid) in said]
        return [slot for slot, _ in itertools.groupby(slots)]
