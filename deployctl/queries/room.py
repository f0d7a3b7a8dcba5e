"""Everything that a deployment's room shows and that is the same for every viewer.

It reads; who may press which button is the web's affair.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import connection

from deployctl.models import Deployment, Operation
from deployctl.queries import feed, grid, halts, looks, slots, stages, zones
from deployctl.queries.batches import batches
from deployctl.queries.counters import counters
from deployctl.queries.heads import heads
from deployctl.queries.lineage import kin
from deployctl.queries.plans import course_of, progress_of
from deployctl.queries.sentences import counted
from deployctl.queries.upcoming import upcoming
from deployctl.queries.verdict import verdict
from deployctl.queries.workers import workers
from deployctl.templatetags.deployctl import CELLS
from strategies.progress import Progress
from strategies.states import Direction

_NAMED = ("application", "environment", "version", "created_by", "parent")
#: How many kinds of errors are told apart.
MOST_GROUPS = 8
#: So many targets say what a fleet ran before.
MOST_ASKED = 500


def deployment(deployment_id: int) -> Deployment:
    """Return a deployment with what its room names.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    return Deployment.objects.select_related(*_NAMED).get(pk=deployment_id)


def named(deployment_id: int) -> dict[str, Any] | None:
    """Return {id, title} of a deployment; None if there is none."""
    for row in Deployment.objects.select_related(*_NAMED).filter(pk=deployment_id):
        return {"id": row.pk, "title": str(row)}
    return None


def unresolved(deployment_id: int) -> list[dict[str, Any]]:
    """Return the operations whose outcome a person must say."""
    found = Operation.objects.select_related("target", "router").filter(
        deployment_id=deployment_id, state="unresolved"
    )
    return [
        {
            "id": row.pk,
            "target": row.target.name if row.target else str(row.router),
            "target_id": row.target_id,
            "question": row.error,
            "since_at": row.settle_by or row.started_at,
            "observed_version": _observed(row),
            "from_version": row.from_version or "nothing",
            "to_version": row.to_version,
            "output": row.output,
            "returning": row.direction == Direction.RETURN,
            "not_done_refused": "",
            "drained": bool(row.target and row.target.settings.get("traffic")),
        }
        for row in found.order_by("position")[:50]
    ]


def _observed(row: Operation) -> str | None:
    """Return what was seen of an operation's subject last."""
    if row.target is not None:
        return row.target.observed_version
    return row.router.serving if row.router else None


def summary(deployment_id: int) -> dict[str, Any]:
    """Return the context of every live unit; the grid itself is left out."""
    row = deployment(deployment_id)
    return _summary(row, grid.letters(row, course_of(row.plan_id)))


def _summary(row: Deployment, states: str) -> dict[str, Any]:
    progress = progress_of(row)
    by_zone = zones.counted(row, states)
    stopped = halts.halt(row, progress)
    told_batches = batches(row, progress, states)
    at_rest = progress.rest is not None
    (whole,) = looks.counted(states, [(0, len(states))])
    return {
        "deployment": told(row, progress, len([zone for zone in by_zone if zone])),
        "halt": stopped,
        "hold": None if stopped else halts.hold(progress),
        "rail": stages.rail(progress),
        "gate": stages.decision(progress),
        "slots": slots.slots(row, progress),
        "counters": counters(progress),
        "next": upcoming(row, progress),
        "batches": told_batches,
        "verdict": verdict(progress),
        "heads": heads(progress, told_batches),
        "failures": {} if stopped else _failures(row, progress),
        "zones": [_zone(name, counts) for name, counts in by_zone.items()],
        "workers": at_work(row),
        "feed": feed.feed(row, progress.course),
        "legend": _legend(whole, over=at_rest),
    }


def at_work(row: Deployment) -> list[dict[str, Any]]:
    """Return the workers that its room names: none before the start and at rest."""
    return workers(row.pk) if row.started_at and not row.rested_at else []


