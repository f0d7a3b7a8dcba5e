"""A room without a browser: pages that follow frames, and workers without targets.

The page does what static/js/live.js does, and no more.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import connections

from deployctl import frames
from deployctl.models import Deployment, Operation
from deployctl.queries import room
from deployctl.services import journal, workers
from deployctl.services.journal import Ask
from deployctl.services.operations import Report
from strategies.states import OPEN, OPERATION_TRANSITIONS, OperationState
from tests.support.fleet import Place, simulated

S = OperationState
#: Not for a worker to say: it gives back, and the journal decides what is tried again.
_NOT_SAID = {S.PENDING}
_RARE = {S.UNKNOWN, S.UNRESOLVED, S.RELEASED, S.FAILED}


class Page:
    """What one page shows, and the catch-up it asks for when frames do not fit."""

    def __init__(self, deployment_id: int) -> None:
        self.deployment_id = deployment_id
        self.seq = 0
        self.grid: list[str] = []
        self.html: dict[str, str] = {}
        self.title = ""
        self.fetched = 0
        self.apply(frames.full(deployment_id))

    def apply(self, frame: frames.Frame) -> None:
        """Take a frame over."""
        self.seq = frame["to"]
        self.html.update(frame["html"])
        self.title = frame.get("title", self.title)
        self.grid = list(frame.get("grid", self.grid))
        for position, letter in frame.get("cells", ()):
            self.grid[position] = letter

    def hear(self, message: dict[str, Any]) -> None:
        """Hear one message of the socket."""
        if message["kind"] == "resync":
            self.catch_up(0)
        elif message["kind"] == "hb":
            if message["seq"] > self.seq:
                self.catch_up(self.seq)
            elif message["seq"] == self.seq:
                self.html.update(message.get("html", {}))
        elif message["to"] > self.seq:
            exact = message["from"] == self.seq
            if exact or (message["whole"] and message["from"] < self.seq):
                self.apply(message)
            else:
                self.catch_up(self.seq)

    def catch_up(self, since: int) -> None:
        """Ask over HTTP."""
        self.fetched += 1
        frame = frames.since(self.deployment_id, since)
        if frame["to"] > self.seq or since == 0:
            self.apply(frame)
        elif frame["to"] == self.seq:
            self.html.update(frame["html"])

    def check(self) -> None:
        """Fail unless this page is what a fresh one would be."""
        fresh = Page(self.deployment_id)
        assert self.seq == fresh.seq
        assert "".join(self.grid) == "".join(fresh.grid)
        differing = {
            unit for unit, text in fresh.html.items() if self.html[unit] != text
        }
        assert not differing, {u: (self.html[u], fresh.html[u]) for u in differing}
        assert self.title == fresh.title


class Hands:
    """A worker that touches nothing, and reports as it is told or by chance."""

    def __init__(self, deployment: Deployment, seed: int = 1) -> None:
        self.deployment = deployment
        self.worker_id = workers.arrive("a test", 1, "x")
        self.chance = random.Random(seed)

    def flush(self, *states: OperationState, quiet: bool = False) -> None:
        """Report what is held as one of these states, or some by chance; claim more."""
        # A worker that is thought dead looks otherwise, from one moment to the next.
        workers.beat(self.worker_id)
        reports = [
            self._report(row, S(row.state), states)
            for row in self._held()
            if states or self.chance.random() < 0.7
        ]
        ask = Ask(self.worker_id, reports, 10, fenced=["simulated"], quiet=quiet)
        journal.flush(self.deployment.pk, ask)

    def run(self) -> None:
        """Succeed with everything until nothing is left to do."""
        self.flush(S.SUCCEEDED)
        while self._held():
            self.flush(S.SUCCEEDED)

    def _held(self) -> list[Operation]:
        mine = Operation.objects.filter(deployment=self.deployment)
        open_ones = mine.filter(state__in=[state.value for state in OPEN])
        return list(open_ones.filter(claimed_by=self.worker_id).order_by("id"))

    def _report(
        self, row: Operation, now: OperationState, states: tuple[OperationState, ...]
    ) -> Report:
        legal = sorted(OPERATION_TRANSITIONS[now] - _NOT_SAID)
        weights = [1 if state in _RARE else 12 for state in legal]
        chosen = self.chance.choices(legal, weights)[0]
        state = self.chance.choice(states) if states else chosen
        available = state in (S.SUCCEEDED, S.SKIPPED)
        return Report(row.pk, row.fence, state, available=available, observed="2.0")


def started(count: int = 60, **options: Any) -> tuple[Place, Deployment]:
    """Start a deployment of so many simulated targets in three zones."""
    targets = [
        replace(target, labels={"zone": f"zone-{n % 3}"})
        for n, target in enumerate(simulated(count))
    ]
    place = Place(targets)
    given = {"batch_size": 10, "max_failures": None, "parallelism": 10, **options}
    return place, place.deploy(**given)


def rows_grid(deployment: Deployment) -> str:
    """Return the grid as the room's page reads it from the rows; up to 500 targets."""
    cells = room.page(room.deployment(deployment.pk))["grid"]["cells"]
    return "".join(cell["letter"] for cell in cells)


def apart(work: Callable[[], Any]) -> Any:
    """Run in a thread of a test that awaits: leave no connection behind."""
    try:
        return work()
    finally:
        connections.close_all()
