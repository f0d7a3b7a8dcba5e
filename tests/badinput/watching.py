"""Sees what became of bad input: what was changed, logged, raised and answered.

It judges nothing by itself but what is never right: a change of any table, an error or
a traceback in the log, a secret there.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import cache

from django.db import connection, transaction

from tests.badinput.values import SECRET

#: What comes and goes with sessions, and what is counted against guessing.
_PASSING = ("django_session", "django_migrations", "deployctl_attempts")
#: That somebody was refused is recorded, and so is the answer to their key.
_REFUSALS = {
    "deployctl_audit": "WHERE result NOT IN ('refused', 'denied', 'stale')",
    "deployctl_command": "WHERE coalesce(answer ->> 'status', 'ok')"
    " NOT IN ('refused', 'denied', 'stale')",
}


@cache
def _statement() -> str:
    """Return one statement that reads every table, and sums it up."""
    names = sorted(set(connection.introspection.table_names()) - set(_PASSING))
    return " UNION ALL ".join(
        f"SELECT '{name}', count(*), sum(hashtextextended(t::text, 0)::numeric)"
        f" FROM {name} t {_REFUSALS.get(name, '')}"
        for name in names
    )


def fingerprint() -> dict[str, tuple[int, object]]:
    """Return what every table holds, in a number each; the order of rows is nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_statement())
        return {name: (count, hashed) for name, count, hashed in cursor.fetchall()}


class Watch(logging.Handler):
    """Hears every line of the log as it is written, and keeps what is wrong."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.wrong: list[str] = []
        (ours,) = (h for h in logging.root.handlers if h.name == "stderr")
        self.formatter, self.filters = ours.formatter, ours.filters

    def emit(self, record: logging.LogRecord) -> None:
        """Note an error, a traceback, or the secret."""
        line = self.format(record)
        if record.levelno >= logging.ERROR:
            self.wrong.append(f"logged an error: {line[:300]}")
        elif record.exc_info:
            self.wrong.append(f"logged a traceback: {line[:300]}")
        if SECRET in line:
            self.wrong.append(f"logged the secret: {line[:300]}")


@contextlib.contextmanager
def listening() -> Iterator[Watch]:
    """Listen to all loggers."""
    watch = Watch()
    logging.root.addHandler(watch)
    try:
        yield watch
    finally:
        logging.root.removeHandler(watch)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Take back whatever is done within, so that rows of a table do not meet."""
    with transaction.atomic():
        mark = transaction.savepoint()
        try:
            yield
        finally:
            transaction.savepoint_rollback(mark)
