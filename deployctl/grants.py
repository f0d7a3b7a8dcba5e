"""The application role's rights on the tables; it knows no rows.

Plans, zones, events and the audit are insert only: by these rights, and by a trigger
that also stops the owner.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connections
from psycopg import sql

INSERT_ONLY = (
    "deployctl_plan",
    "deployctl_zones",
    "deployctl_event",
    "deployctl_audit",
)


def grant_rights(using: str) -> None:
    """Give the application's login what it needs; run after every migration.

    Migrations only grant: the role itself is made by the launcher or an administrator.
    """
    connection = connections[using]
    role = settings.DATABASE_APP_ROLE
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, EXISTS (SELECT 1 FROM pg_roles WHERE rolname = %s)",
            [role],
        )
        owner, exists = cursor.fetchone()
        if not exists or owner == role:
            return
        name = sql.Identifier(role)
        kept = sql.SQL(", ").join(sql.Identifier(table) for table in INSERT_ONLY)
        for statement in (
            sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(name),
            sql.SQL(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
                " TO {}"
            ).format(name),
            sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(name),
            sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(kept, name),
        ):
            cursor.execute(statement)
