"""Rows for spreadsheets, read a part at a time; it knows no file and no request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from deployctl.models import Deployment, Operation
from deployctl.queries.history import line
from deployctl.queries.operating import told
from deployctl.queries.paging import Parted

Cell: TypeAlias = str | int | float | datetime | None
#: So many rows are in memory at once.
PART = 500
#: A spreadsheet runs a cell that begins so, or asks what it should do with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(cell: Cell) -> str | int | float:
    """Return a cell that no spreadsheet takes for a formula: such a text is quoted."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def deployments(found: Parted[Deployment]) -> Iterator[tuple[Cell, ...]]:
    """Yield a head and a row for each deployment, the newest first."""
    yield (
        *("deployment", "application", "environment", "from_version", "to_version"),
        *("strategy", "state", "by", "why", "started_at", "took_seconds", "parent"),
    )
    for row in _parts(found):
        said = line(row)
        yield (
            *(said["id"], said["application"], str(said["environment"])),
            *(said["from_version"], said["to_version"], said["strategy"], row.state),
            *(said["by"], said["reason"], said["started_at"], said["took_seconds"]),
            row.parent_id,
        )


def of_target(found: Parted[Operation]) -> Iterator[tuple[Cell, ...]]:
    """Yield a head and a row for each thing that was done to a target."""
    yield (
        *("deployment", "started_at", "from_version", "to_version", "direction"),
        *("state", "attempts", "took_seconds", "error"),
    )
    for row in _parts(found):
        said = told(row)
        yield (
            *(row.deployment_id, row.started_at, row.from_version, row.to_version),
            *(row.direction, row.state, row.attempt, said["took_seconds"], row.error),
        )


def _parts(found: Parted[Any]) -> Iterator[Any]:
    """Yield rows from the newest on, a part at a time: each begins behind the last."""
    last = None
    while True:
        part = found.older(last, PART)
        yield from part
        if len(part) < PART:
            return
        last = part[-1].pk
