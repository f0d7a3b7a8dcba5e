"""Plans, deployments, their operations and events, and the commands given to them."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from strategies.states import (
    AT_REST,
    LIVE,
    OPEN,
    Direction,
    Kind,
    OperationState,
    State,
)

LIVE_STATES = sorted(state.value for state in LIVE)
REST_STATES = sorted(state.value for state in AT_REST)
OPEN_STATES = sorted(state.value for state in OPEN)


def _choices(
    kind: type[State] | type[Direction] | type[OperationState] | type[Kind],
) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in kind]


class Plan(models.Model):
    """An immutable plan under its hash; insert only.

    `content` is the whole plan, `course` the small part that the machine needs.
    """

    hash = models.CharField(max_length=64, primary_key=True)
    content = models.JSONField()
    course = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return self.hash[:12]


class Deployment(models.Model):
    """One execution of one plan.

    Everything from `state` to `due_at` is a projection of `progress`, kept beside it
    for constraints and queries; the journal writes them together.
    """

    application = models.ForeignKey("Application", models.PROTECT, db_index=False)
    environment = models.ForeignKey("Environment", models.PROTECT, db_index=False)
    version = models.ForeignKey("Version", models.PROTECT)
    plan = models.ForeignKey(Plan, models.PROTECT)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True)
    strategy = models.CharField(max_length=64)
    why = models.TextField(blank=True)
    #: Those of the reason, of a very long one the first: by them it is found.
    words = models.GeneratedField(
        expression=Func("why", function="deployctl_words"),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    rested_at = models.DateTimeField(null=True, blank=True)

    format = models.SmallIntegerField(default=1)
    progress = models.JSONField(null=True, blank=True)
    seq = models.BigIntegerField(default=0)
    control_version = models.BigIntegerField(default=0)
    state = models.CharField(max_length=20, choices=_choices(State))
    intent = models.SmallIntegerField(default=0)
    hold = models.JSONField(null=True, blank=True)
    halt = models.JSONField(null=True, blank=True)
    open_count = models.IntegerField(default=0)
    reason = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=32, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "environment"],
                condition=Q(state__in=LIVE_STATES),
                name="one_live_deployment",
            ),
            models.CheckConstraint(
                condition=Q(open_count__gte=0), name="open_count_is_a_count"
            ),
            models.CheckConstraint(
                condition=Q(open_count=0)
                | Q(state__in=[State.IN_PROGRESS.value, State.ROLLING_BACK.value]),
                name="no_rest_while_open",
            ),
        ]
        # No column that a flush changes, so that its update touches no index.
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(state__in=LIVE_STATES),
                name="deployment_live",
            ),
            # All that the history is filtered by, in the order in which it is shown:
            # what no index below finds is walked for here, and no row is read.
            models.Index(
                fields=["id"],
                include=[
                    *("application", "environment", "version", "created_by"),
                    *("strategy", "state", "created_at", "words"),
                ],
                name="deployment_history",
            ),
            # Its filters, each in that order too.
            models.Index("state", F("id").desc(), name="deployment_by_state"),
            models.Index(
                *("application", "environment", F("id").desc()),
                name="deployment_by_place",
            ),
            models.Index("environment", F("id").desc(), name="deployment_by_env"),
            models.Index("created_at", name="deployment_by_day"),
            # The last one of each place, and those of the last day: what pages ask.
            models.Index(
                *("application", "environment", F("started_at").desc()),
                condition=Q(started_at__isnull=False),
                name="deployment_last_started",
            ),
            # That of the last day has no order: to find the last one of a place that
            # rests, PostgreSQL would walk all others back by it.
            BrinIndex(
                fields=["started_at"],
                pages_per_range=16,
                autosummarize=True,
                name="deployment_started",
            ),
            # Without a list of what it has still to take in, which each search reads.
            GinIndex(fields=["words"], fastupdate=False, name="deployment_words"),
        ]

    def __str__(self) -> str:
        return f"{self.application} {self.version} to {self.environment}"


class Operation(models.Model):
    """One effect on one subject: a target, or the router of a shift.

    A return's operation has the position of the forward one that it takes back. The
    versions of a shift are the slots that traffic leaves and enters. One that
    `regressed` had succeeded, and was seen unhealthy since.
    """

    deployment = models.ForeignKey(
        Deployment, models.PROTECT, related_name="operations", db_index=False
    )
    kind = models.CharField(max_length=16, choices=_choices(Kind))
    target = models.ForeignKey(
        "Target", models.PROTECT, null=True, blank=True, related_name="operations"
    )
    router = models.ForeignKey(
        "Router",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="operations",
        db_index=False,
    )
    direction = models.CharField(max_length=8, choices=_choices(Direction))
    position = models.IntegerField()
    step = models.IntegerField()
    batch = models.IntegerField()
    state = models.CharField(max_length=16, choices=_choices(OperationState))
    attempt = models.IntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    claimed_by = models.ForeignKey(
        "Worker", models.PROTECT, null=True, blank=True, db_index=False
    )
    was_available = models.BooleanField(default=True)
    apply_by = models.DateTimeField(null=True, blank=True)
    verify_by = models.DateTimeField(null=True, blank=True)
    settle_by = models.DateTimeField(null=True, blank=True)
    from_version = models.CharField(max_length=128, null=True, blank=True)
    to_version = models.CharField(max_length=128, null=True, blank=True)
    regressed = models.BooleanField(default=False, db_default=False)
    error = models.TextField(blank=True, default="")
    output = models.TextField(blank=True, default="")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "direction", "position"],
                name="operation_position_once",
            ),
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(state__in=OPEN_STATES),
                name="one_open_operation",
            ),
            models.UniqueConstraint(
                fields=["router"],
                condition=Q(state__in=OPEN_STATES, router__isnull=False),
                name="one_open_shift",
            ),
            models.CheckConstraint(
                condition=Q(kind=Kind.SHIFT.value, router__isnull=False)
                & Q(target__isnull=True)
                | ~Q(kind=Kind.SHIFT.value)
                & Q(target__isnull=False, router__isnull=True),
                name="one_subject",
            ),
        ]
        indexes = [
            models.Index(
                fields=["deployment", "direction", "position"],
                condition=Q(state="pending"),
                name="operation_pending",
            ),
            models.Index(
                fields=["deployment"],
                condition=Q(state__in=OPEN_STATES),
                name="operation_open",
            ),
            models.Index(
                fields=["target"],
                condition=Q(state="unresolved"),
                name="operation_unresolved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.position} of deployment {self.deployment_id}"


class Event(models.Model):
    """An ordered list of facts with one time; insert only, gapless a deployment."""

    pk = models.CompositePrimaryKey("deployment_id", "seq")
    deployment = models.ForeignKey(
        Deployment, models.PROTECT, related_name="events", db_index=False
    )
    seq = models.BigIntegerField()
    #: The kind of its most telling fact, for lists.
    kind = models.CharField(max_length=32)
    payload = models.JSONField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.deployment_id}/{self.seq} {self.kind}"


class Zones(models.Model):
    """In which zone each target of a deployment stood when it started; insert only.

    `places` has a byte for each position, in plan order: the number of its zone in
    `names`.
    """

    deployment = models.OneToOneField(
        Deployment, models.PROTECT, primary_key=True, related_name="zones"
    )
    names = models.JSONField()
    places = models.BinaryField()

    def __str__(self) -> str:
        return f"zones of deployment {self.deployment_id}"


class Command(models.Model):
    """What was asked under an idempotency key, and the first answer to it."""

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+"
    )
    key = models.CharField(max_length=64)
    deployment = models.ForeignKey(Deployment, models.PROTECT)
    body_hash = models.CharField(max_length=64)
    answer = models.JSONField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor", "key"], name="command_once")
        ]

    def __str__(self) -> str:
        return f"{self.key} by {self.actor_id}"
