"""The engine of a worker, in this process, on real PostgreSQL and simulated targets."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection

from deployctl.engine import loop, reaches
from deployctl.engine.aside import Aside
from deployctl.engine.beats import Beats
from deployctl.engine.drivers.simulated import FLEET
from deployctl.engine.loop import Engine
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Reaches
from deployctl.models import Deployment
from deployctl.services import workers
from deployctl.services.claims import Claim
from deployctl.services.journal import Answer, Ask
from deployctl.services.operations import Report
from strategies.health import Health
from tests.support import truth
from tests.support.fleet import Place, simulated, states

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = replace(
    settings.ENGINE, sweep_seconds=0.1, poll_seconds=0.1, reconcile_seconds=60
)
#: A claim that nobody works on is not given back by itself within this time.
PATIENCE_SECONDS = 3.0


def work(
    deployment: Deployment,
    *,
    trust_seconds: float = 60,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Let one worker work until a deployment rests, or for so long; look at it anew."""
    FLEET.reset()  # Devices of other tests remember fences.
    worker_id = workers.arrive("a test", 1, "test")
    beats = Beats(worker_id, beat_seconds=1, trust_seconds=trust_seconds)
    asyncio.run(_worked(worker_id, beats, deployment.pk, patience_seconds))
    deployment.refresh_from_db()


async def _worked(
    worker_id: int, beats: Beats, deployment_id: int, seconds: float
) -> None:
    reach = Aside("reach")
    outside = Outside(Reaches(reach.asked))
    engine = Engine(worker_id, beats, outside, TIMES)
    jobs = [engine.run(), engine.poll(), engine.sweep(), engine.reconcile()]
    tasks = [asyncio.create_task(job) for job in jobs]
    await asyncio.to_thread(_rests_within, deployment_id, seconds)
    await engine.stop(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await outside.close()
    await reach.done(lambda: connection.close())
    await engine._journal.done(lambda: connection.close())  # that thread's own


def _rests_within(deployment_id: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    resting = Deployment.objects.filter(pk=deployment_id).exclude(rested_at=None)
    while not resting.exists() and time.monotonic() < end:
        time.sleep(0.02)
    connection.close()


def test_a_deployment_is_carried_out() -> None:
    deployment = Place(simulated(4)).deploy(batch_size=2)
    work(deployment)
    assert (deployment.state, states(deployment)) == ("completed", {"succeeded": 4})
    truth.check(deployment.pk)


def test_a_claim_whose_commit_was_never_heard_is_given_back_untouched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked for what is held as soon as an answer was lost, not by and by."""
    deployment = Place(simulated(2)).deploy(batch_size=2)
    real = loop._flushed
    lost: list[Claim] = []

    def flushed(deployment_id: int, ask: Ask) -> Answer:
        answer = real(deployment_id, ask)
        if answer.claims and not lost:
            lost.extend(answer.claims)
            raise OperationalError("the connection was lost inside COMMIT")
        return answer

    monkeypatch.setattr(loop, "_flushed", flushed)
    work(deployment)
    assert (len(lost), deployment.state) == (2, "completed")
    attempts = deployment.operations.values_list("attempt", flat=True)
    assert set(attempts) == {1}, "what was never sent was no attempt"


def test_reports_that_could_not_be_brought_are_brought_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    real = loop._flushed
    refused: list[Report] = []

    def flushed(deployment_id: int, ask: Ask) -> Answer:
        if ask.reports and not refused:
            refused.extend(ask.reports)
            raise OperationalError("the server is away")
        return real(deployment_id, ask)

    monkeypatch.setattr(loop, "_flushed", flushed)
    work(deployment)
    assert (bool(refused), deployment.state) == (True, "completed")
    moved = deployment.events.filter(payload__icontains="unknown")
    assert not moved.exists(), "nothing was in doubt: the worker knew"


def test_what_ends_nearly_together_is_brought_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A flush costs much the same for one report and for twenty."""
    fleet = [
        replace(each, settings={**each.settings, "latency_seconds": 0.1 + n / 200})
        for n, each in enumerate(simulated(20))
    ]
    deployment = Place(fleet).deploy(batch_size=20)
    real, brought = loop._flushed, list[int]()

    def flushed(deployment_id: int, ask: Ask) -> Answer:
        brought.append(len(ask.reports))
        return real(deployment_id, ask)

    monkeypatch.setattr(loop, "_flushed", flushed)
    monkeypatch.setattr(loop, "GATHER_SECONDS", 0.15)
    work(deployment)
    assert deployment.state == "completed"
    assert sum(map(bool, brought)) < 7, brought


def test_who_cannot_read_what_may_be_used_gives_back_untouched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    real, applies = reaches._found, list[int]()

    def found() -> Any:
        applies.append(FLEET.applies)
        if len(applies) <= 3:
            raise OperationalError("the server is away")
        return real()

    monkeypatch.setattr(reaches, "_found", found)
    monkeypatch.setattr(loop, "FAULT_SECONDS", 0.1)
    work(deployment)
    assert (applies[:4], deployment.state) == ([0, 0, 0, 0], "completed")
    attempts = deployment.operations.values_list("attempt", flat=True)
    assert set(attempts) == {1}, "what was never sent was no attempt"
    moved = deployment.events.filter(payload__icontains="unknown")
    assert not moved.exists(), "nothing was in doubt"
    truth.check(deployment.pk)


def test_who_leaves_gives_back_what_it_could_not_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)

    def found() -> Any:
        raise OperationalError("the server is away")

    monkeypatch.setattr(reaches, "_found", found)
    monkeypatch.setattr(loop, "FAULT_SECONDS", 0.8)
    work(deployment, patience_seconds=0.3)
    assert states(deployment) == {"pending": 2}
    truth.check(deployment.pk)


def test_who_may_be_held_for_dead_claims_nothing() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    before = deployment.seq
    work(deployment, trust_seconds=0, patience_seconds=0.5)
    assert states(deployment) == {"pending": 2}
    assert deployment.seq == before, "nor is anything given back"


@pytest.mark.asyncio
async def test_a_ring_is_a_reason_to_look_only_if_it_is_news() -> None:
    """A flush rings, and its worker hears that too: it looks at nothing twice."""
    beats = Beats(1, beat_seconds=1, trust_seconds=60)
    engine = Engine(1, beats, Outside(Reaches(Aside("reach").asked)), TIMES)
    answer = Answer(7, True, True, 1, Health())
    for heard in (6, 7):
        engine.heard(5, heard)  # while the flush that rings is under way
    assert engine._waiting() == [5]
    engine._answered(5, Ask(1), answer, 0.0)
    for heard in (6, 7):
        engine.heard(5, heard)
    assert engine._waiting() == []
    engine.heard(5, 8)
    engine._answered(5, Ask(1), answer, 0.0)
    assert engine._waiting() == [5]
    engine._looks.clear()
    engine.look(5)
    engine._answered(5, Ask(1), answer, 0.0)
    assert engine._waiting() == [5], "who looks for another reason is never answered"
