"""Making plans from today's fleet: of deployments, of retries, and of ways back.

It gathers what the core needs and stores nothing; what a plan holds is the core's word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from deployctl.models import (
    Application,
    Deployment,
    Environment,
    Operation,
    Router,
    Target,
    Version,
)
from deployctl.models.fleet import Health
from deployctl.queries.plans import plan_of
from deployctl.services.sights import Sight, running_version, seen
from strategies import Candidate, Plan, create_strategy
from strategies.plan import RouterSight
from strategies.registry import attended_options
from strategies.states import RETRYABLE, Direction, OperationState, State

#: States of an operation that a retry tries again.
_RETRIED = (OperationState.FAILED.value, OperationState.UNRESOLVED.value)


class Refused(Exception):
    """It cannot be done as things are; nothing was changed.

    Attributes:
        code: a stable word for programs.
        deployment_id: the one that stands in the way; None if it is none.
    """

    def __init__(
        self, code: str, message: str, deployment_id: int | None = None
    ) -> None:
        self.code = code
        self.deployment_id = deployment_id
        super().__init__(message)


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
        options: its options, as numbers or as typed; what is left out is as for a
            deployment that people watch.
        target_ids: the targets to change; None means the whole fleet.

    Raises:
        InvalidOptions: by option name, also when nothing is selected.
        Refused: for a withdrawn version, or targets that wait for a person.
    """
    refuse_withdrawn(version)
    targets = _fleet(application, environment)
    if target_ids is not None:
        targets = targets.filter(pk__in=list(target_ids))
    chosen = seen(targets)
    refuse_unresolved(chosen)
    return _planned(version, strategy, options, [_candidate(t) for t in chosen])


def plan_retry(parent: Deployment) -> Plan:
    """Return a plan for what a deployment could not do: the failed and the unresolved.

    Each target keeps the version that it had before the parent, to go back to.

    Raises:
        Refused: if the parent still runs, was taken back, or left nothing to retry.
    """
    row, plan = parent, plan_of(parent)
    if row.state not in RETRYABLE:
        state = row.state.replace("_", " ")
        raise Refused("not_retryable", f"It is {state}, so there is nothing to retry.")
    refuse_withdrawn(row.version)
    left = Operation.objects.filter(
        deployment=row, direction=Direction.FORWARD.value, target__isnull=False
    )
    came_from = dict(
        left.filter(state__in=_RETRIED).values_list("target_id", "from_version")
    )
    if not came_from:
        raise Refused("nothing_failed", "No target of it failed: nothing to retry.")
    targets = _fleet(row.application, row.environment)
    if plan.router is None or not plan.router.has_slots:
        targets = targets.filter(pk__in=came_from)
    chosen = seen(targets)
    refuse_unresolved(chosen, but_of=row.pk)
    candidates = [_candidate(t, came_from=came_from.get(t.id)) for t in chosen]
    options = {**plan.options, "health": plan.course.limits.health}
    return _planned(row.version, plan.strategy, options, candidates)


def plan_way_back(parent: Deployment) -> tuple[Version, Plan]:
    """Return a plan that takes a completed deployment back, and its version.

    Every target that it changed goes to its own earlier version, without stages, bakes
    or gates, and no faster than the parent was. Where a router was switched, traffic is
    led back.

    Raises:
        Refused: if it is not completed, or an earlier version is not to be had.
        InvalidOptions: if the slot that traffic left has been changed since.
    """
    if parent.state != State.COMPLETED.value:
        raise Refused("not_completed", "Only a completed deployment is taken back so.")
    plan = plan_of(parent)
    if plan.router is not None and plan.router.has_slots:
        return _switch_back(parent, plan)
    touched = Operation.objects.filter(
        deployment=parent, direction=Direction.FORWARD.value, attempt__gt=0
    ).exclude(state=OperationState.SKIPPED.value)
    goals = dict(touched.values_list("target_id", "from_version"))
    if not goals:
        raise Refused("nothing_touched", "It changed no target: nothing to take back.")
    versions = _registered(parent, Counter(goals.values()))
    targets = _fleet(parent.application, parent.environment)
    chosen = seen(targets.filter(pk__in=goals))
    refuse_unresolved(chosen)
    candidates = [_candidate(t, goes_to=goals[t.id]) for t in chosen]
    limits = plan.course.limits
    options = {
        "batch_size": limits.parallelism,
        "window": True,
        "delay_seconds": 0,
        "min_healthy": min(limits.floor, max(0, len(chosen) - 1)),
        "retries": max(1, limits.retries),
        "max_failures": None,
        "health": limits.health,
    }
    return versions, _planned(versions, "rolling", options, candidates)


