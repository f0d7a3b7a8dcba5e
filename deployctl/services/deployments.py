"""Planning, creating, starting and cancelling deployments.

It gathers what the core needs to plan, and compares a frozen plan with the fleet when
it starts; it plans nothing itself, and a started deployment is the journal's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction

from deployctl.models import (
    Application,
    Command,
    Deployment,
    Environment,
    Operation,
    Target,
    Version,
)
from deployctl.models.fleet import Health
from deployctl.queries.plans import plan_of
from deployctl.services import audit, journal, operations, plans
from deployctl.services.commands import KeyReused
from deployctl.services.people import Actor, NotAllowed, require
from deployctl.services.turn import Turn
from strategies import Candidate, Plan, create_strategy
from strategies.messages import Started
from strategies.states import LIVE, State
from strategies.steps import Deploy


class Refused(Exception):
    """It cannot be done as things are; nothing was changed.

    Attributes:
        code: a stable word for programs.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def running_version(target: Target) -> str | None:
    """Return what a target runs, as far as anybody knows.

    That is what is recorded, but for one that is unhealthy: a change that failed there
    has left what was seen last.
    """
    if target.health == Health.UNHEALTHY and target.observed_version:
        return target.observed_version
    return target.recorded_version


def plan_deployment(
    application: Application,
    environment: Environment,
    version: Version,
    strategy: str,
    options: Mapping[str, Any],
    target_ids: Iterable[int] | None = None,
) -> Plan:
    """Return what would be done, computed from today's fleet; nothing is stored.

    Args:
        application: what to deploy.
        environment: where.
        version: which version of the application.
        strategy: a registered strategy's name.
        options: its options, as numbers or as typed.
        target_ids: the targets to change; None means the whole fleet.

    Raises:
        InvalidOptions: by option name, also when nothing is selected.
        Refused: for a withdrawn version, or targets that wait for a person.
    """
    if version.withdrawn_at is not None:
        raise Refused("withdrawn", _withdrawn(version))
    targets = Target.objects.filter(
        application=application, environment=environment, removed_at=None
    )
    if target_ids is not None:
        targets = targets.filter(pk__in=list(target_ids))
    chosen = list(targets.order_by("name"))
    _refuse_unresolved(chosen)
    candidates = [
        Candidate(
            id=str(target.pk),
            version=running_version(target),
            healthy=target.health != Health.UNHEALTHY,
            slot=target.slot,
            driver_digest=target.driver_digest,
        )
        for target in chosen
    ]
    made = create_strategy(strategy, **options)
    return made.plan(candidates, version.version, version.digest)


def create_deployment(
    application: Application,
    environment: Environment,
    version: Version,
    plan: Plan,
    *,
    by: Actor,
    why: str = "",
    parent: Deployment | None = None,
) -> Deployment:
    """Freeze a plan and write a deployment that waits to be started.

    Raises:
        NotAllowed: if this person may not.
    """
    require(by, "deploy", environment.name)
    with transaction.atomic():
        row = Deployment.objects.create(
            application=application,
            environment=environment,
            version=version,
            plan=plans.keep_plan(plan, by=by),
            parent=parent,
            strategy=plan.strategy,
            why=why,
            created_by_id=by.user_id,
            state=State.PENDING.value,
        )
        audit.record(
            by, "deployment.created", row, reason=why, after={"plan": plan.hash}
        )
    return row


def deploy(
    application: Application,
    environment: Environment,
    version: Version,
    plan: Plan,
    *,
    by: Actor,
    key: str,
    why: str = "",
) -> Deployment:
    """Freeze a plan and start it, both or neither, at most once for each key.

    Raises:
        NotAllowed: if this person may not.
        KeyReused: if the key was used for something else.
        Refused: as `start_deployment`; nothing was kept then but an audit entry.
    """
    done = _done(by, key, plan)
    if done is not None:
        return done
    try:
        with transaction.atomic():
            row = create_deployment(
                application, environment, version, plan, by=by, why=why
            )
            Command.objects.create(
                actor_id=by.user_id,
                key=key,
                deployment=row,
                body_hash=plan.hash,
                answer={"started": row.pk},
            )
            return start_deployment(row.pk, by=by)
    except (Refused, NotAllowed) as error:
        denied = isinstance(error, NotAllowed)
        audit.record(
            by,
            "deployment.start",
            application,
            result="denied" if denied else "refused",
            reason=str(error),
        )
        raise
    except IntegrityError as error:
        if "command_once" not in str(error):
            raise
        raced = _done(by, key, plan)
        if raced is None:
            raise
        return raced


