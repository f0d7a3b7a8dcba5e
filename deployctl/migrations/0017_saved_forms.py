"""Drafts and templates of the builder."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deployctl", "0016_started_by_block"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedForm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("draft", "Draft"), ("template", "Template")],
                        max_length=16,
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("fields", models.JSONField()),
                ("revision", models.IntegerField(default=1)),
                ("saved_by", models.CharField(max_length=200)),
                (
                    "saved_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="deployctl.application",
                    ),
                ),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="deployctl.environment",
                    ),
                ),
                (
                    "last_deployment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="deployctl.deployment",
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "query",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="deployctl.savedquery",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "template")),
                        fields=("application", "environment", "name"),
                        name="template_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "draft")),
                        fields=("owner", "name"),
                        name="draft_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("kind", "draft"),
                                ("owner__isnull", False),
                                ("query", None),
                            ),
                            models.Q(("kind", "template"), ("owner", None)),
                            _connector="OR",
                        ),
                        name="draft_has_an_owner",
                    ),
                ],
            },
        ),
    ]
