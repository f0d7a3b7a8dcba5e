"""The networks that an environment may use; none listed means any, as before."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("deployctl", "0009_checks")]

    operations = [
        migrations.AddField(
            model_name="environment",
            name="allowed_addresses",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
