"""Reference agents in one process, each on its own port, and what they witnessed."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from bench import processes

AGENT = Path(__file__).resolve().parents[1] / "deployctl" / "agent.py"


class Agents:
    """So many agents; an apply takes each `seconds`, and they start at version 1."""

    def __init__(self, folder: Path, count: int, seconds: float) -> None:
        argv = [sys.executable, str(AGENT), f"--state-dir={folder}", "--no-fsync"]
        argv += [f"--count={count}", f"--apply-seconds={seconds}", "--version=1"]
        self.process = subprocess.Popen(
            processes.child(argv), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        ports = json.loads(self.process.stdout.readline())["ports"]
        self.addresses = [f"http://127.0.0.1:{port}" for port in ports]

    def most_in_flight(self) -> int:
        """Return the most effects that ever ran at once, counted where they ran."""
        url = f"{self.addresses[0]}/v1/stats"
        with urllib.request.urlopen(url, timeout=10) as answer:
            read = json.load(answer)
        return int(read["process"]["max_in_flight"])

    def close(self) -> None:
        """Stop them."""
        processes.stop([self.process])
        assert self.process.stdout is not None
        self.process.stdout.close()
