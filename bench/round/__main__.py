"""Runs the works of one round, prints the table, and writes the file."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from bench.round import works
from bench.round.readings import Readings

RESULTS = Path(__file__).resolve().parents[1] / "results" / "latest.json"
PACKAGES = ("Django", "channels", "psycopg", "pycurl", "asyncssh", "aiohttp")


def main() -> int:
    """Run the round; 0 also when a goal is missed: the table says so."""
    given = argparse.ArgumentParser(prog="bench")
    names = [work.__name__ for work, *_ in works.ROUND]
    given.add_argument("--only", action="append", choices=names)
    given.add_argument("--results", type=Path, default=RESULTS)
    asked = given.parse_args()
    quick = os.environ.get("QUICK", "") not in ("", "0")
    readings, began = Readings(), time.monotonic()
    load = os.getloadavg()[0]
    for work, full, fewer in works.ROUND:
        if not asked.only or work.__name__ in asked.only:
            print(f"{work.__name__} ...", file=sys.stderr, flush=True)
            work(readings, fewer if quick else full)
    around = _around(quick, load, time.monotonic() - began)
    readings.write(asked.results, around)
    print(readings.table())
    print(f"\n{around['machine']}\nInto {asked.results}.")
    return 0


def _around(quick: bool, load: float, seconds: float) -> dict[str, Any]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        server = connection.info.server_version
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**30
    return {
        "quick": quick,
        "machine": {
            "cores": os.cpu_count(),
            "memory_gib": memory,
            "system": platform.platform(),
            "load_before": load,
            "round_seconds": round(seconds),
        },
        "versions": {
            "python": platform.python_version(),
            "postgresql": f"{server // 10000}.{server % 10000}",
            **{name: version(name) for name in PACKAGES},
        },
    }


if __name__ == "__main__":
    sys.exit(main())
