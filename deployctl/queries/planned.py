"""A plan that has not started, as its preview shows it; it plans nothing itself."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from deployctl.models import Target
from deployctl.queries.differences import sketch
from deployctl.queries.sentences import counted, doing
from deployctl.queries.staged import staged
from strategies.plan import Plan
from strategies.preview import Preview, ordinal, preview
from strategies.states import Kind
from strategies.steps import Limits

#: So many batches and skipped targets are shown; of more, only their number is said.
MOST_ROWS = 50
MOST_SKIPPED = 5
_WHY = {
    "already_at_version": "runs this version already",
    "in_no_slot": "is in none of the router's slots",
}


def planned(plan: Plan) -> dict[str, Any]:
    """Return a plan as `deployments/_plan.html` asks for it."""
    seen, limits = preview(plan), plan.course.limits
    batches = [b for b in seen.batches if b.kind is not Kind.SHIFT]
    seen = replace(seen, batches=tuple(batches))
    names = _names(plan, seen)
    froms = Counter(t.from_version or "nothing" for t in plan.targets)
    floor = f"At least {limits.floor:,} of {plan.course.selected:,} stay available."
    return {
        "errors": [],
        "nothing_to_do": ""
        if plan.targets
        else _nothing_to_do(len(plan.skipped), plan.version),
        "hash": plan.hash,
        "sketch": sketch(plan),
        "work_count": len(plan.targets),
        "target_count": plan.course.selected,
        "zone_count": 0,
        "batch_count": len(seen.batches),
        "min_seconds": seen.minimum_seconds,
        "tolerated": _tolerated(limits),
        "stages": staged(plan, seen),
        "slots": plan.router if plan.router and plan.router.has_slots else None,
        "at_once": limits.parallelism,
        "from_versions": [{"version": v, "count": n} for v, n in froms.most_common()]
        or [{"version": plan.version, "count": len(plan.skipped)}],
        "to_version": plan.version,
        "floor": floor if limits.floor else "",
        "blast": _blast(plan, seen),
        "warnings": [
            {"state": "warning", "title": "Mind this.", "text": text}
            for text in (*plan.notices, *seen.warnings)
        ],
        "skipped": [
            {"name": names.get(int(pk), pk), "why": why}
            for pk, why in _skipped(plan)[:MOST_SKIPPED]
        ],
        "skipped_count": len(_skipped(plan)),
        "rows": [_row(plan, seen, number, names) for number in range(_shown(seen))],
        "rows_left": max(0, len(seen.batches) - MOST_ROWS),
    }


def _skipped(plan: Plan) -> list[tuple[str, str]]:
    """Return what is not changed, each with why: what people have disabled first."""
    disabled = [(each.id, f"is disabled: {each.why}") for each in plan.left_out]
    return disabled + [(each.id, _WHY.get(each.why, each.why)) for each in plan.skipped]


def _tolerated(limits: Limits) -> str:
    if limits.max_failures is not None:
        return str(limits.max_failures)
    return "by stage" if limits.accepts_failures else "any"


def _shown(seen: Preview) -> int:
    return min(len(seen.batches), MOST_ROWS)


def _names(plan: Plan, seen: Preview) -> dict[int, str]:
    ends = [p for b in seen.batches[:MOST_ROWS] for p in (b.start, b.stop - 1)]
    wanted = {int(plan.targets[position].id) for position in ends}
    wanted |= {int(pk) for pk, _ in _skipped(plan)[:MOST_SKIPPED]}
    found = Target.objects.filter(pk__in=wanted)
    return dict(found.values_list("pk", "name"))


def _row(
    plan: Plan, seen: Preview, number: int, names: dict[int, str]
) -> dict[str, Any]:
    batch = seen.batches[number]
    targets = plan.targets[batch.start : batch.stop]
    froms = Counter(t.from_version or "nothing" for t in targets)
    return {
        "name": number + 1,
        "first": names.get(int(targets[0].id), targets[0].id),
        "last": names.get(int(targets[-1].id), targets[-1].id),
        "count": len(targets),
        "from_versions": ", ".join(version for version, _ in froms.most_common(3)),
        "rule": batch.tolerance or _other_rule(plan.course.limits),
    }


def _other_rule(limits: Limits) -> str:
    by_stage = limits.accepts_failures and limits.max_failures is None
    return "its stage's threshold" if by_stage else "the fleet's budget"


def _blast(plan: Plan, seen: Preview) -> dict[str, str]:
    """Say what a version that fails everywhere would touch before it is stopped."""
    limits = plan.course.limits
    if limits.accepts_failures and limits.max_failures is None:
        reach = next((s.reach for s in seen.stages if s.size), 0)
        does = {"rollback": "rolls back", "freeze": "halts and stays so"}
        then = does.get(limits.on_failure, "halts")
        first = f"A version that fails everywhere reaches {counted(reach)}."
        return {"first": first, "failing": f"Then it {then}."}
    if limits.max_failures is None:
        return {"first": "It reaches every target.", "failing": "No rule stops it."}
    reach = min(seen.blast_radius, limits.max_failures + limits.parallelism)
    does = {"rollback": "rolls back", "freeze": "halts and stays so"}
    then = does.get(limits.on_failure, "halts")
    nth = limits.max_failures + 1
    return {
        "first": f"It reaches about {counted(reach)} before that is known.",
        "failing": f"At the {ordinal(nth)} failure it {then}.",
    }


def _nothing_to_do(count: int, version: str) -> str:
    running = doing(count, "runs", "run")
    return f"{'All ' if count > 1 else ''}{running} {version} already."
