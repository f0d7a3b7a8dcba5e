"""Plans, events and the audit cannot be changed or removed, not even by their owner."""

from __future__ import annotations

from django.db import migrations

TABLES = ("deployctl_plan", "deployctl_event", "deployctl_audit")

FUNCTION = """
CREATE FUNCTION deployctl_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert only', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""


class Migration(migrations.Migration):
    """Add one trigger to each insert-only table."""

    dependencies = [("deployctl", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION deployctl_insert_only()"),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE"
                f" ON {table} FOR EACH STATEMENT"
                f" EXECUTE FUNCTION deployctl_insert_only()",
                f"DROP TRIGGER insert_only ON {table}",
            )
            for table in TABLES
        ),
    ]