def _done(by: Actor, key: str, plan: Plan) -> Deployment | None:
    """Return what this key has started already; None if it is new."""
    used = Command.objects.filter(actor_id=by.user_id, key=key).first()
    if used is not None and used.body_hash != plan.hash:
        raise KeyReused("This button was already used for another plan.")
    return used.deployment if used else None


def start_deployment(deployment_id: int, *, by: Actor) -> Deployment:
    """Start a waiting deployment exactly as its plan says, or refuse.

    Raises:
        NotAllowed: if this person may not.
        Refused: if another one is live, the fleet is not as it was when the plan was
            made, the version was withdrawn, or targets wait for a person.
    """
    try:
        with journal.opened(deployment_id) as turn:
            require(by, "start", turn.row.environment.name)
            _check_startable(turn)
            plan = plan_of(turn.row)
            chosen = _as_planned(turn, plan)
            _write_operations(turn, plan)
            turn.by = by
            turn.fold(Started(available=_available(chosen), by=by.label))
            turn.run()
            return turn.row
    except IntegrityError as error:
        if "one_live_deployment" not in str(error):
            raise
        raise _already_live(deployment_id) from None


def _check_startable(turn: Turn) -> None:
    row = turn.row
    if row.state != State.PENDING.value:
        raise Refused("not_waiting", "It is not waiting to be started any more.")
    if row.version.withdrawn_at is not None:
        raise Refused("withdrawn", _withdrawn(row.version))
    live = _live_beside(row)
    if live is not None:
        raise _live_refusal(live)


def _as_planned(turn: Turn, plan: Plan) -> list[Target]:
    """Compare the fleet with the plan; return the selected targets that still exist."""
    ids = [int(t.id) for t in plan.targets] + [int(s.id) for s in plan.skipped]
    # Who changes a target waits from here on until this has started, or was refused.
    operations.hold_targets(ids)
    chosen = list(Target.objects.filter(pk__in=ids, removed_at=None))
    by_id = {target.pk: target for target in chosen}
    changed = [
        by_id[int(t.id)].name
        for t in plan.targets
        if (
            int(t.id) in by_id
            and (running_version(by_id[int(t.id)]), by_id[int(t.id)].slot)
            != (t.from_version, t.slot)
        )
        or (int(t.id) in by_id and by_id[int(t.id)].driver_digest != t.driver_digest)
    ]
    if changed:
        raise Refused(
            "stale_plan",
            f"{_named(changed)} changed since the plan was made, so it was not started."
            " Make the plan again and look at the difference.",
        )
    _refuse_unresolved(chosen)
    return chosen


def _write_operations(turn: Turn, plan: Plan) -> None:
    places: dict[int, tuple[int, int]] = {}
    for number, step in enumerate(plan.course.steps):
        if isinstance(step, Deploy):
            for batch in range(len(step.starts)):
                for position in range(*step.batch(batch)):
                    places[position] = (number, batch)
    operations.plan_forward(
        turn.id,
        plan.version,
        [
            (position, int(target.id), target.from_version, *places[position])
            for position, target in enumerate(plan.targets)
        ],
    )


def _available(chosen: list[Target]) -> int:
    return Counter(t.health == Health.UNHEALTHY for t in chosen)[False]


def _refuse_unresolved(targets: list[Target]) -> None:
    waiting = Operation.objects.filter(
        target__in=[target.pk for target in targets], state="unresolved"
    ).values_list("target__name", flat=True)
    if waiting:
        raise Refused(
            "unresolved",
            f"{_named(sorted(set(waiting)))} still has an operation whose outcome"
            " nobody could find. Settle it in its deployment first.",
        )


def _live_beside(row: Deployment) -> Deployment | None:
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


def _already_live(deployment_id: int) -> Refused:
    live = _live_beside(Deployment.objects.get(pk=deployment_id))
    if live is None:
        return Refused("busy", "Another deployment was live just now. Press again.")
    return _live_refusal(live)


def _live_refusal(live: Deployment) -> Refused:
    return Refused(
        "live",
        f"Deployment {live.pk} by {live.created_by} is live in {live.environment} since"
        f" {live.started_at:%Y-%m-%d %H:%M} UTC ({live.state.replace('_', ' ')})."
        " Nothing was started; wait for it, or stop it first.",
    )


def _withdrawn(version: Version) -> str:
    return (
        f"Version {version} was withdrawn: {version.withdrawn_reason or 'no reason'}."
    )


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
