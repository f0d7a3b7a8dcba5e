"""What is kept of people beside Django's own rows: their attempts to sign in."""

from __future__ import annotations

from django.db import models


class Attempts(models.Model):
    """How many attempts to sign in were made under one key since a moment.

    The key is a digest: what was typed as a name may have been a password.
    """

    key = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField()
    since = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} since {self.since}"
