"""Which letter of the grid an operation has; knows no rows' changes and no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployctl.models import Operation
from deployctl.queries.looks import LETTERS, REGRESSED
from strategies.states import Direction, OperationState

#: Accepted, and lost again: nothing else goes this way.
_REGRESSION = (OperationState.SUCCEEDED, OperationState.FAILED)


def letter(direction: str, state: str, *, regressed: bool = False) -> str:
    """Return the letter of an operation; capital when it takes its target back."""
    if regressed:
        return REGRESSED
    small = LETTERS["pending" if state == OperationState.RELEASED else state]
    return small.upper() if direction == Direction.RETURN else small


def moved(fact: Mapping[str, Any]) -> str:
    """Return the letter to which a stored `OperationsMoved` brought its positions."""
    regressed = (fact["was"], fact["now"]) == _REGRESSION
    return letter(fact["direction"], fact["now"], regressed=regressed)


def returning(deployment_id: int) -> list[int]:
    """Return the positions whose targets are taken back; written once, never more."""
    found = Operation.objects.filter(
        deployment_id=deployment_id,
        direction=Direction.RETURN.value,
        target__isnull=False,
    )
    return list(found.values_list("position", flat=True))
