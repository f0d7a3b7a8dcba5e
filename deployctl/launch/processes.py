"""What the kernel says of other processes: alive, where, whose; stops none."""

from __future__ import annotations

import os
from pathlib import Path


def is_running(pid: int) -> bool:
    """True for a process that can still do something: neither gone nor a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    # The name before it is in brackets, and may hold brackets and blanks itself.
    return text.rpartition(")")[2].split()[0] not in {"Z", "X"}


def servers_in(folder: Path) -> list[int]:
    """Pids of PostgreSQL's processes that work in this cluster's folder."""
    wanted = str(folder.resolve())
    numbers = (int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit())
    return [pid for pid in numbers if is_running(pid) and _serves(pid, wanted)]


def _serves(pid: int, folder: str) -> bool:
    entry = Path(f"/proc/{pid}")
    try:
        # By name too: a person's shell may stand in that folder.
        named = (entry / "comm").read_text().strip() == "postgres"
        return named and os.readlink(entry / "cwd") == folder
    except OSError:  # ended meanwhile, or not ours to look at
        return False
