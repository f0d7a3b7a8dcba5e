"""Cursors and values for the journal's statements; it knows no table.

These few statements run for every flush of every worker, so that what a round trip and
a value cost is worth some care here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def sql() -> Iterator[psycopg.Cursor[Any]]:
    """Give a cursor that sends values apart from the statement.

    Django's own puts them into its text, so that nothing is ever prepared, and planning
    these statements anew costs more than they do. What goes wrong is raised as Django's
    own cursor would raise it.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as made:
        yield made


@contextmanager
def together() -> Iterator[None]:
    """Send statements without waiting for each; they run one by one, in their order.

    Only who asks for rows waits, and what a statement raises may come from a later one.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


# Lists as PostgreSQL writes them: psycopg would look at every value's type.


def numbers(values: Iterable[int]) -> str:
    """Return whole numbers as one value, to be cast to an array."""
    return f"{{{','.join(map(str, values))}}}"


def flags(values: Iterable[bool]) -> str:
    """Return truths as one value, to be cast to an array."""
    return f"{{{','.join('t' if value else 'f' for value in values)}}}"


def texts(values: Iterable[str | None]) -> str:
    """Return texts as one value, to be cast to an array."""
    return f"{{{','.join(map(_quoted, values))}}}"


def _quoted(value: str | None) -> str:
    if not value:
        return "NULL" if value is None else '""'
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
