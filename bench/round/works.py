"""The measurements: what is run, on what, and what it is held against."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import connection

from bench import peers
from bench.agents import Agents
from bench.round import fleets
from bench.round.histories import listing
from bench.round.hosts import connecting
from bench.round.readings import Readings
from bench.round.rooms import looking
from bench.round.simulations import simulating
from bench.round.workers import Workers
from deployctl import environment
from deployctl.models import Deployment
from deployctl.services import commands, journal, workers
from deployctl.services.journal import Ask
from deployctl.services.operations import Report
from strategies.states import OperationState

TARGETS, AT_ONCE, SECONDS = 1000, 50, 0.1
IDEAL_SECONDS = TARGETS / AT_ONCE * SECONDS
MANY, MANY_AT_ONCE = 10_000, 200
TRIALS = 40


def waiting(readings: Readings, repeats: int) -> None:
    """Time 1,000 targets of 100 ms, 50 at once, over agents and simulated ones."""
    base = Path(os.environ["DATA_DIR"])
    with (
        _agents(base / "ours", TARGETS) as ours,
        _agents(base / "theirs", TARGETS) as theirs,
    ):
        fleet = fleets.made(TARGETS, SECONDS, ours.addresses)
        for repeat in range(repeats):
            pool = peers.sleeping(TARGETS, AT_ONCE, SECONDS)
            readings.peer("a bare asyncio pool that waits", pool / IDEAL_SECONDS)
            for looks, name in ((False, "one request"), (True, "our three requests")):
                fence = 2 * repeat + looks + 1
                wall = peers.posting(theirs.addresses, AT_ONCE, fence, looks=looks)
                name = f"a bare aiohttp pool, {name} a target"
                readings.peer(name, wall / IDEAL_SECONDS)
            for window in (True, False):
                for count in (1, 3):
                    _waited(readings, fleet, count, window, ours)
                    simulated = fleets.made(TARGETS, SECONDS)
                    _waited(readings, simulated, count, window, None)
        readings.note("most in flight, by the agents", ours.most_in_flight())


def _waited(
    readings: Readings,
    fleet: fleets.Fleet,
    count: int,
    window: bool,
    agents: Agents | None,
) -> None:
    with Workers(count) as running:
        ran = fleets.ran(fleet, AT_ONCE, window=window)
        running.read()
        seen = agents.most_in_flight() if agents else running.most_in_flight()
        assert 0 < seen <= AT_ONCE, f"{seen} were in flight"
    shape = "one window of 50" if window else "strict batches of 50"
    kind = "agents over HTTP" if agents else "simulated targets"
    work = f"1,000 {kind} of 100 ms, {shape}, {_workers(count)}"
    ratio = ran.wall_seconds / IDEAL_SECONDS
    readings.ratio(work, ratio, 1.10 if window else 1.20, running.cost, TARGETS)


def instant(readings: Readings, repeats: int) -> None:
    """Count targets a second when they take no time: what we cost ourselves."""
    bare = peers.BareSql(os.environ["DATABASE_OWNER_URL"], MANY)
    for _ in range(repeats):
        readings.peer_rate("bare SQL, two updates a row", MANY / bare.run(MANY_AT_ONCE))
        _journal_alone(readings)
        for count in (1, 3):
            fleet = fleets.made(MANY, 0)
            with Workers(count) as running:
                ran = fleets.ran(fleet, MANY_AT_ONCE, window=True)
                running.read()
                assert 0 < running.most_in_flight() <= MANY_AT_ONCE
            work = f"10,000 targets of 0 ms, 200 at once, {_workers(count)}"
            goal = 10_000 if count == 1 else None
            readings.rate(work, MANY / ran.wall_seconds, goal, running.cost, MANY)
            readings.size(f"peak memory of a worker, {work}", running.peak_megabytes)
            readings.time("pressing start, 10,000 targets", ran.start_seconds)
    bare.close()


def _journal_alone(readings: Readings) -> None:
    """Flush by hand, as a worker would whose effects take no time at all."""
    deployment, _ = fleets.started(fleets.made(MANY, 0), MANY_AT_ONCE, window=True)
    given = connection.settings_dict["OPTIONS"]
    with _options(environment.of_worker(given, lock_seconds=10)):
        times = _flushed(deployment)
    fleets.checked(Deployment.objects.get(pk=deployment), MANY_AT_ONCE)
    middle = sorted(times)[len(times) // 2]
    readings.time("a flush of 200 results and 200 claims", middle)
    readings.rate("the journal alone, 200 at once", MANY / sum(times), None, None, MANY)


@contextmanager
def _options(options: dict[str, Any]) -> Iterator[None]:
    """Connect with these options meanwhile."""
    before = connection.settings_dict["OPTIONS"]
    connection.close()
    connection.settings_dict["OPTIONS"] = options
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = before


def _flushed(deployment: int) -> list[float]:
    """Flush until there is nothing left; return the seconds of each flush."""
    worker = workers.arrive("bench", os.getpid(), "bench")
    reports: tuple[Report, ...] = ()
    times: list[float] = []
    while True:
        began = time.perf_counter()
        ask = Ask(worker, reports, places=MANY_AT_ONCE, fenced=["simulated"])
        answer = journal.flush(deployment, ask)
        times.append(time.perf_counter() - began)
        reports = tuple(
            Report(
                claim.operation_id,
                claim.fence,
                OperationState.SUCCEEDED,
                available=True,
                observed=claim.to_version,
            )
            for claim in answer.claims
        )
        if not reports:
            break
    workers.leave(worker)
    return times


def pausing(readings: Readings, trials: int) -> None:
    """Press pause again and again: how soon it answers, what starts after it."""
    fleet = fleets.made(MANY, SECONDS)
    with Workers(1) as running:
        deployment, _ = fleets.started(fleet, AT_ONCE, window=True)
        # Effects begin in rounds: each press comes at another moment of one.
        waits = [0.2 + SECONDS * trial / trials for trial in range(trials)]
        presses = [_paused(fleet, deployment, wait) for wait in waits]
        commands.press(deployment, "abort", by=fleet.by, key=uuid4().hex)
        fleets.rested(deployment)
        lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    starts = [line["at"] for line in lines if line["what"] == "started"]
    last = []
    for pressed, answered, resumed in presses:
        between = [at for at in starts if pressed <= at < resumed]
        last.append(max(between, default=pressed) - pressed)
        readings.time("pause: from press to answer", answered - pressed)
        late = max(0.0, max(between, default=pressed) - answered)
        readings.time("pause: last start after the answer", late)
    readings.worst("pause: from press to the last start, worst of all", max(last), 0.1)


def _paused(
    fleet: fleets.Fleet, deployment: int, wait_seconds: float
) -> tuple[float, float, float]:
    """Run a little, pause, wait for rest, resume; (pressed, answered, resumed)."""
    time.sleep(wait_seconds)
    pressed = time.time()
    reply = commands.press(deployment, "pause", by=fleet.by, key=uuid4().hex)
    answered = time.time()
    assert reply.status == "ok", reply.message
    while not Deployment.objects.filter(pk=deployment, state="paused").exists():
        time.sleep(0.01)
    time.sleep(0.05)
    resumed = time.time()
    version = Deployment.objects.values_list("control_version", flat=True)
    commands.press(
        deployment,
        "resume",
        by=fleet.by,
        key=uuid4().hex,
        expected=version.get(pk=deployment),
    )
    return pressed, answered, resumed


@contextmanager
def _agents(folder: Path, count: int) -> Iterator[Agents]:
    agents = Agents(folder, count, SECONDS)
    try:
        yield agents
    finally:
        agents.close()


def _workers(count: int) -> str:
    return "one worker" if count == 1 else f"{count} workers"


#: All of it: (what, repetitions in full, in a quick round).
ROUND: tuple[tuple[Callable[[Readings, int], None], int, int], ...] = (
    (waiting, 7, 3),
    (connecting, 3, 1),
    (instant, 5, 3),
    (pausing, TRIALS, TRIALS),
    (simulating, 3, 1),
    (listing, 5, 3),
    (looking, 5, 3),
)
