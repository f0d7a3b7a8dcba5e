"""Who did what and why: rows that nobody changes, by role and by trigger."""

from __future__ import annotations

from django.db import models


class Audit(models.Model):
    """One act of a person or a rule, written with the change that it made."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    actor_id = models.BigIntegerField(null=True, blank=True)
    #: object, dot, past participle: deployment.paused
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.BigIntegerField(null=True, blank=True)
    object_label = models.CharField(max_length=300, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    reason = models.TextField(blank=True)
    #: ok, noop, denied or refused
    result = models.CharField(max_length=16, default="ok")
    #: From where it came: an address, a terminal, a worker.
    source = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id", "id"])]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_label}"
