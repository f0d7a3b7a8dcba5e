"""Worker processes and their beats: the only lease there is."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Worker(models.Model):
    """One row a process start; a restarted worker is a new one."""

    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    version = models.CharField(max_length=64)
    #: The kinds of targets that it can reach; null if it did not say: any.
    kinds = models.JSONField(null=True, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())
    #: Set when it stopped by itself: its claims may be taken over at once.
    left_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"
