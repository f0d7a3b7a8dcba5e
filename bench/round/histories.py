"""The history of very many deployments: what each filter costs there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import psycopg
from django.db import connection

from bench.round import fleets
from bench.round.readings import Readings
from deployctl.queries.filtering import Filters, Found
from deployctl.queries.history import PAGE

MANY = 100_000
OLDEST = 1000
GOAL_SECONDS = 0.020
DAY = {"since": "2026-01-05", "until": "2026-01-05"}
Asked: TypeAlias = dict[str, str]
#: Words of reasons, by how many have them; `a` begins a word of one in 16.
WORDS = {
    "weekly": "every reason",
    "quarter": "one reason in 4",
    "sixteenth": "one reason in 16",
    "a": "one reason in 16, by its first letter",
    "seldom": "one reason in 64",
    "unusual": "one reason in 256",
    "hotfix": "one reason in 1024",
    "ancient": "the oldest 1,000",
    "bygone": "the oldest 4,000",
    "nowhere": "no reason",
    "weekly ancient": "every reason, and the oldest 1,000",
    "weekly nowhere": "every reason, and none",
    "quarter bygone": "one in 4 of the oldest 4,000",
}


def listing(readings: Readings, repeats: int) -> None:
    """Time a page of 100,000 deployments, by every filter and far back."""
    fleet, other = fleets.made(2, 0), fleets.made(2, 0)
    row, _ = fleets.started(fleet, 1, window=False)
    _filled(row, other.application.pk)
    asked = _asked(fleet, other, row)
    for _ in range(repeats):
        found = {
            name: _seconds(filters, before) for name, (filters, before) in asked.items()
        }
        for kind in ("no word", "a word", "a word and more"):
            names = [name for name in found if name.startswith(f"{kind}: ")]
            worst = max(names, key=lambda name: found[name])
            what = f"history of 100,000: worst of {len(names)} with {kind}"
            readings.worst(what, found[worst], GOAL_SECONDS)
        for name, seconds in found.items():
            readings.time(f"history of 100,000, {name}", seconds)


def _asked(
    fleet: fleets.Fleet, other: fleets.Fleet, row: int
) -> dict[str, tuple[Filters, int | None]]:
    """Return what is asked for, and behind which deployment, by its name."""
    here = {
        "application": fleet.application.name,
        "environment": fleet.environment.name,
    }
    there = {**here, "application": other.application.name}
    far = row + MANY // 10
    found: dict[str, tuple[Filters, int | None]] = {}
    for name, filters in _plain(here, there).items():
        found[f"no word: {name}"] = Filters(**filters), None
    for name, filters in {"no filter": {}, "its place": here}.items():
        found[f"no word: {name}, far back"] = Filters(**filters), far
    for word, name in WORDS.items():
        found[f"a word: in {name}"] = Filters(q=word), None
    for word in ("weekly", "seldom", "bygone"):
        found[f"a word: in {WORDS[word]}, far back"] = Filters(q=word), far
    for name, filters in _mixed(here, there).items():
        found[f"a word and more: {name}"] = Filters(**filters), None
    return found


def _plain(here: Asked, there: Asked) -> dict[str, Asked]:
    return {
        "no filter": {},
        "its place": here,
        "a place of one in 25": there,
        "a rare state": {"state": "failed"},
        "a state that none has": {"state": "rollback_failed"},
        "a state that none there has": {**there, "state": "rolled_back"},
        "a strategy of the oldest": {"strategy": "canary"},
        "a strategy that none has": {"strategy": "blue_green"},
        "one day": DAY,
        "a state of the oldest half year": {"state": "failed", "until": "2026-06-30"},
    }


def _mixed(here: Asked, there: Asked) -> dict[str, Asked]:
    none = {"strategy": "blue_green"}
    every = {**here, **DAY, "state": "failed", "strategy": "rolling"}
    return {
        "everywhere, a rare state": {"q": "weekly", "state": "failed"},
        "everywhere, a state that none has": {"q": "weekly", "state": "pending"},
        "one in 4, a strategy that none has": {"q": "quarter", **none},
        "one in 16, a place of one in 25": {"q": "sixteenth", **there},
        "the oldest, its place": {"q": "bygone", **here},
        "everywhere, one day": {"q": "weekly", **DAY},
        "all at once": {"q": "weekly", **every},
    }


def _filled(row: int, other: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_deployment
                (application_id, environment_id, version_id, plan_id, strategy, why,
                 created_by_id, created_at, started_at, rested_at, format, progress,
                 seq, control_version, state, intent, open_count, reason, outcome)
            SELECT CASE WHEN n %% 25 = 2 THEN %s ELSE application_id END,
                   environment_id, version_id, plan_id,
                   CASE WHEN n <= %s THEN 'canary' ELSE strategy END,
                   'weekly release, ' || translate(substr(md5(n::text), 1, 1), 'a', 'b')
                   || substr(md5(n::text), 2, 5)
                   || CASE WHEN n %% 4 = 1 THEN ' quarter' ELSE '' END
                   || CASE WHEN n %% 16 = 3 THEN ' sixteenth' ELSE '' END
                   || CASE WHEN n %% 16 = 7 THEN ' again' ELSE '' END
                   || CASE WHEN n %% 64 = 5 THEN ' seldom' ELSE '' END
                   || CASE WHEN n %% 256 = 7 THEN ' unusual' ELSE '' END
                   || CASE WHEN n %% 1024 = 9 THEN ' hotfix for 4.18.0' ELSE '' END
                   || CASE WHEN n <= %s THEN ' ancient' ELSE '' END
                   || CASE WHEN n <= 4 * %s THEN ' bygone' ELSE '' END,
                   created_by_id,
                   timestamptz '2026-01-01' + n * interval '5 min', now(), now(),
                   format, progress, 1, 1,
                   CASE WHEN n %% 1000 = 5 THEN 'failed'
                        WHEN n %% 25 <> 2 AND n %% 10 = 4 THEN 'rolled_back'
                        ELSE 'completed' END,
                   0, 0, '', 'clean'
              FROM deployctl_deployment, generate_series(1, %s) n WHERE id = %s
            """,
            [other, OLDEST, OLDEST, OLDEST, MANY, row],
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
        Found(filters).older(before, PAGE + 1)
    return spent
