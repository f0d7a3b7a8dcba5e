"""Starts real agents in a process of their own; it knows no driver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

AGENT = Path(__file__).resolve().parents[3] / "deployctl" / "agent.py"


class Agents:
    """One agent process; `kill` it and `start` it again on the same state."""

    def __init__(self, directory: Path, *agents: dict[str, Any], **common: Any) -> None:
        self.directory = directory
        defaults = {"version": "1.0", "fsync": False, **common}
        for number, agent in enumerate(agents):
            agent.setdefault("state_dir", str(directory / f"agent-{number}"))
        self.config = {"defaults": defaults, "agents": list(agents)}
        self.process: subprocess.Popen[str] | None = None
        self.ports: list[int] = []

    def start(self) -> Agents:
        """Start, and wait until all listen, on the ports of the last time if any."""
        agents: list[dict[str, Any]] = self.config["agents"]  # type: ignore[assignment]
        for agent, port in zip(agents, self.ports, strict=False):
            agent["port"] = port
        path = self.directory / "agents.json"
        path.write_text(json.dumps(self.config))
        self.process = subprocess.Popen(
            [sys.executable, str(AGENT), "--config", str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )
        assert self.process.stdout is not None
        self.ports = json.loads(self.process.stdout.readline())["ports"]
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal the process and wait for its end."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(number)
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.stop(signal.SIGKILL)

    def url(self, number: int = 0) -> str:
        """Return the address of one agent."""
        return f"http://127.0.0.1:{self.ports[number]}"

    def log(self, number: int = 0, what: str = "") -> list[dict[str, Any]]:
        """Return what an agent wrote down, all of it or one kind of line."""
        agents: list[dict[str, Any]] = self.config["agents"]  # type: ignore[assignment]
        path = Path(agents[number]["state_dir"]) / "log.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in lines if not what or line["what"] == what]
