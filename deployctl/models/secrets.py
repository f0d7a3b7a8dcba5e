"""Named secrets of drivers, sealed; what opens them is never in the database."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Secret(models.Model):
    """A value that targets and routers name; without an environment it is for all.

    `sealed` opens only in this very row (its id, environment and name), with the key
    `key_id`.
    """

    environment = models.ForeignKey(
        "Environment", models.PROTECT, null=True, blank=True, related_name="secrets"
    )
    name = models.CharField(max_length=64)
    sealed = models.BinaryField()
    key_id = models.CharField(max_length=16, db_index=True)
    set_at = models.DateTimeField(db_default=Now())
    set_by = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "name"],
                nulls_distinct=False,
                name="secret_once",
            )
        ]

    def __str__(self) -> str:
        return self.name
