"""Let each worker say which kinds of targets it can reach."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the column; a worker from before does not say, and counts as able to."""

    dependencies = [("deployctl", "0003_room_for_updates")]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="kinds",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
