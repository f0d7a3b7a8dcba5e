"""`python -m bench`: PostgreSQL of its own, one round as a child, nothing left behind.

It measures nothing itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench import processes
from deployctl.launch import Addresses, Places, Postgres, prepare_database

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run one round; its exit status, or 1 when a process is left."""
    folder = Path(tempfile.mkdtemp(prefix="deployctl-bench-"))
    postgres = Postgres(Places(folder))
    try:
        postgres.start()
        assert postgres.process is not None
        to = prepare_database(postgres.superuser_url)
        postgres.places.make_keys()
        given = _environment(folder, to, postgres.process.pid)
        _run([str(ROOT / "manage.py"), "migrate", "--verbosity=0"], given, to.owner)
        status = _run(["-m", "bench.round", *sys.argv[1:]], given, to.owner)
    except KeyboardInterrupt:
        status = 130
    finally:
        postgres.stop()
        left = processes.marked(str(folder))
        shutil.rmtree(folder, ignore_errors=True)
    for pid in left:
        # Ansible's connections, for one, are sessions of their own.
        print(f"process {pid} was left behind, and is killed", file=sys.stderr)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return status or int(bool(left))


def _environment(folder: Path, to: Addresses, postgres: int) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DEPLOYCTL_")}
    return {
        **kept,
        "DATABASE_URL": to.app,
        "DATABASE_LISTEN_URL": to.app,
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "deployctl.settings",
        "LOG_LEVEL": "WARNING",
        processes.MARK: str(folder),
        "BENCH_POSTGRES": str(postgres),
    }


def _run(argv: list[str], given: dict[str, str], owner: str) -> int:
    command = processes.child([sys.executable, *argv])
    given = {**given, "DATABASE_OWNER_URL": owner}
    child = subprocess.Popen(command, env=given, cwd=ROOT)
    try:
        return child.wait()
    finally:
        child.terminate()
        child.wait()


if __name__ == "__main__":
    sys.exit(main())
