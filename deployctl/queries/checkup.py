"""What is wrong, or waits for somebody, over all deployments: and what to do about it.

It reads and mends nothing; whether one deployment agrees with itself is asked in
`queries.invariants`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from deployctl import __version__
from deployctl.models import Deployment, Operation, Router, Worker
from deployctl.models.deployments import LIVE_STATES, OPEN_STATES, REST_STATES
from deployctl.queries.sentences import counted
from deployctl.queries.workers import pulse
from strategies.states import OperationState

#: A timer that is due for so long has been seen by nobody.
OVERDUE_SECONDS = 60
#: So many are named of each kind.
MOST_NAMED = 10


class Finding(NamedTuple):
    """What is wrong, and what a person should do; a sentence each."""

    what: str
    do: str


class Beating(NamedTuple):
    """A worker that beats now; `kinds` is None if it did not say: any."""

    name: str
    version: str
    kinds: list[str] | None


def beating() -> list[Beating]:
    """Return the workers that beat."""
    oldest = Now() - timedelta(seconds=settings.ENGINE.dead_after_seconds)
    rows = Worker.objects.filter(left_at=None, beat_at__gt=oldest).order_by("pk")
    return [Beating(str(row), row.version, row.kinds) for row in rows]


def findings() -> Iterator[Finding]:
    """Yield all that is wrong; to be read in one snapshot."""
    for check in CHECKS:
        yield from check()


def _workers() -> Iterator[Finding]:
    found = beating()
    if not found:
        last = pulse().last_beat_at
        since = f" since {last:%Y-%m-%d %H:%M:%S} UTC" if last else ""
        yield Finding(f"No worker beats{since}.", "Start one: `manage.py worker`.")
    for worker in found:
        if worker.version != __version__:
            yield Finding(
                f"Worker {worker.name} is of version {worker.version}, this program of"
                f" {__version__}.",
                "Restart it with the same version.",
            )


def _kinds() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH alive AS (
                SELECT kinds FROM deployctl_worker WHERE left_at IS NULL
                   AND beat_at > clock_timestamp() - make_interval(secs => %s))
            SELECT driver, count(*) FROM deployctl_target t
             WHERE removed_at IS NULL AND EXISTS (SELECT 1 FROM alive)
               AND NOT EXISTS (SELECT 1 FROM alive
                                WHERE kinds IS NULL OR kinds ? t.driver)
             GROUP BY 1 ORDER BY 1
            """,
            [settings.ENGINE.dead_after_seconds],
        )
        for kind, count in cursor.fetchall():
            yield Finding(
                f"{counted(count)} of kind {kind}, and no worker that beats has it.",
                "Start a worker of a version that has this kind.",
            )


def _held_at_rest() -> Iterator[Finding]:
    rows = Operation.objects.filter(
        state__in=OPEN_STATES, deployment__state__in=REST_STATES
    )
    for number, count in _by_deployment(rows):
        yield Finding(
            f"Deployment {number} is over, and {counted(count, 'operation')} of it"
            " still open: their targets are held.",
            "Report it; nothing will touch these targets meanwhile.",
        )


def _unresolved() -> Iterator[Finding]:
    rows = Operation.objects.filter(state=OperationState.UNRESOLVED.value)
    for number, count in _by_deployment(rows):
        yield Finding(
            f"Deployment {number} waits for a person:"
            f" {counted(count, 'operation')} whose outcome nobody could find.",
            f"Say in its room what became of them: /deployments/{number}/",
        )


def _by_deployment(rows: QuerySet[Operation]) -> list[tuple[int, int]]:
    grouped = rows.values_list("deployment_id").annotate(Count("pk"))
    return list(grouped.order_by("-deployment_id")[:MOST_NAMED])


def _overdue() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, extract(epoch FROM clock_timestamp() - due_at)::bigint
                 FROM deployctl_deployment
                WHERE state = ANY(%s)
                  AND due_at < clock_timestamp() - make_interval(secs => %s)
                ORDER BY due_at LIMIT %s""",
            [LIVE_STATES, OVERDUE_SECONDS, MOST_NAMED],
        )
        for number, late in cursor.fetchall():
            yield Finding(
                f"A timer of deployment {number} is due for {late:,} s.",
                "See that a worker beats, and what it logs of this deployment.",
            )


def _routers() -> Iterator[Finding]:
    for row in Router.objects.filter(serving=None).order_by("pk")[:MOST_NAMED]:
        yield Finding(
            f"The {row} was never read.",
            "See that a worker beats and reaches it: `manage.py router list`.",
        )


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _workers,
    _kinds,
    _overdue,
    _held_at_rest,
    _unresolved,
    _routers,
)


def to_check(*, newest: int | None) -> Iterator[int]:
    """Yield the deployments to look into: live ones, then the newest first.

    Args:
        newest: so many of those that are not live; None for all.
    """
    live = Deployment.objects.filter(state__in=LIVE_STATES).order_by("-pk")
    rest = Deployment.objects.exclude(state__in=LIVE_STATES).order_by("-pk")
    yield from list(live.values_list("pk", flat=True))
    yield from list(rest.values_list("pk", flat=True)[:newest])
