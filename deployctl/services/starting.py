"""Whether a frozen plan still fits the fleet, and the rows with which it starts.

It compares and never plans anew: what has changed since is refused, by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from deployctl.models import Deployment, Router, Target
from deployctl.models.fleet import Health
from deployctl.services import audit, journal, perform, shifts, work
from deployctl.services.operations import unreported
from deployctl.services.people import Actor
from deployctl.services.planning import (
    Refused,
    named,
    refuse_unresolved,
    refuse_withdrawn,
)
from deployctl.services.sights import running_version
from deployctl.services.turn import Turn
from strategies import Plan
from strategies.plan import PlannedTarget
from strategies.states import LIVE, Direction, OperationState, State
from strategies.steps import Deploy, Shift, Verify


def check(turn: Turn) -> None:
    """Refuse what may not start now, whatever its plan says."""
    row = turn.row
    if row.state != State.PENDING.value:
        raise Refused("not_waiting", "It is not waiting to be started any more.")
    refuse_withdrawn(row.version)
    live = live_beside(row)
    if live is not None:
        raise _live_refusal(live)


def as_planned(turn: Turn, plan: Plan) -> list[Target]:
    """Compare the fleet with the plan; return the planned targets that still exist."""
    router = plan.router if plan.router and plan.router.id else None
    standby = router.standby if router else ()
    ids = _ids(plan) | {int(each) for each in standby}
    work.hold_targets(sorted(ids))
    chosen = list(Target.objects.filter(pk__in=ids, removed_at=None))
    by_id = {target.pk: target for target in chosen}
    here = [planned for planned in plan.targets if int(planned.id) in by_id]
    changed = [
        by_id[int(planned.id)].name
        for planned in here
        if _differs(by_id[int(planned.id)], planned)
    ]
    serving = [by_id[int(each)] for each in standby if int(each) in by_id]
    changed += [t.name for t in serving if router and t.slot != router.serving]
    if changed:
        raise Refused(
            "stale_plan",
            f"{named(changed)} changed since the plan was made, so it was not started."
            " Make the plan again and look at the difference.",
        )
    if router:
        _check_router(turn, plan)
    refuse_unresolved(chosen, but_of=turn.row.parent_id)
    return chosen


def _ids(plan: Plan) -> set[int]:
    return {int(t.id) for t in plan.targets} | {int(s.id) for s in plan.skipped}


def _differs(target: Target, planned: PlannedTarget) -> bool:
    if target.disabled_at is not None:
        return True
    now = running_version(target), target.slot, target.driver_digest
    return now != (planned.seen_version, planned.slot, planned.driver_digest)


def _check_router(turn: Turn, plan: Plan) -> None:
    """Refuse a router that serves, or is reached, otherwise than the plan says."""
    assert plan.router is not None
    row = Router.objects.select_for_update().get(pk=int(plan.router.id))
    found = row.serving, row.driver_digest
    if found != (plan.router.serving, plan.router.driver_digest):
        goes = "is" if plan.course.weighs else "goes to"
        raise Refused(
            "router_moved",
            f"Traffic {goes} {row.serving or 'nobody knows where'} now, not"
            f" {plan.router.serving} as when the plan was made, so it was not started."
            " Make the plan again and look at the difference.",
        )
    kept = row.retain_until is not None and row.retain_until > turn.now
    changes = any(isinstance(step, Deploy) for step in plan.course.steps)
    if not changes or row.retained_slot != plan.router.idle:
        return
    if kept and not plan.options.get("end_retention"):
        raise Refused(
            "retained",
            f"Slot {row.retained_slot} is kept as it is until"
            f" {row.retain_until:%Y-%m-%d %H:%M} UTC, so that traffic can return to it."
            " Nothing was started; wait, or make the plan again and end its retention.",
        )
    # From now on nobody can return to what stood there.
    shifts.release(row.pk)


def write_operations(turn: Turn, plan: Plan) -> None:
    """Write the forward operations of a plan."""
    rows = []
    for number, step in enumerate(plan.course.steps):
        if not isinstance(step, Deploy | Verify):
            continue
        for batch in range(len(step.starts)):
            for position in range(*step.batch(batch)):
                kind = plan.course.kind_at(position).value
                rows.append(_row(plan, position, number, batch, kind))
    work.plan_forward(turn.id, rows)
    routed = [
        (number, step)
        for number, step in enumerate(plan.course.steps)
        if isinstance(step, Shift)
    ]
    if routed and plan.router:
        shifts.plan_forward(turn.id, int(plan.router.id), routed)


def _row(plan: Plan, position: int, step: int, batch: int, kind: str) -> work.Planned:
    target = plan.targets[position]
    goal = plan.version if target.to_version is None else target.to_version
    return work.Planned(
        position, int(target.id), target.from_version, goal, step, batch, kind
    )


def available(plan: Plan, chosen: Iterable[Target]) -> int:
    """Count the available targets: of the slot that stands by, where one does."""
    standby = set(plan.router.standby) if plan.router else set()
    counted = standby or {str(each) for each in _ids(plan)}
    return sum(
        target.health != Health.UNHEALTHY and str(target.pk) in counted
        for target in chosen
    )


def take_over(turn: Turn, by: Actor) -> None:
    """Let a retry answer for what its parent left unresolved."""
    parent_id = turn.row.parent_id
    waiting = Deployment.objects.filter(
        pk=parent_id or 0, operations__state=OperationState.UNRESOLVED.value
    )
    if parent_id is None or not waiting.exists():
        return
    with journal.opened(parent_id) as before:
        rows = perform.in_state(before, Direction.FORWARD, "unresolved")
        text = f"tried again by deployment {turn.id}; its own outcome was never found"
        failed = OperationState.FAILED
        before.move([(row, unreported(row, failed, error=text)) for row in rows])
        after = {"deployment": turn.id, "operations": len(rows)}
        audit.record(by, "operations.taken_over", before.row, after=after)


def live_beside(row: Deployment) -> Deployment | None:
    return (
        Deployment.objects.select_related("created_by", "environment")
        .filter(
            application_id=row.application_id,
            environment_id=row.environment_id,
            state__in=[state.value for state in LIVE],
        )
        .exclude(pk=row.pk)
        .first()
    )


def already_live(deployment_id: int) -> Refused:
    live = live_beside(Deployment.objects.get(pk=deployment_id))
    if live is None:
        return Refused(
            "busy",
            "Another deployment was live just now. Nothing was started; press again.",
        )
    return _live_refusal(live)


def _live_refusal(live: Deployment) -> Refused:
    return Refused(
        "live",
        f"Deployment {live.pk} by {live.created_by} is live in {live.environment} since"
        f" {live.started_at:%Y-%m-%d %H:%M} UTC ({live.state.replace('_', ' ')})."
        " Nothing was started; wait for it, or stop it first.",
        live.pk,
    )
