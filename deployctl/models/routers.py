"""What leads traffic to one of two slots, as it was last read back."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Router(models.Model):
    """The one endpoint of an application in an environment.

    `serving` is what was read back last, at `observed_at`. `retained_slot` must stay as
    it is until `retain_until`, so that traffic can return to it. `fence` and `quiet_at`
    are as a target's.
    """

    application = models.ForeignKey("Application", models.PROTECT)
    environment = models.ForeignKey("Environment", models.PROTECT)
    kind = models.CharField(max_length=32)
    settings = models.JSONField(default=dict, blank=True)
    driver_digest = models.CharField(max_length=64, blank=True)
    slots = models.JSONField(default=list)
    serving = models.CharField(max_length=64, null=True, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)
    retained_slot = models.CharField(max_length=64, null=True, blank=True)
    retain_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    quiet_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "environment"], name="router_once"
            )
        ]

    def __str__(self) -> str:
        return f"router of {self.application} in {self.environment}"