def pulse(deployment_id: int) -> dict[str, Any]:
    """Return the context of the units that go on changing while nothing happens.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    row = deployment(deployment_id)
    return {"workers": at_work(row), "slots": slots.slots(row, progress_of(row))}


def page(row: Deployment) -> dict[str, Any]:
    """Return the context of the whole room, with its grid; `row` as `deployment`."""
    course = course_of(row.plan_id)
    states = grid.letters(row, course)
    context = _summary(row, states)
    if course.work <= grid.MOST_CELLS:
        context["grid"] = {"cells": grid.cells(row, course, states)}
        return context
    sizes = ",".join(str(stop - start) for start, stop in grid.batches(course))
    words = ", ".join(f"{e['count']:,} {e['word']}" for e in context["legend"])
    context["grid"] = {
        "states": states,
        "batch_sizes": sizes,
        "summary": f"{course.work:,} targets: {words}.",
    }
    return context


def told(row: Deployment, progress: Progress, zone_count: int) -> dict[str, Any]:
    """Return what the head of a room says."""
    state, label = looks.shown(row)
    total = progress.course.work
    done = progress.whole.done if not progress.return_planned else progress.back.done
    of = total if not progress.return_planned else progress.back.total
    percent = 100 * done // of if of else 100
    title = f"{row.application} {row.version} to {row.environment}"
    at_rest = progress.rest is not None
    took = (
        (row.rested_at - row.started_at) if row.rested_at and row.started_at else None
    )
    return {
        "id": row.pk,
        "application": row.application.name,
        "environment": {
            "name": row.environment.name,
            "is_production": row.environment.is_production,
        },
        "state": state,
        "label": label,
        "from_version": from_version(row),
        "to_version": row.version.version,
        "strategy": row.strategy.replace("_", "-").capitalize(),
        "target_count": total,
        "zone_count": zone_count,
        "started_at": row.started_at,
        "started_by": row.created_by.get_username(),
        "took_seconds": took.total_seconds() if took else None,
        "plan_hash": row.plan_id,
        "reason": row.why,
        "ticket": "",
        **kin(row),
        "seq": row.seq,
        "control_version": row.control_version,
        "at_rest": at_rest,
        "title": title if at_rest else f"[{percent}%] {title}",
    }


def from_version(row: Deployment) -> str:
    """Return what most of its first targets ran before; "nothing" if they ran none."""
    forward = Operation.objects.filter(
        deployment_id=row.pk, direction=Direction.FORWARD, target__isnull=False
    )
    first = forward.order_by("position").values_list("from_version", flat=True)
    seen = Counter(first[:MOST_ASKED])
    return (seen.most_common(1)[0][0] or "nothing") if seen else ""


def _failures(row: Deployment, progress: Progress) -> dict[str, Any]:
    if not progress.whole.failed and not progress.back.failed:
        return {"title": "", "groups": []}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT o.error, count(*), max(split_part(o.output, E'\n', 1)),
                      array_agg(DISTINCT COALESCE(t.labels->>'zone', ''))
                 FROM deployctl_operation o
                 JOIN deployctl_target t ON t.id = o.target_id
                WHERE o.deployment_id = %s AND o.state = 'failed'
                GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %s""",
            [row.pk, MOST_GROUPS],
        )
        groups = [
            {
                "error": error or "no error was given",
                "count": count,
                "output": output,
                "where": ", ".join(zone for zone in zones if zone),
            }
            for error, count, output, zones in cursor.fetchall()
        ]
    count = sum(group["count"] for group in groups)
    kinds = counted(len(groups), "error")
    return {"title": f"{counted(count)} failed, {kinds}", "groups": groups}


def _zone(name: str, counts: Counter[str]) -> dict[str, Any]:
    return {
        "name": name or "no zone",
        "parts": looks.parts_of(counts),
        "total": sum(counts.values()),
        "ok": sum(counts[letter] for letter in "sSkK"),
        "bad": sum(counts[letter] for letter in "fFg"),
    }


def _legend(letters: Counter[str], *, over: bool) -> list[dict[str, Any]]:
    return [
        {
            "letter": letter,
            "word": "not touched" if over and letter == "p" else word,
            "count": letters[letter],
        }
        for letter, (_, word) in CELLS.items()
        if letters[letter]
    ]
