"""An agent's `health_url` becomes the first of its checks, as any target may have."""

from __future__ import annotations

from django.db import migrations

MOVE = """
    UPDATE deployctl_target
       SET settings = (settings - 'health_url') || jsonb_build_object(
               'checks',
               jsonb_build_array(
                   jsonb_build_object('kind', 'http', 'url', settings->'health_url')))
     WHERE settings ? 'health_url'
"""


class Migration(migrations.Migration):
    dependencies = [("deployctl", "0008_secrets")]

    operations = [migrations.RunSQL(MOVE, migrations.RunSQL.noop)]
