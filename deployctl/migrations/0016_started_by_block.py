"""What was started of late is found by blocks, so that nothing is walked by its time."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("deployctl", "0015_zones")]

    operations = [
        migrations.RemoveIndex(model_name="deployment", name="deployment_started"),
        migrations.AddIndex(
            model_name="deployment",
            index=BrinIndex(
                fields=["started_at"],
                pages_per_range=16,
                autosummarize=True,
                name="deployment_started",
            ),
        ),
    ]
