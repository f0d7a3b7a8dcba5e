"""The grid of a deployment, one letter a position; knows no colours and no HTML."""

from __future__ import annotations

from django.db import connection

from strategies.states import Direction, OperationState

_S = OperationState
_LETTERS = {
    _S.PENDING: "p",
    _S.RUNNING: "r",
    _S.VERIFYING: "v",
    _S.UNKNOWN: "u",
    _S.UNRESOLVED: "x",
    _S.SUCCEEDED: "s",
    _S.FAILED: "f",
    _S.SKIPPED: "k",
    _S.RELEASED: "p",
}


def letter(direction: str, state: str) -> str:
    """Return the letter of an operation; capital when it takes its target back."""
    small = _LETTERS[_S(state)]
    return small.upper() if direction == Direction.RETURN else small


def letters(deployment_id: int) -> list[tuple[int, str]]:
    """Return (position, letter) of the whole grid, from the rows, by position.

    Where a target is being taken back, or was, its return is what shows.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT DISTINCT ON (position) position, direction, state
                 FROM deployctl_operation WHERE deployment_id = %s
                ORDER BY position, direction = 'return' DESC""",
            [deployment_id],
        )
        return [(row[0], letter(row[1], row[2])) for row in cursor.fetchall()]


def returning(deployment_id: int) -> list[int]:
    """Return the positions whose targets are taken back; written once, never more."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT position FROM deployctl_operation
                WHERE deployment_id = %s AND direction = 'return'""",
            [deployment_id],
        )
        return [row[0] for row in cursor.fetchall()]
