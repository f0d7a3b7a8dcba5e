"""PostgreSQL servers and databases for tests; real, started by our launcher."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import psycopg
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployctl import environment
from deployctl.launch import Addresses, Places, Postgres, prepare_database
from deployctl.launch.postgres import FORGETFUL
from deployctl.launch.roles import OWNER, addresses
from tests.support import nursery

TEMPLATE = "template_deployctl"
# Filled by migrating, and the same ever after; everything else is a test's.
KEPT = ("django_migrations", "django_content_type", "auth_permission")
#: Tables that have grown beyond this are cut off; of others the rows are deleted.
LARGE_BYTES = 1 << 20
_RESTART = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
      FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


class Server:
    """One PostgreSQL server in a folder of its own, with a migrated template database.

    start() and stop() as often as a test likes; remove() at the end. Main thread only.
    """

    def __init__(self, *, forgetful: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dctl-"))
        places = Places(self.folder)
        more = {"max_connections": "200", **(FORGETFUL if forgetful else {})}
        self.postgres = Postgres(places, more)

    @property
    def superuser_url(self) -> str:
        """For making and emptying databases; no test reads or writes by it."""
        return self.postgres.superuser_url

    def start(self) -> None:
        """Start it; the first time, make the template too."""
        self.postgres.start()
        if not (self.folder / "secret-key").exists():
            migrate(prepare_database(self.superuser_url, TEMPLATE), self.folder)
            self.postgres.places.make_keys()

    def stop(self) -> None:
        """Stop it as an administrator would: at once, breaking connections."""
        self.postgres.stop()

    def remove(self) -> None:
        """Stop it, and leave no file behind."""
        self.stop()
        shutil.rmtree(self.folder)


def migrate(to: Addresses, data: Path) -> None:
    """Run `manage.py migrate` on a database, as its owner."""
    given = {"DATABASE_URL": to.app, "DATABASE_OWNER_URL": to.owner}
    argv = [nursery.MANAGE, "migrate", "--verbosity=0"]
    done = nursery.run(argv, env={**os.environ, **given, "DATA_DIR": str(data)})
    assert done.returncode == 0, done.stderr


def make_database(superuser_url: str, name: str = "") -> Addresses:
    """A fresh copy of the migrated template; the name is made up unless given."""
    name = name or f"test_{secrets.token_hex(4)}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(TEMPLATE), sql.Identifier(OWNER)
            )
        )
    return addresses(superuser_url, name)


def use_database(addresses: Addresses) -> str:
    """Point Django at a database, as the application's role; return its name."""
    given = settings.DATABASES["default"]
    given.update(environment.database(addresses.app))
    settings.DATABASE_URL = settings.DATABASE_LISTEN_URL = addresses.app
    settings.DATABASE_APP_ROLE = given["USER"]
    name = str(given["NAME"])
    given.setdefault("TEST", {})["NAME"] = name
    return name


def empty_database(superuser_url: str, name: str) -> None:
    """Put a database back to what the template holds.

    As superuser, since the application may not delete what happened, and the triggers
    stop its owner too. A transaction that a test left open is an error after 5 s.
    """
    url = make_conninfo(superuser_url, dbname=name)
    with psycopg.connect(url, options="-c lock_timeout=5s") as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        found = connection.execute(
            "SELECT tablename, pg_relation_size(tablename::regclass) FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> ALL(%s)",
            [list(KEPT)],
        ).fetchall()
        tables = {name: sql.Identifier(name) for name, _ in found}
        every = sql.SQL(", ").join(tables.values())
        lock = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
        connection.execute(lock.format(every))
        # A truncated table gets new files, and so does each of its indexes: that costs
        # ten times what deleting the few rows of most tests does.
        large = [tables[name] for name, size in found if size > LARGE_BYTES]
        few = [tables[name] for name, size in found if 0 < size <= LARGE_BYTES]
        work: list[sql.Composable] = [
            sql.SQL("DELETE FROM {}").format(table) for table in few
        ]
        if large:
            work.append(
                sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(large))
            )
        work.append(sql.SQL(_RESTART))
        connection.execute(sql.SQL("; ").join(work))
