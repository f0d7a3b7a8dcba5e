"""Worker processes for one measurement, with what they cost and witnessed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from bench import processes
from bench.processes import Cost
from deployctl.engine.drivers.simulated import LOG_VARIABLE, most_in_flight
from deployctl.models import Worker

ROOT = Path(__file__).resolve().parents[2]
POSTGRES = int(os.environ["BENCH_POSTGRES"])


class Workers:
    """So many `manage.py worker`, from their first beat to their orderly end."""

    def __init__(self, count: int) -> None:
        handle, name = tempfile.mkstemp(prefix="log-", dir=os.environ["DATA_DIR"])
        os.close(handle)
        self.log = Path(name)
        argv = processes.child([sys.executable, str(ROOT / "manage.py"), "worker"])
        given = {k: v for k, v in os.environ.items() if k != "DATABASE_OWNER_URL"}
        given[LOG_VARIABLE] = str(self.log)
        self._children = [
            subprocess.Popen(argv, env=given, stdin=subprocess.DEVNULL)
            for _ in range(count)
        ]
        self.cost = Cost(0, 0, 0)
        self.peak_megabytes = 0.0

    def __enter__(self) -> Workers:
        pids = {child.pid for child in self._children}
        while set(Worker.objects.values_list("pid", flat=True)) & pids != pids:
            assert all(child.poll() is None for child in self._children)
            time.sleep(0.05)
        time.sleep(0.3)  # until it listens
        self._before = self._now()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.read()
        processes.stop(self._children)

    def read(self) -> None:
        """Take the readings until now, as measurements end before their clean-up."""
        self.cost = self._now().since(self._before)
        pids = (child.pid for child in self._children)
        self.peak_megabytes = max(map(processes.peak_megabytes, pids))

    def most_in_flight(self) -> int:
        """Return the most simulated effects that ran at once, over all workers."""
        with self.log.open() as lines:
            return most_in_flight(lines)

    def _now(self) -> Cost:
        return processes.cost((child.pid for child in self._children), POSTGRES)
