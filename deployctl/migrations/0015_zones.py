"""The zones in which targets stood when their deployment started, kept for its room."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

# For what was started before, by the labels of today: more is not known.
KEEP = """
    WITH stood AS (
        SELECT o.deployment_id, o.position, COALESCE(t.labels->>'zone', '') AS zone
          FROM deployctl_operation o JOIN deployctl_target t ON t.id = o.target_id
         WHERE o.direction = 'forward'),
    ranked AS (
        SELECT deployment_id, zone, row_number() OVER (
                   PARTITION BY deployment_id ORDER BY count(*) DESC, zone) AS rank
          FROM stood GROUP BY deployment_id, zone),
    numbered AS (
        SELECT deployment_id, zone, row_number() OVER (
                   PARTITION BY deployment_id ORDER BY zone) - 1 AS number
          FROM ranked WHERE rank <= 100),
    named AS (
        SELECT n.deployment_id, jsonb_agg(n.zone ORDER BY n.number) || CASE
                   WHEN EXISTS (SELECT 1 FROM ranked r WHERE r.rank > 100
                                   AND r.deployment_id = n.deployment_id)
                   THEN '["other zones"]' ELSE '[]' END::jsonb AS names
          FROM numbered n GROUP BY n.deployment_id),
    placed AS (
        SELECT s.deployment_id,
               string_agg(set_byte('\\x00', 0, COALESCE(n.number, 100)::int), ''
                          ORDER BY s.position) AS places
          FROM stood s LEFT JOIN numbered n
            ON n.deployment_id = s.deployment_id AND n.zone = s.zone
         GROUP BY s.deployment_id)
    INSERT INTO deployctl_zones (deployment_id, names, places)
    SELECT deployment_id, names, places FROM placed JOIN named USING (deployment_id)
"""
GUARD = """
    CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deployctl_zones
       FOR EACH STATEMENT EXECUTE FUNCTION deployctl_insert_only()
"""


class Migration(migrations.Migration):
    dependencies = [("deployctl", "0014_last_started")]

    operations = [
        migrations.CreateModel(
            name="Zones",
            fields=[
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="zones",
                        serialize=False,
                        to="deployctl.deployment",
                    ),
                ),
                ("names", models.JSONField()),
                ("places", models.BinaryField()),
            ],
        ),
        migrations.RunSQL(KEEP, migrations.RunSQL.noop),
        migrations.RunSQL(GUARD, "DROP TRIGGER insert_only ON deployctl_zones"),
    ]
