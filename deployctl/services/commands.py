"""What people press: pause, resume, promote, abort, roll back.

Each is one transaction through the door, answered under its idempotency key. Whether
it is allowed now is decided by the core; whether this person may is `people`'s word.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q

from deployctl.models import Deployment, Operation
from deployctl.services import audit, journal
from deployctl.services.people import Actor, NotAllowed, require
from deployctl.services.replies import REUSED, KeyReused, Reply, answer, once
from deployctl.services.starting import already_live
from deployctl.services.turn import Turn
from strategies import commands
from strategies.errors import CommandRefused
from strategies.messages import Abort, Pause, Promote, PromoteFully, Resume, RollBack
from strategies.states import State

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
            return once(
                turn, by, key, body, lambda: _pressed(turn, kind, command, by, expected)
            )
    except IntegrityError as error:
        if "command_once" in str(error):
            raise KeyReused(REUSED) from None
        if "one_live_deployment" not in str(error):
            raise
        return _refused_by_live(deployment_id, kind, by)


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
            return answer(turn, by, kind, "stale", _STALE.format(verb=verb))
        facts = commands.decide(turn.progress, command, turn.now)
        if kind == "roll_back" and facts and turn.progress.rest is not None:
            _be_live_unless_overtaken(turn)
    except NotAllowed as error:
        return answer(turn, by, kind, "denied", str(error))
    except CommandRefused as error:
        return answer(turn, by, kind, "refused", str(error))
    if not facts:
        return answer(turn, by, kind, "noop", _ALREADY[kind])
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
    row = Deployment.objects.get(pk=deployment_id)
    message = str(already_live(deployment_id))
    with transaction.atomic():
        audit.record(by, f"deployment.{kind}", row, result="refused", reason=message)
    return Reply("refused", message, row.control_version)
