"""What a person says of an operation whose outcome nobody could find.

One transaction through the door, answered under its idempotency key, as `commands` are.
It finds nothing out: a reason is needed, and kept with the name of who gave it.
"""

from __future__ import annotations

from deployctl.services import audit, journal, operations, shifts
from deployctl.services.operations import Change
from deployctl.services.people import Actor, NotAllowed, require
from deployctl.services.replies import Reply, answer, once
from deployctl.services.turn import Turn
from strategies.errors import CommandRefused
from strategies.states import OperationState

#: How a person may settle an operation whose outcome nobody could find.
SETTLEMENTS = {
    "done": OperationState.SUCCEEDED,
    "not_done": OperationState.PENDING,
    "written_off": OperationState.FAILED,
}


def settle(
    deployment_id: int,
    operation_id: int,
    outcome: str,
    *,
    by: Actor,
    key: str,
    reason: str,
) -> Reply:
    """Say what became of an unresolved operation; one of `SETTLEMENTS`.

    Raises:
        KeyError: for an unknown outcome.
        KeyReused: if the key was used for another request.
    """
    state = SETTLEMENTS[outcome]
    body = {"deployment": deployment_id, "operation": operation_id, "as": outcome}
    with journal.opened(deployment_id) as turn:
        return once(
            turn, by, key, body, lambda: _settled(turn, operation_id, state, by, reason)
        )


def _settled(
    turn: Turn, operation_id: int, state: OperationState, by: Actor, reason: str
) -> Reply:
    try:
        require(by, "settle", turn.row.environment.name)
        rows = operations.numbered(turn.id, operation_id) or shifts.numbered(
            turn.id, operation_id
        )
        if not rows or rows[0].state is not OperationState.UNRESOLVED:
            raise CommandRefused("settled", "It is settled already.")
        if not reason.strip():
            raise CommandRefused("no_reason", "Say how you know: a reason is needed.")
    except NotAllowed as error:
        return answer(turn, by, "settle", "denied", str(error))
    except CommandRefused as error:
        return answer(turn, by, "settle", "refused", str(error))
    row = rows[0]
    change = Change(
        id=row.id,
        target_id=row.target_id,
        state=state,
        attempt=row.attempt,
        available=state is not OperationState.FAILED,
        learnt=True,
        error=f"settled by {by.label}: {reason}",
        observed=operations.aim(row.id) if state is OperationState.SUCCEEDED else None,
        recorded=state is OperationState.SUCCEEDED,
    )
    turn.by = by
    turn.move([(row, change)])
    turn.run()
    audit.record(
        by,
        "operation.settled",
        turn.row,
        reason=reason,
        after={"operation": row.id, "position": row.position, "state": state.value},
    )
    return Reply("ok", "Settled.", turn.row.control_version + turn.control_changed)
