"""What people press: pause, resume, promote, abort, roll back; and settling doubts.

Each is one transaction through the door, answered under its idempotency key. Whether
it is allowed now is decided by the core; whether this person may is `people`'s word.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from deployctl.models import Command, Deployment, Operation
from deployctl.services import audit, journal, operations, shifts
from deployctl.services.operations import Change
from deployctl.services.people import Actor, NotAllowed, require
from deployctl.services.turn import Turn
from strategies import commands
from strategies.errors import CommandRefused
from strategies.messages import Abort, Pause, Promote, PromoteFully, Resume, RollBack
from strategies.states import OperationState, State

Pressed = Pause | Resume | Promote | PromoteFully | Abort | RollBack
KINDS: dict[str, type[Pressed]] = {
    "pause": Pause,
    "resume": Resume,
    "promote": Promote,
    "promote_fully": PromoteFully,
    "abort": Abort,
    "roll_back": RollBack,
}
#: Stop-type commands act whenever they are legal, from any stale tab; these need the
#: control version that the person saw.
GO_TYPE = frozenset({"resume", "promote", "promote_fully", "roll_back"})
#: How a person may settle an operation whose outcome nobody could find.
SETTLEMENTS = {
    "done": OperationState.SUCCEEDED,
    "not_done": OperationState.PENDING,
    "written_off": OperationState.FAILED,
}


_REUSED = "This button was already used for something else. Reload the page."


class KeyReused(Exception):
    """An idempotency key came back with another request; nothing was done."""


@dataclass(frozen=True)
class Reply:
    """What became of a command.

    `status` is ok, noop (it was so already), refused (not in this state), stale (the
    page was older than the deployment) or denied (this person may not).
    """

    status: str
    message: str
    control_version: int


def press(
    deployment_id: int,
    kind: str,
    *,
    by: Actor,
    key: str,
    expected: int | None = None,
    reason: str = "",
) -> Reply:
    """Give a live deployment a command, at most once for each key.

    Args:
        deployment_id: which deployment.
        kind: one of `KINDS`.
        by: who presses.
        key: the idempotency key of the button; the same key gives the first answer.
        expected: the control version that the page showed; go-type commands need it.
        reason: why, in the person's words.

    Raises:
        KeyError: for an unknown kind.
        KeyReused: if the key was used for another request.
        Deployment.DoesNotExist: if there is none.
    """
    command = KINDS[kind](by=by.label, reason=reason)
    body = {"deployment": deployment_id, "kind": kind, "reason": reason}
    try:
        with journal.opened(deployment_id) as turn:
            return _once(
                turn, by, key, body, lambda: _pressed(turn, kind, command, by, expected)
            )
    except IntegrityError as error:
        if "command_once" in str(error):
            raise KeyReused(_REUSED) from None
        if "one_live_deployment" not in str(error):
            raise
        return _refused_by_live(deployment_id, kind, by)


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
        return _once(
            turn, by, key, body, lambda: _settled(turn, operation_id, state, by, reason)
        )


def _once(turn: Turn, by: Actor, key: str, body: dict[str, Any], act: Any) -> Reply:
    """Answer from the record, or act and record the answer in this transaction."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    stored = Command.objects.filter(actor_id=by.user_id, key=key).first()
    if stored is not None:
        if stored.body_hash != digest:
            raise KeyReused(_REUSED)
        return Reply(**stored.answer)
    reply: Reply = act()
    Command.objects.create(
        actor_id=by.user_id,
        key=key,
        deployment_id=turn.id,
        body_hash=digest,
        answer=asdict(reply),
    )
    return reply


