"""Rows by parts: so many behind one of them; it knows no request and no table.

A part begins behind a row, not after a count: so it costs the same however far back it
is, and what comes meanwhile moves nothing.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


class Parted(Protocol[Row]):
    """What is listed newest first, and read by parts."""

    def older(self, before: int | None, most: int) -> list[Row]:
        """Return the next ones behind a number, or the newest; the newest first."""
        ...

    def newer(self, after: int, most: int) -> list[Row]:
        """Return the next ones before a number; the oldest first."""
        ...


class Rows(Generic[Row]):
    """What a query finds; it must be ordered newest first."""

    def __init__(self, found: QuerySet[Row]) -> None:
        self._found = found

    def older(self, before: int | None, most: int) -> list[Row]:
        """Return the next ones behind a number, or the newest; the newest first."""
        found = self._found if before is None else self._found.filter(pk__lt=before)
        return list(found[:most])

    def newer(self, after: int, most: int) -> list[Row]:
        """Return the next ones before a number; the oldest first."""
        return list(self._found.filter(pk__gt=after).order_by("pk")[:most])
