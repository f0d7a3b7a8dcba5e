"""The room of a very large deployment: what its page takes, and how long it is."""

from __future__ import annotations

import time

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from bench.round import fleets
from bench.round.readings import Readings
from deployctl.services import journal, workers
from deployctl.services.journal import Ask

#: So many targets, and the milliseconds that the page may take in the server.
SIZES = ((10_000, 50), (100_000, 150))


def looking(readings: Readings, repeats: int) -> None:
    """Time a look at a room; nothing of it is kept from one look to the next."""
    settings.ALLOWED_HOSTS = ["testserver"]
    visitor = Client()
    visitor.force_login(User.objects.create(username="visitor", is_staff=True))
    for size, goal_ms in SIZES:
        row, _ = fleets.started(fleets.made(size, 0), 200, window=False)
        worker = workers.arrive("bench", 1, "0")
        journal.flush(row, Ask(worker, places=200, fenced=["simulated"]))
        visitor.get("/")  # What is read once a process is not what is measured.
        for _ in range(repeats):
            began = time.perf_counter()
            page = visitor.get(f"/deployments/{row}/")
            took = time.perf_counter() - began
            assert page.status_code == 200
            what = f"room of {size:,}"
            readings.worst(f"{what}: first look", took, goal_ms / 1000)
            readings.note(f"{what}: bytes of its page", len(page.content))
