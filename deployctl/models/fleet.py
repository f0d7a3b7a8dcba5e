"""What is deployed and where: applications, environments, targets and versions."""

from __future__ import annotations

import re

from django.db import models
from django.db.models import F
from django.db.models.functions import Now

#: The one pattern for versions and names that reach a target: see `agent.py`.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+:@/-]{0,127}$"
#: What a saved query may be called.
QUERY_NAME = re.compile(r"\w[\w ._-]{0,63}")
#: The label by which a canary is spread, and by which a room counts.
ZONE = "zone"


class Application(models.Model):
    """One product with versions of its own."""

    name = models.CharField(max_length=128, unique=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class Environment(models.Model):
    """Where applications run; policies hang here."""

    name = models.CharField(max_length=128, unique=True)
    is_production = models.BooleanField(default=False)
    #: Networks that its targets, routers and checks may have; none listed: any.
    allowed_addresses = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class SavedQuery(models.Model):
    """A choice of targets under a name, for one application in every environment."""

    application = models.ForeignKey(Application, models.PROTECT, related_name="queries")
    name = models.CharField(max_length=64)
    text = models.CharField(max_length=1000)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "name"], name="saved_query_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Version(models.Model):
    """One immutable build of an application."""

    application = models.ForeignKey(
        Application, models.PROTECT, related_name="versions"
    )
    version = models.CharField(max_length=128)
    digest = models.CharField(max_length=200, blank=True)
    notes = models.TextField(blank=True)
    ticket = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "version"], name="version_once"
            )
        ]

    def __str__(self) -> str:
        return self.version


class Health(models.TextChoices):
    """What was last known of a target's health."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Target(models.Model):
    """An instance of one application in one environment.

    `recorded_version` changes when a deployment succeeded there, `observed_version`
    with every probe. `fence` counts claims and is never reset. No other effect starts
    before `quiet_at`, unless the driver checks the fence.
    """

    application = models.ForeignKey(Application, models.PROTECT, related_name="targets")
    environment = models.ForeignKey(Environment, models.PROTECT, related_name="targets")
    name = models.CharField(max_length=128)
    address = models.CharField(max_length=500, blank=True)
    driver = models.CharField(max_length=32)
    settings = models.JSONField(default=dict, blank=True)
    driver_digest = models.CharField(max_length=64, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    slot = models.CharField(max_length=64, null=True, blank=True)
    recorded_version = models.CharField(max_length=128, null=True, blank=True)
    observed_version = models.CharField(max_length=128, null=True, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    health = models.CharField(
        max_length=16, choices=Health.choices, default=Health.UNKNOWN
    )
    fence = models.BigIntegerField(default=0)
    quiet_at = models.DateTimeField(null=True, blank=True)
    #: When somebody last set out to look whether it is still well, and what was seen in
    #: a row since: so many good looks, or, below 0, so many bad ones.
    looked_at = models.DateTimeField(null=True, blank=True)
    looks = models.IntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    #: Somebody left it out of plans and looks, and why; None: it takes part.
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.TextField(blank=True, default="", db_default="")
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "environment", "name"], name="target_once"
            ),
            models.CheckConstraint(
                condition=models.Q(disabled_at=None, disabled_reason="")
                | models.Q(disabled_at__isnull=False) & ~models.Q(disabled_reason=""),
                name="disabled_with_a_reason",
            ),
        ]
        indexes = [
            models.Index(
                F("looked_at").asc(nulls_first=True),
                condition=models.Q(removed_at=None),
                name="target_looked_at",
            )
        ]

    def __str__(self) -> str:
        return self.name
