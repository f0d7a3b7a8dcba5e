"""Creating and starting deployments: a frozen plan, and its first turn at the door.

It plans nothing, and a started deployment is the journal's affair.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction

from deployctl.models import Application, Command, Deployment, Environment, Version
from deployctl.queries.plans import plan_of
from deployctl.services import audit, journal, planning, plans, starting, zones
from deployctl.services.people import Actor, NotAllowed, require
from deployctl.services.planning import Refused
from deployctl.services.replies import KeyReused
from deployctl.services.saved_forms import note_use
from strategies import Plan
from strategies.messages import Started
from strategies.states import State


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
    parent: Deployment | None = None,
    template: int | None = None,
) -> Deployment:
    """Freeze a plan and start it, both or neither, at most once for each key.

    Args:
        application: what is deployed.
        environment: where.
        version: which version of it.
        plan: how.
        by: who starts it.
        key: of the button that was pressed.
        why: for the record.
        parent: what it is the retry or the way back of.
        template: the template that it began with.

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
                *(application, environment, version, plan),
                by=by,
                why=why,
                parent=parent,
            )
            Command.objects.create(
                actor_id=by.user_id,
                key=key,
                deployment=row,
                body_hash=plan.hash,
                answer={"started": row.pk},
            )
            note_use(template, row)
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


def retry_failed(
    deployment_id: int, *, by: Actor, key: str, why: str = ""
) -> Deployment:
    """Start a linked deployment of what another could not do.

    Raises:
        NotAllowed, KeyReused, Refused: as `deploy`; and `planning.plan_retry`.
    """
    done = _followed(by, key, deployment_id)
    if done is not None:
        return done
    parent = Deployment.objects.get(pk=deployment_id)
    where = parent.application, parent.environment
    plan = planning.plan_retry(parent)
    return deploy(*where, parent.version, plan, by=by, key=key, why=why, parent=parent)


def take_back(deployment_id: int, *, by: Actor, key: str, why: str = "") -> Deployment:
    """Start a linked deployment that takes a completed one back.

    Raises:
        NotAllowed, KeyReused, Refused: as `deploy`; and `planning.plan_way_back`.
    """
    done = _followed(by, key, deployment_id)
    if done is not None:
        return done
    parent = Deployment.objects.get(pk=deployment_id)
    where = parent.application, parent.environment
    version, plan = planning.plan_way_back(parent)
    return deploy(*where, version, plan, by=by, key=key, why=why, parent=parent)


def _followed(by: Actor, key: str, parent_id: int) -> Deployment | None:
    """Return what this key has started already; planned anew it would differ."""
    used = Command.objects.filter(actor_id=by.user_id, key=key).first()
    if used is None:
        return None
    if used.deployment.parent_id != parent_id:
        raise KeyReused("This button was already used for something else.")
    return used.deployment


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
            starting.check(turn)
            plan = plan_of(turn.row)
            chosen = starting.as_planned(turn, plan)
            starting.write_operations(turn, plan)
            zones.keep(turn.id, plan, chosen)
            turn.by = by
            available = starting.available(plan, chosen)
            turn.fold(Started(available=available, by=by.label))
            turn.run()
            starting.take_over(turn, by)
            return turn.row
    except IntegrityError as error:
        if "one_live_deployment" not in str(error):
            raise
        raise starting.already_live(deployment_id) from None