def _pressed(
    turn: Turn,
    kind: str,
    command: Pressed,
    by: Actor,
    expected: int | None,
) -> Reply:
    verb = kind.replace("_", " ")
    try:
        require(by, verb, turn.row.environment.name)
        if turn.row.progress is None:
            raise CommandRefused(
                "not_started", f"It has not started; nothing to {verb}."
            )
        if kind in GO_TYPE and expected != turn.row.control_version:
            return _answer(turn, by, kind, "stale", _STALE.format(verb=verb))
        facts = commands.decide(turn.progress, command, turn.now)
        if kind == "roll_back" and facts and turn.progress.rest is not None:
            _be_live_unless_overtaken(turn)
    except NotAllowed as error:
        return _answer(turn, by, kind, "denied", str(error))
    except CommandRefused as error:
        return _answer(turn, by, kind, "refused", str(error))
    if not facts:
        return _answer(turn, by, kind, "noop", _ALREADY[kind])
    turn.by = by
    turn.fold(*facts)
    turn.run()
    version = turn.row.control_version + turn.control_changed
    return Reply("ok", _DONE[kind], version)


_STALE = (
    "The deployment has moved since this page was drawn, so nothing was done. Look at"
    " what it says now, and press again to {verb}."
)
_ALREADY = {
    "pause": "It is paused already.",
    "resume": "It is running already.",
    "abort": "It is stopping already.",
    "roll_back": "It is rolling back already.",
    "promote_fully": "It is promoted fully already.",
}
_DONE = {
    "pause": "Paused: no further target is claimed; those in flight finish.",
    "resume": "Resumed.",
    "promote": "Promoted: it goes on with the next step.",
    "promote_fully": "Promoted fully: no gate and no bake holds it up any more.",
    "abort": "Aborted: no further target is claimed; those in flight finish.",
    "roll_back": "Rolling back every touched target to its own earlier version.",
}


def _answer(turn: Turn, by: Actor, kind: str, status: str, message: str) -> Reply:
    """Enter what was not done in the audit, and answer with it."""
    audit.record(by, f"deployment.{kind}", turn.row, result=status, reason=message)
    return Reply(status, message, turn.row.control_version)


def _be_live_unless_overtaken(turn: Turn) -> None:
    """Refuse the return when another has started later and touched its targets.

    The row becomes live before the look: from then on the index that allows one live
    deployment keeps others from starting, and whoever was live before is over. A look
    alone would miss one that starts and ends between it and the commit.

    Raises:
        IntegrityError: by that index, if another is live.
    """
    with transaction.atomic():  # A refusal takes the new state back.
        live = State.ROLLING_BACK.value
        Deployment.objects.filter(pk=turn.id).update(state=live)
        _refuse_if_overtaken(turn)


def _refuse_if_overtaken(turn: Turn) -> None:
    touched = Operation.objects.filter(attempt__gt=0).exclude(state="skipped")
    ours = touched.filter(deployment_id=turn.id)
    targets = ours.filter(target__isnull=False).values("target_id")
    routers = ours.filter(router__isnull=False).values("router_id")
    newer = (
        touched.filter(
            Q(target_id__in=targets) | Q(router_id__in=routers),
            deployment__started_at__gt=turn.row.started_at,
        )
        .order_by("deployment_id")
        .values_list("deployment_id", flat=True)
        .first()
    )
    if newer is not None:
        raise CommandRefused(
            "overtaken",
            f"Deployment {newer} has changed targets of this one since, so returning"
            " them would undo it. Roll that one back, or deploy the version you want.",
        )


def _refused_by_live(deployment_id: int, kind: str, by: Actor) -> Reply:
    row = Deployment.objects.select_related("environment").get(pk=deployment_id)
    live = Deployment.objects.exclude(pk=row.pk).get(
        application=row.application,
        environment=row.environment,
        state__in=("in_progress", "paused", "rolling_back"),
    )
    message = (
        f"Deployment {live.pk} of this application is live in {row.environment}."
        " Nothing was changed; wait for it, or stop it first."
    )
    with transaction.atomic():
        audit.record(by, f"deployment.{kind}", row, result="refused", reason=message)
    return Reply("refused", message, row.control_version)


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
        return _answer(turn, by, "settle", "denied", str(error))
    except CommandRefused as error:
        return _answer(turn, by, "settle", "refused", str(error))
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
