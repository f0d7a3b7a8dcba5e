"""The history of very many deployments: what each filter costs there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection

from bench.round import fleets
from bench.round.readings import Readings
from deployctl.queries import filtering
from deployctl.queries.filtering import Filters
from deployctl.queries.history import PAGE

MANY = 100_000
GOAL_SECONDS = 0.020


def listing(readings: Readings, repeats: int) -> None:
    """Time a page of 100,000 deployments, by every filter and far back."""
    fleet = fleets.made(2, 0)
    row, _ = fleets.started(fleet, 1, window=False)
    _filled(row)
    names = {
        "application": fleet.application.name,
        "environment": fleet.environment.name,
    }
    far = row + MANY // 10
    asked: dict[str, tuple[Filters, int | None]] = {
        "no filter": (Filters(), None),
        "far back": (Filters(), far),
        "its place": (Filters(**names), None),
        "its place, far back": (Filters(**names), far),
        "a rare state": (Filters(state="failed"), None),
        "a state that none has": (Filters(state="rollback_failed"), None),
        "a rare word": (Filters(q="hotfix"), None),
        "a word in every reason": (Filters(q="weekly"), None),
        "a word that is nowhere": (Filters(q="nowhere"), None),
        "one day": (Filters(since="2026-01-05", until="2026-01-05"), None),
        "all of it": (Filters(**names, state="failed", q="hotfix"), None),
    }
    for _ in range(repeats):
        found = {
            name: _seconds(filters, before) for name, (filters, before) in asked.items()
        }
        worst = max(found, key=lambda name: found[name])
        readings.worst("history of 100,000: worst filter", found[worst], GOAL_SECONDS)
        letter = _seconds(Filters(q="a"), None)
        what = "history of 100,000: a letter that one reason in 16 has"
        readings.worst(what, letter, GOAL_SECONDS)
        for name in ("no filter", "a rare word", worst):
            readings.time(f"history of 100,000: {name}", found[name])


def _filled(row: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_deployment
                (application_id, environment_id, version_id, plan_id, strategy, why,
                 created_by_id, created_at, started_at, rested_at, format, progress,
                 seq, control_version, state, intent, open_count, reason, outcome)
            SELECT application_id, environment_id, version_id, plan_id, strategy,
                   CASE WHEN n %% 1000 = 3 THEN 'hotfix for 4.18.0, CHG-' || n
                        ELSE 'weekly release, ' || substr(md5(n::text), 1, 6)
                   END, created_by_id,
                   timestamptz '2026-01-01' + n * interval '5 min', now(), now(),
                   format, progress, 1, 1,
                   CASE WHEN n %% 1000 = 5 THEN 'failed' ELSE 'completed' END,
                   0, 0, '', 'clean'
              FROM deployctl_deployment, generate_series(1, %s) n WHERE id = %s
            """,
            [MANY, row],
        )
    # As autovacuum does, which may not have come yet; only an owner may.
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")


def _seconds(filters: Filters, before: int | None) -> float:
    """Return what the database takes for a page, its count, and what is looked up."""
    spent = 0.0

    def timed(execute: Callable[..., Any], *given: Any) -> Any:
        nonlocal spent
        began = time.perf_counter()
        try:
            return execute(*given)
        finally:
            spent += time.perf_counter() - began

    with connection.execute_wrapper(timed):
        found = filtering.listed(filters)
        page = found if before is None else found.filter(pk__lt=before)
        list(page[: PAGE + 1])
        filtering.counted(found)
    return spent
