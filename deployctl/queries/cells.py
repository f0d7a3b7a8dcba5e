"""Which letter of the grid an operation has; knows no rows' changes and no HTML."""

from __future__ import annotations

from deployctl.models import Operation
from deployctl.queries.looks import LETTERS
from strategies.states import Direction, OperationState


def letter(direction: str, state: str) -> str:
    """Return the letter of an operation; capital when it takes its target back."""
    small = LETTERS["pending" if state == OperationState.RELEASED else state]
    return small.upper() if direction == Direction.RETURN else small


def returning(deployment_id: int) -> list[int]:
    """Return the positions whose targets are taken back; written once, never more."""
    found = Operation.objects.filter(
        deployment_id=deployment_id,
        direction=Direction.RETURN.value,
        target__isnull=False,
    )
    return list(found.values_list("position", flat=True))
