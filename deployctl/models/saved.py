"""Forms of the builder that were saved: drafts and templates; a plan they are not."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class SavedForm(models.Model):
    """What was typed into the builder, under a name.

    A draft is one person's: all that they typed. A template is everybody's: a strategy
    and its options for one place, without a version, with a saved query or none.
    `fields` are texts by the builder's names of fields.
    """

    class Kind(models.TextChoices):
        """Whose it is, and what for."""

        DRAFT = "draft"
        TEMPLATE = "template"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=64)
    application = models.ForeignKey("Application", models.PROTECT, related_name="+")
    environment = models.ForeignKey("Environment", models.PROTECT, related_name="+")
    #: Whose draft it is; None: a template is nobody's.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
    )
    fields = models.JSONField()
    #: The targets of a template; None: whichever are chosen.
    query = models.ForeignKey(
        "SavedQuery", models.PROTECT, related_name="+", null=True, blank=True
    )
    #: Rises when it is overwritten, so that nobody overwrites what they have not seen.
    revision = models.IntegerField(default=1)
    saved_by = models.CharField(max_length=200)
    saved_at = models.DateTimeField(db_default=Now())
    #: The last deployment that began with this template.
    last_deployment = models.ForeignKey(
        "Deployment", models.SET_NULL, related_name="+", null=True, blank=True
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "environment", "name"],
                condition=Q(kind="template"),
                name="template_once",
            ),
            models.UniqueConstraint(
                fields=["owner", "name"], condition=Q(kind="draft"), name="draft_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="draft", owner__isnull=False, query=None)
                | Q(kind="template", owner=None),
                name="draft_has_an_owner",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def stamp(self) -> str:
        """What a page sends back to say which of its revisions was seen."""
        return f"{self.pk}.{self.revision}"
