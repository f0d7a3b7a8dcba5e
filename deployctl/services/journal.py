"""THE ONE DOOR: the only code that changes a live deployment.

One flush is one transaction for one deployment: lock, settle, fold, let the machine
decide, do what it decided, claim, record, ring. It knows the order of these and the
SQL behind them; what should happen is `strategies`' affair, and no target is touched
here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from django.db import IntegrityError, transaction

from deployctl.services import claims as claiming
from deployctl.services import operations, perform, sharing, shifts
from deployctl.services.claims import Claim, Picked
from deployctl.services.operations import Report, Row
from deployctl.services.sql import together
from deployctl.services.turn import Turn
from strategies.actions import Start
from strategies.health import Health
from strategies.states import OperationState

#: An operation is overdue this long after its worker should have given up by itself.
OVERDUE_GRACE_SECONDS = 30.0


@dataclass(frozen=True)
class Ask:
    """What a worker brings to a flush: itself, its reports, its free places.

    `kinds` names the drivers that the worker has: it is given no other target; None
    leaves out nobody. `fenced` names those whose targets refuse a lower fence. Of a
    quiet flush pages need not hear, and workers not of one before which they were
    called a moment ago; unless what a person may do has changed.
    """

    worker_id: int
    reports: Sequence[Report] = ()
    places: int = 0
    fenced: Sequence[str] = ()
    fenced_routers: Sequence[str] = ()
    dead_seconds: float = 10.0
    sweep: bool = False
    quiet: bool = False
    called: bool = False
    kinds: Sequence[str] | None = None
    router_kinds: Sequence[str] | None = None

    @property
    def only(self) -> list[str] | None:
        """The kinds as SQL takes them."""
        return None if self.kinds is None else list(self.kinds)

    @property
    def only_routers(self) -> list[str] | None:
        """The kinds of routers as SQL takes them."""
        return None if self.router_kinds is None else list(self.router_kinds)


@dataclass(frozen=True)
class Answer:
    """What a flush did: claims to act on, and whether effects may begin at all."""

    seq: int
    may_claim: bool
    live: bool
    #: Where all of them belong: it says which secrets may be used.
    environment_id: int
    #: The rule by which the claims' targets are verified.
    health: Health
    claims: list[Claim] = field(default_factory=list)
    #: More could have been claimed, had there been places.
    hungry: bool = False
    #: Others may find something to do.
    calls: bool = False
    #: When the next timer is due, in seconds from the flush.
    due_seconds: float | None = None
    #: Operations whose reports were accepted; others belong to somebody else by now.
    accepted: frozenset[int] = frozenset()


@contextmanager
def opened(deployment_id: int, *, at_once: bool = False) -> Iterator[Turn]:
    """Lock a deployment, hand out its turn, and store what was folded meanwhile.

    Args:
        at_once: send statements without waiting for those before them.

    Raises:
        Deployment.DoesNotExist: if there is none.
    """
    with transaction.atomic(), together() if at_once else nullcontext():
        turn = Turn.locked(deployment_id)
        yield turn
        turn.store()


def flush(deployment_id: int, ask: Ask) -> Answer:
    """Settle a worker's reports, let the machine decide, and claim for the worker.

    Afterwards, and only then, may the worker act on the claims.
    """
    try:
        return _flush(deployment_id, ask, one_by_one=False)
    except IntegrityError:
        # A subject was taken by another deployment between the look and the claim.
        # Nothing was committed; this costs that one claim, not the reports.
        return _flush(deployment_id, ask, one_by_one=True)


def _flush(deployment_id: int, ask: Ask, *, one_by_one: bool) -> Answer:
    # One by one a claim may fail by itself, which ends what is sent together.
    with opened(deployment_id, at_once=not one_by_one) as turn:
        accepted = settle(turn, ask.worker_id, ask.reports)
        if ask.sweep:
            take_from_dead(turn, ask.dead_seconds)
        if turn.progress.back_shifts.pending:
            # Traffic is about to return: to what is well now, not when it was planned.
            perform.regard_standby(turn)
        turn.run()
        claims = adopt(turn, ask)
        places = ask.places - len(claims)
        asked_for = turn.start.at_most if turn.start else 0
        new = claim(turn, ask, places, one_by_one=one_by_one)
        turn.quiet, turn.called = ask.quiet, ask.called
        turn.calls = turn.lets_go or asked_for > len(new)
    return Answer(
        seq=turn.seq,
        may_claim=turn.progress.may_claim,
        live=turn.progress.rest is None,
        environment_id=turn.row.environment_id,
        health=turn.progress.course.limits.health,
        claims=claims + new,
        hungry=asked_for > max(places, 0),
        calls=turn.calls,
        due_seconds=turn.due_seconds,
        accepted=accepted,
    )


def settle(turn: Turn, worker_id: int, reports: Sequence[Report]) -> frozenset[int]:
    """Fold the reports that still hold, where claimant and fence match.

    Returns:
        The ids of the operations whose reports counted.
    """
    if not reports:
        return frozenset()
    by_id = {report.operation_id: report for report in reports}
    rows = operations.reported(turn.id, sorted(by_id), worker_id)
    if turn.progress.course.shifts:
        rows += shifts.reported(turn.id, sorted(by_id), worker_id)
    held = [row for row in rows if row.fence == by_id[row.id].fence]
    drifts = {r.id: by_id[r.id].observed for r in held if by_id[r.id].drift}
    if drifts:
        turn.drifted([row for row in held if row.id in drifts], drifts)
    gone = {row.id for row in held if _lets_go(row, by_id[row.id])}
    claiming.unclaim(sorted(gone))
    turn.lets_go = bool(gone)
    rest = [row for row in held if row.id not in drifts.keys() | gone]
    turn.settled([(row, by_id[row.id]) for row in rest])
    return frozenset(row.id for row in held)


def _lets_go(row: Row, report: Report) -> bool:
    """Say whether somebody else should go on: what was seen applied is in no doubt."""
    doubted = report.state is OperationState.UNKNOWN
    return report.let_go or (doubted and row.state is not OperationState.RUNNING)


def take_from_dead(turn: Turn, dead_seconds: float) -> None:
    """Take open operations from workers that are dead, gone or stuck.

    What was seen applied goes on verifying with somebody else; the rest is unknown.
    """
    given = turn.id, turn.now, dead_seconds, OVERDUE_GRACE_SECONDS
    rows = operations.abandoned(*given)
    if turn.progress.course.shifts:
        rows += shifts.abandoned(*given)
    turn.abandoned(rows)


def adopt(turn: Turn, ask: Ask) -> list[Claim]:
    """Take open operations that nobody holds: they are settled by reading only."""
    p = turn.progress
    claims: list[Claim] = []
    if ask.places > 0 and any(t.unknown + t.verifying for t in (p.whole, p.back)):
        found = claiming.orphans(turn.id, ask.places, ask.only)
        claims += claiming.adopt(found, ask.worker_id, turn.now) if found else []
    if ask.places > 0 and any(t.open for t in (p.shifts, p.back_shifts)):
        ids = shifts.orphans(turn.id, ask.only_routers)
        adopted = shifts.adopt(ids, ask.worker_id, turn.now) if ids else []
        claims += sharing.with_groups(turn, adopted)
    return claims


def claim(turn: Turn, ask: Ask, places: int, *, one_by_one: bool) -> list[Claim]:
    """Commit intents for as many operations as the machine and the worker allow."""
    start = turn.start
    if start is None or places <= 0:
        return []
    if start.start >= turn.progress.course.work:
        return _claimed_shift(turn, ask, start)
    if not turn.counts_changed:
        # What carries no traffic costs no room, whether it is well or not.
        start = replace(start, available_at_most=start.at_most)
    fenced = list(ask.fenced)
    picked = claiming.pick(turn.id, start, places, turn.now, fenced, ask.only)
    claimed = _claimed_singly if one_by_one else _claimed
    claims = claimed(turn, ask, picked)
    turn.claimed(claims)
    return claims


def _claimed_shift(turn: Turn, ask: Ask, start: Start) -> list[Claim]:
    fenced, only = ask.fenced_routers, ask.only_routers
    ids = shifts.pick(turn.id, start, turn.now, fenced, only)
    if not ids:
        return []
    seconds = turn.progress.course.limits.apply_seconds
    claims = shifts.claim(ids, ask.worker_id, turn.now, seconds)
    claims = sharing.with_groups(turn, claims)
    turn.claimed(claims)
    return claims


def _claimed(turn: Turn, ask: Ask, picked: list[Picked]) -> list[Claim]:
    if not picked:
        return []
    seconds = turn.progress.course.limits.apply_seconds
    return claiming.claim(picked, ask.worker_id, turn.now, seconds)


def _claimed_singly(turn: Turn, ask: Ask, picked: list[Picked]) -> list[Claim]:
    claims: list[Claim] = []
    for each in picked:
        try:
            with transaction.atomic():
                claims += _claimed(turn, ask, [each])
        except IntegrityError:
            continue
    return claims
