"""Routers with their shifts, and what watching remembers of a target."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deployctl", "0005_attempts"),
    ]

    operations = [
        migrations.AddField(
            model_name="operation",
            name="regressed",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="target",
            name="looked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="target",
            name="looks",
            field=models.IntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="operation",
            name="kind",
            field=models.CharField(
                choices=[
                    ("deploy", "deploy"),
                    ("verify", "verify"),
                    ("restore", "restore"),
                    ("shift", "shift"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="operation",
            name="target",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="operations",
                to="deployctl.target",
            ),
        ),
        migrations.CreateModel(
            name="Router",
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
                ("kind", models.CharField(max_length=32)),
                ("settings", models.JSONField(blank=True, default=dict)),
                ("driver_digest", models.CharField(blank=True, max_length=64)),
                ("slots", models.JSONField(default=list)),
                ("serving", models.CharField(blank=True, max_length=64, null=True)),
                ("observed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "retained_slot",
                    models.CharField(blank=True, max_length=64, null=True),
                ),
                ("retain_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                ("quiet_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        to="deployctl.application",
                    ),
                ),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        to="deployctl.environment",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="operation",
            name="router",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="operations",
                to="deployctl.router",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["running", "unknown", "verifying"])),
                fields=("router",),
                name="one_open_shift",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "shift"),
                        ("router__isnull", False),
                        ("target__isnull", True),
                    ),
                    models.Q(
                        models.Q(("kind", "shift"), _negated=True),
                        ("router__isnull", True),
                        ("target__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="one_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="router",
            constraint=models.UniqueConstraint(
                fields=("application", "environment"), name="router_once"
            ),
        ),
    ]
