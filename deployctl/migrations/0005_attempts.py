"""Count attempts to sign in where all web processes see them."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the table; its rows are deleted when they are some minutes old."""

    dependencies = [("deployctl", "0004_worker_kinds")]

    operations = [
        migrations.CreateModel(
            name="Attempts",
            fields=[
                (
                    "key",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("count", models.IntegerField()),
                ("since", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
