"""The two roles and the database of an embedded server; knows no table in it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

OWNER = "deployctl_owner"
APP = "deployctl_app"
DATABASE = "deployctl"


@dataclass(frozen=True)
class Addresses:
    """How to reach one database: as the application, and as the owner of its tables.

    An empty owner means that none was given: migrating uses the application's.
    """

    app: str
    owner: str


def prepare_database(superuser_url: str, name: str = DATABASE) -> Addresses:
    """Make the roles and the database where they are missing; return its addresses.

    Neither role is a superuser or may make databases or roles. Public schema: the owner
    of the database may create in it (PostgreSQL 15 and newer), others may only use it.
    """
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for role in (OWNER, APP):
            known = "SELECT 1 FROM pg_roles WHERE rolname = %s"
            if connection.execute(known, [role]).fetchone() is None:
                connection.execute(
                    sql.SQL(
                        "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
                    ).format(sql.Identifier(role))
                )
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(known, [name]).fetchone() is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(name), sql.Identifier(OWNER)
                )
            )
    return addresses(superuser_url, name)


def addresses(superuser_url: str, name: str) -> Addresses:
    """The addresses of a database on the server of this one."""
    return Addresses(
        app=make_conninfo(superuser_url, user=APP, dbname=name),
        owner=make_conninfo(superuser_url, user=OWNER, dbname=name),
    )
