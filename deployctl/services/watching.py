"""Looks at targets: which are due, what was seen, and what follows for a deployment.

A look is a rumour that is kept on the target; what it means for a live deployment is
decided under that deployment's lock. It probes nothing itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from deployctl.models import Deployment
from deployctl.models.deployments import LIVE_STATES
from deployctl.queries.plans import course_of
from deployctl.services import journal, operations, perform
from deployctl.services.operations import OPEN_STATES, Change, Row, row_from
from deployctl.services.sql import flags, numbers, sql, texts
from strategies.health import Health, judged
from strategies.states import OperationState

_S = OperationState
#: By this rule a target that no deployment watches is called well or unwell.
USUAL = Health()


@dataclass(frozen=True)
class Due:
    """A target to look at; `version` is what it must run, None if any will do."""

    target_id: int
    environment_id: int
    name: str
    address: str
    driver: str
    settings: Mapping[str, Any]
    looked_at: datetime
    timeout_seconds: float
    version: str | None = None
    deployment_id: int | None = None


@dataclass(frozen=True)
class Seen:
    """What a look found out; `version` is None if nothing was."""

    due: Due
    is_well: bool
    version: str | None
    detail: str = ""


def due(kinds: Sequence[str], limit: int, look_seconds: float) -> list[Due]:
    """Set out to look at up to `limit` targets of these kinds: nobody else will now.

    Accepted targets of live deployments come first, each as often as its plan's health
    rule asks; all others follow, the longest unseen first.
    """
    found: list[Due] = []
    live = Deployment.objects.filter(state__in=LIVE_STATES, intent=0)
    for deployment_id, plan_id in live.order_by("pk").values_list("pk", "plan_id"):
        if len(found) < limit:
            health = course_of(plan_id).limits.health
            found += _accepted(deployment_id, health, kinds, limit - len(found))
    if len(found) < limit:
        found += _others(kinds, limit - len(found), look_seconds)
    return found


_LOOK = """
    UPDATE deployctl_target t SET looked_at = clock_timestamp()
      FROM due WHERE t.id = due.id
    RETURNING t.id, t.name, t.address, t.driver, t.settings, t.looked_at,
              due.to_version, t.environment_id
"""
#: Accepted by a live deployment, and not taken back: what must stay well.
_ACCEPTED = """
    o.direction = 'forward' AND o.kind <> 'shift'
    AND (o.state = 'succeeded' OR (o.state = 'failed' AND o.regressed))
"""


def _accepted(
    deployment_id: int, health: Health, kinds: Sequence[str], limit: int
) -> list[Due]:
    query = f"""
        WITH due AS (
            SELECT t.id, o.to_version FROM deployctl_operation o
              JOIN deployctl_target t ON t.id = o.target_id
             WHERE o.deployment_id = %s AND {_ACCEPTED}
               AND t.driver = ANY(%s) AND t.removed_at IS NULL
               AND t.disabled_at IS NULL
               AND (t.looked_at IS NULL OR t.looked_at
                    <= clock_timestamp() - make_interval(secs => %s))
             ORDER BY t.looked_at NULLS FIRST LIMIT %s
               FOR NO KEY UPDATE OF t SKIP LOCKED) {_LOOK}
    """
    given = [deployment_id, list(kinds), health.interval_seconds, limit]
    return _set_out(query, given, health.timeout_seconds, deployment_id)


def _others(kinds: Sequence[str], limit: int, look_seconds: float) -> list[Due]:
    query = f"""
        WITH due AS (
            SELECT t.id, NULL AS to_version FROM deployctl_target t
             WHERE t.removed_at IS NULL AND t.driver = ANY(%s)
               AND t.disabled_at IS NULL
               AND (t.looked_at IS NULL OR t.looked_at
                    <= clock_timestamp() - make_interval(secs => %s))
             ORDER BY t.looked_at NULLS FIRST LIMIT %s
               FOR NO KEY UPDATE OF t SKIP LOCKED) {_LOOK}
    """
    return _set_out(query, [list(kinds), look_seconds, limit], USUAL.timeout_seconds)


def _set_out(
    query: str,
    given: list[object],
    timeout_seconds: float,
    deployment_id: int | None = None,
) -> list[Due]:
    with transaction.atomic(), sql() as cursor:
        cursor.execute(query, given)
        return [
            Due(
                target_id=row[0],
                name=row[1],
                address=row[2],
                driver=row[3],
                settings=json.loads(row[4]),
                looked_at=row[5],
                timeout_seconds=timeout_seconds,
                version=row[6],
                environment_id=row[7],
                deployment_id=deployment_id,
            )
            for row in cursor.fetchall()
        ]


def keep(seen: Sequence[Seen]) -> None:
    """Keep what looks found, unless something has happened to the target since.

    The health of a target is changed here only where no deployment is live: there it
    is counted, and only the door may change what is counted.
    """
    ordered = sorted(seen, key=lambda each: each.due.target_id)
    ids = numbers([each.due.target_id for each in ordered])
    with transaction.atomic(), sql() as cursor:
        cursor.execute(_KEEP, _kept(ordered, ids))


#: Whoever holds a target now knows better: nobody is waited for.
_KEEP = f"""
    WITH free AS (
        SELECT t.id, EXISTS (
                 SELECT 1 FROM deployctl_deployment d
                  WHERE d.application_id = t.application_id
                    AND d.environment_id = t.environment_id
                    AND d.state IN ('in_progress', 'paused', 'rolling_back')) AS live,
               CASE WHEN c.well THEN GREATEST(t.looks, 0) + 1
                    ELSE LEAST(t.looks, 0) - 1 END AS looks, c.version
          FROM unnest(%(ids)s::bigint[], %(at)s::timestamptz[], %(well)s::bool[],
                      %(version)s::text[]) AS c(id, at, well, version)
          JOIN deployctl_target t ON t.id = c.id AND t.looked_at = c.at
         WHERE NOT EXISTS (
               SELECT 1 FROM deployctl_operation o
                WHERE o.target_id = t.id
                  AND (o.state IN {OPEN_STATES} OR o.ended_at > c.at))
         ORDER BY t.id FOR NO KEY UPDATE OF t SKIP LOCKED
    )
    UPDATE deployctl_target t
       SET looks = free.looks,
           observed_version = COALESCE(free.version, t.observed_version),
           observed_at = CASE WHEN free.version IS NULL THEN t.observed_at
                              ELSE t.looked_at END,
           health = CASE WHEN free.live THEN t.health
                         WHEN free.looks >= %(good)s THEN 'healthy'
                         WHEN free.looks <= -%(bad)s THEN 'unhealthy'
                         ELSE t.health END
      FROM free WHERE t.id = free.id
