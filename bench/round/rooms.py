"""A very large deployment in the browser's hands: its preview, and its room."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from bench.round import fleets
from bench.round.readings import Readings
from deployctl.services import journal, versions, workers
from deployctl.services.journal import Ask

#: So many targets; the seconds that the server may take for a preview, and for a room.
SIZES = ((10_000, 2.0, 0.050), (100_000, 10.0, 0.150))


def looking(readings: Readings, repeats: int) -> None:
    """Time previews, and looks at a room; nothing is kept from one to the next."""
    settings.ALLOWED_HOSTS = ["testserver"]
    visitor = Client()
    visitor.force_login(User.objects.create(username="visitor", is_staff=True))
    visitor.get("/")  # What is read once a process is not what is measured.
    for size, preview_seconds, room_seconds in SIZES:
        fleet = fleets.made(size, 0)
        for strategy in ("rolling", "canary"):
            what = f"preview of {size:,}, {strategy}"
            ask = _preview(visitor, fleet, strategy)
            _timed(readings, what, ask, preview_seconds, repeats)
        deployment, _ = fleets.started(fleet, 200, window=False)
        worker = workers.arrive("bench", 1, "0")
        journal.flush(deployment, Ask(worker, places=200, fenced=["simulated"]))
        _timed(
            *(readings, f"room of {size:,}", _room(visitor, deployment)),
            *(room_seconds, repeats),
        )


def _room(visitor: Client, deployment: int) -> Callable[[], HttpResponse]:
    """Return what asks for a room."""
    return lambda: visitor.get(reverse("deployment-detail", args=[deployment]))


def _preview(
    visitor: Client, on: fleets.Fleet, strategy: str
) -> Callable[[], HttpResponse]:
    """Return what asks for the plan of a version that no target runs."""
    name = f"previewed-{strategy}"
    version = versions.register_version(on.application, name, by=on.by)
    typed = {
        "application": on.application.pk,
        "environment": on.environment.pk,
        "version": version.pk,
        "strategy": strategy,
    }
    return lambda: visitor.post(reverse("deployment-preview"), typed)


def _timed(
    readings: Readings,
    what: str,
    ask: Callable[[], HttpResponse],
    goal_seconds: float,
    repeats: int,
) -> None:
    for _ in range(repeats):
        began = time.perf_counter()
        page = ask()
        readings.worst(f"{what}: server", time.perf_counter() - began, goal_seconds)
        assert page.status_code == 200
        assert b"No plan can be made" not in page.content
        readings.note(f"{what}: bytes", len(page.content))