def _switch_back(parent: Deployment, plan: Plan) -> tuple[Version, Plan]:
    assert plan.router is not None
    targets = seen(_fleet(parent.application, parent.environment))
    standby = [t for t in targets if t.slot == plan.router.serving]
    version = _registered(parent, Counter(map(running_version, standby)))
    refuse_unresolved(targets)
    options = {"auto_promote": True, "health": plan.course.limits.health}
    candidates = [_candidate(target) for target in targets]
    return version, _planned(version, "blue_green", options, candidates)


def _registered(parent: Deployment, found: Counter[str | None]) -> Version:
    """Return the version that most had; refuse if one of them is not to be had."""
    known = {
        version.version: version
        for version in Version.objects.filter(
            application_id=parent.application_id, version__in=[v for v in found if v]
        )
    }
    for version in found:
        if version not in known:
            raise Refused(
                "no_earlier_version",
                f"{found[version]} of its targets came from"
                f" {version or 'a version nobody knows'}, which is not registered."
                " Nothing was started. Register it, or deploy another version.",
            )
        refuse_withdrawn(known[version])
    (most, _), *_ = found.most_common(1)
    return known[str(most)]


def _fleet(application: Application, environment: Environment) -> QuerySet[Target]:
    return Target.objects.filter(
        application=application, environment=environment, removed_at=None
    )


def _candidate(
    target: Sight, *, came_from: str | None = None, goes_to: str | None = None
) -> Candidate:
    return Candidate(
        id=str(target.id),
        version=running_version(target),
        healthy=target.health != Health.UNHEALTHY,
        slot=target.slot,
        driver_digest=target.driver_digest,
        zone=target.zone,
        came_from=came_from,
        goes_to=goes_to,
        left_out=target.disabled_reason or None,
    )


def _planned(
    version: Version,
    strategy: str,
    options: Mapping[str, Any],
    candidates: list[Candidate],
) -> Plan:
    made = create_strategy(strategy, **{**attended_options(strategy), **options})
    router = None
    if candidates and made.needs_router:
        router = _sight(Target.objects.get(pk=int(candidates[0].id)))
    return made.plan(candidates, version.version, version.digest, router=router)


def _sight(target: Target) -> RouterSight:
    """Return the fleet's router as it was last read back."""
    retained = Q(retain_until__gt=Now())
    for row in Router.objects.filter(
        application=target.application, environment=target.environment
    ).annotate(is_retained=retained):
        if row.serving is None:
            raise Refused(
                "router_unread",
                "Nobody has read yet where the router leads traffic. A worker does so"
                " within seconds; make the plan again.",
            )
        return RouterSight(
            id=str(row.pk),
            serving=row.serving,
            slots=tuple(row.slots),
            retained=row.retained_slot if row.is_retained else None,
            driver_digest=row.driver_digest,
        )
    raise Refused(
        "no_router",
        f"{target.application} has no router in {target.environment}, so nobody can"
        " lead its traffic. Add one, or choose what needs none.",
    )


def refuse_withdrawn(version: Version) -> None:
    """Refuse a version that must not be deployed."""
    if version.withdrawn_at is not None:
        reason = version.withdrawn_reason or "no reason"
        raise Refused(
            "withdrawn",
            f"Version {version} was withdrawn: {reason}. Choose another version."
            " Nothing was started.",
        )


def refuse_unresolved(
    targets: Sequence[Target | Sight], *, but_of: int | None = None
) -> None:
    """Refuse targets that wait for a person, but for those of one deployment.

    Those that are disabled may wait: no plan touches them.
    """
    # All that wait, who are few, and not all that are meant, who may be 100,000.
    waiting = Operation.objects.filter(state="unresolved", target__isnull=False)
    others = waiting.exclude(deployment_id=but_of or 0)
    ids = set(others.values_list("target_id", flat=True))
    names = {t.name for t in targets if t.id in ids and not t.disabled_reason}
    if names:
        raise Refused(
            "unresolved",
            f"{named(sorted(names))} still has an operation whose outcome"
            " nobody could find. Nothing was started; settle it in its deployment"
            " first.",
        )


def named(names: list[str]) -> str:
    """Return a few names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