"""


def _kept(ordered: Sequence[Seen], ids: str) -> dict[str, object]:
    return {
        "ids": ids,
        "at": [each.due.looked_at for each in ordered],
        "well": flags([each.is_well for each in ordered]),
        "version": texts([each.version for each in ordered]),
        "good": USUAL.success_threshold,
        "bad": USUAL.failure_threshold,
    }


def doubtful() -> list[int]:
    """Return live deployments for which what was seen of their targets may matter.

    Found are accepted targets and those that stand by whose looks do not fit what is
    recorded of them; whether it counts is decided under the lock.
    """
    with sql() as cursor:
        cursor.execute(
            f"""
            SELECT d.id FROM deployctl_deployment d
             WHERE d.state IN ('in_progress', 'paused') AND d.intent = 0 AND (EXISTS (
                   SELECT 1 FROM deployctl_operation o
                     JOIN deployctl_target t ON t.id = o.target_id
                    WHERE o.deployment_id = d.id AND {_ACCEPTED}
                      AND t.looked_at >= o.ended_at AND t.looks <> 0
                      AND (t.looks < 0) = (o.state = 'succeeded'))
                OR EXISTS (
                   SELECT 1 FROM deployctl_operation o
                     JOIN deployctl_target t ON t.application_id = d.application_id
                      AND t.environment_id = d.environment_id
                      AND t.slot = o.from_version
                    WHERE o.deployment_id = d.id
                      AND o.direction = 'forward' AND o.kind = 'shift'
                      AND t.removed_at IS NULL AND t.looks <> 0
                      AND (t.looks < 0) = (t.health <> 'unhealthy')))
             ORDER BY d.id
            """
        )
        return [row[0] for row in cursor.fetchall()]


def regard(deployment_id: int, details: Mapping[int, str]) -> None:
    """Let what was seen of accepted targets count: regressions, and recoveries.

    Args:
        deployment_id: a deployment that watches.
        details: what the last look said, by target id: the evidence.
    """
    with journal.opened(deployment_id) as turn:
        if turn.progress.rest is not None or turn.progress.intent:
            return
        health = turn.progress.course.limits.health
        moves = []
        for row, looks in _looked_at(deployment_id):
            is_well, state = judged(looks, health), row.state
            if state is _S.SUCCEEDED and is_well is False:
                text = details.get(row.target_id, "it is not well any more")
                moves.append((row, _regressed(row, f"regressed: {text}")))
            elif state is _S.FAILED and is_well is True:
                moves.append((row, _recovered(row)))
        turn.move(moves)
        operations.mark_regressed(
            [row.id for row, change in moves if change.state is _S.FAILED],
            [row.id for row, change in moves if change.state is _S.SUCCEEDED],
        )
        perform.regard_standby(turn)
        turn.run()


def _looked_at(deployment_id: int) -> list[tuple[Row, int]]:
    """Return accepted operations with their targets' looks since they ended."""
    with sql() as cursor:
        cursor.execute(
            f"""
            SELECT o.id, o.direction, o.position, o.step, o.state, o.attempt, o.fence,
                   o.claimed_by_id, o.was_available, o.target_id,
                   t.health <> 'unhealthy', t.looks
              FROM deployctl_operation o JOIN deployctl_target t ON t.id = o.target_id
             WHERE o.deployment_id = %s AND {_ACCEPTED}
               AND t.looked_at >= o.ended_at AND (t.looks < 0) = (o.state = 'succeeded')
             ORDER BY o.id
            """,
            [deployment_id],
        )
        return [(row_from(found[:-1]), found[-1]) for found in cursor.fetchall()]


def _regressed(row: Row, text: str) -> Change:
    return Change(
        id=row.id,
        target_id=row.target_id,
        state=_S.FAILED,
        attempt=row.attempt,
        available=False,
        learnt=True,
        error=text,
    )


def _recovered(row: Row) -> Change:
    return Change(
        id=row.id,
        target_id=row.target_id,
        state=_S.SUCCEEDED,
        attempt=row.attempt,
        available=True,
        learnt=True,
    )
