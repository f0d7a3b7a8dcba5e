"""The engine of one worker: whose turn it is, what is open here, what is reported.

It brings reports and free places to the journal and starts what the journal lets it
claim. It decides nothing about a deployment, and keeps nothing that the database does
not know better: all its memory may be lost at any line.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
from django.db import Error

from deployctl.engine import crash
from deployctl.engine.aside import Aside
from deployctl.engine.beats import Beats
from deployctl.engine.operate import Runner
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Unread
from deployctl.models import Deployment
from deployctl.queries import engine as queries
from deployctl.services import journal
from deployctl.services.claims import Claim
from deployctl.services.journal import Answer, Ask
from deployctl.services.operations import Report
from deployctl.settings import Engine as Settings
from strategies.operations import READ_BACK
from strategies.states import Kind, OperationState

log = structlog.get_logger()

#: After a database error a deployment is looked at again this much later.
RETRY_SECONDS = 0.25
#: After a fault of our own, which will hardly pass by itself, this much later.
FAULT_SECONDS = 5.0
#: At most one ring in this time for each deployment, unless its controls changed.
RING_SECONDS = 0.025
#: States in which an operation goes on here after its report.
_GOES_ON = frozenset({OperationState.RUNNING, OperationState.VERIFYING})


@dataclass
class Held:
    """An operation that this worker holds, as it remembers it."""

    claim: Claim
    task: asyncio.Task[None] | None = None
    waiter: asyncio.Future[bool] | None = None


@dataclass
class Seen:
    """What the last flush said of a deployment."""

    may_claim: bool = True
    rung_at: float = 0.0
    timer: asyncio.TimerHandle | None = None


@dataclass
class Desk:
    """What is waiting to be brought to the journal, by deployment."""

    looks: dict[int, bool] = field(default_factory=dict)
    reports: dict[int, dict[int, Report]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    hungry: set[int] = field(default_factory=set)


class Engine:
    """Runs deployments for one worker process, on one event loop."""

    def __init__(
        self,
        worker_id: int,
        beats: Beats,
        outside: Outside,
        settings: Settings,
    ) -> None:
        self.worker_id = worker_id
        self._beats = beats
        self._outside = outside
        self._settings = settings
        self._desk = Desk()
        self._held: dict[int, Held] = {}
        self._seen: dict[int, Seen] = defaultdict(Seen)
        self._wake = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._in_doubt = False
        #: Deployments whose last flush failed; they are left alone for a moment.
        self._resting: set[int] = set()
        self._journal = Aside("journal")

    # -- asked from outside -----------------------------------------------------

    def look(self, deployment_id: int, *, sweep: bool = False) -> None:
        """Note that a deployment should be looked at; returns at once."""
        looks = self._desk.looks
        if not self._stopping:
            looks[deployment_id] = looks.get(deployment_id, False) or sweep
        self._wake.set()

    async def run(self) -> None:
        """Give deployments fair turns, one transaction each, until stopped."""
        try:
            while not (self._stopping and not self._held):
                await self._wake.wait()
                self._wake.clear()
                while waiting := self._waiting():
                    for deployment_id in waiting:
                        await self._turn(deployment_id)
        finally:
            self._ended.set()

    async def poll(self) -> None:
        """Look at every live deployment now and then, whatever was heard."""
        while not self._stopping:
            for deployment_id in (
                await self._journal.asked(queries.live_deployments) or ()
            ):
                self.look(deployment_id)
            await asyncio.sleep(self._settings.poll_seconds)

    async def sweep(self) -> None:
        """Look for due timers, dead workers and operations that nobody holds."""
        dead = self._settings.dead_after_seconds
        while not self._stopping:
            due = await self._journal.asked(lambda: queries.due_deployments(dead))
            for deployment_id in due or ():
                self.look(deployment_id, sweep=True)
            await asyncio.sleep(self._settings.sweep_seconds)

    async def reconcile(self) -> None:
        """Compare what is held here with the database, and let go of the rest."""
        while not self._stopping:
            await asyncio.sleep(self._settings.reconcile_seconds)
            self._in_doubt = True
            self._wake.set()

    async def stop(self, patience_seconds: float) -> None:
        """Start nothing more, give back what was not sent, wait for what was."""
        self._stopping = True
        self._desk.looks.clear()
        for operation_id, held in list(self._held.items()):
            # What was seen applied is in no doubt: somebody else goes on verifying it.
            if held.claim.state is OperationState.VERIFYING and held.task is not None:
                held.task.cancel()
                del self._held[operation_id]
        self._wake.set()
        # A flush that was under way may still claim: it is `run` that ends, in order.
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._ended.wait()
        for held in self._held.values():
            if held.task is not None:
                held.task.cancel()
        self._held.clear()

    # -- what runners ask (operate.Desk) -------------------------------------------

    def may_apply(self, claim: Claim) -> bool:
        """Whether an effect may start now: not held, not stopping, not thought dead."""
        seen = self._seen[claim.deployment_id]
        return seen.may_claim and not self._stopping and self._beats.trusted

    def is_trusted(self) -> bool:
        """Whether this worker is not thought dead by others."""
        return self._beats.trusted

    def report(self, claim: Claim, report: Report) -> None:
        """Keep a finding for the next flush; what an older claim found is nobody's."""
        held = self._held.get(claim.operation_id)
        if held is not None and held.claim.fence != report.fence:
            return
        self._desk.reports[claim.deployment_id][claim.operation_id] = report
        self._wake.set()

    async def committed(self, claim: Claim, report: Report) -> bool:
        """Keep a finding, and wait until a flush has stored or refused it."""
        held = self._held[claim.operation_id]
        held.waiter = asyncio.get_running_loop().create_future()
        self.report(claim, report)
        return await held.waiter

    # -- turns --------------------------------------------------------------------

    def _waiting(self) -> list[int]:
        asked = {**self._desk.looks, **self._desk.reports}
        return [each for each in asked if each not in self._resting]

    async def _turn(self, deployment_id: int) -> None:
        """Flush one deployment, and act on what it answers."""
        if self._in_doubt:
            await self._reconcile()
        loop = asyncio.get_running_loop()
        sweep = self._desk.looks.pop(deployment_id, False)
        reports = self._desk.reports.pop(deployment_id, {})
        asked_at = loop.time()
        seen = self._seen[deployment_id]
        ask = Ask(
            worker_id=self.worker_id,
            reports=tuple(reports.values()),
            places=self._places(reports),
            kinds=self._outside.kinds,
            fenced=self._outside.fenced,
            router_kinds=self._outside.router_kinds,
            fenced_routers=self._outside.fenced_routers,
            dead_seconds=self._settings.dead_after_seconds,
            sweep=sweep,
            quiet=asked_at - seen.rung_at < RING_SECONDS,
        )
        crash.point("before_claim")
        try:
            flushing = partial(_flushed, deployment_id, ask)
            answer = await self._journal.done(flushing)
        except Deployment.DoesNotExist:
            return
        except Error as error:
            self._failed(deployment_id, reports, sweep, error)
            return
        except Exception as error:
            # One deployment that this version cannot read must not stop the others.
            log.exception("flush.fault", deployment=deployment_id)
            self._failed(deployment_id, reports, sweep, error, FAULT_SECONDS)
            return
        if reports:
            crash.point("after_result")
        if not ask.quiet:
            seen.rung_at = asked_at
        self._answered(deployment_id, ask, answer, asked_at)

    def _places(self, reports: dict[int, Report]) -> int:
        """Return how many places are free once these reports are stored."""
        if self._stopping or not self._beats.trusted:
            return 0
        ending = sum(report.state not in _GOES_ON for report in reports.values())
        return max(0, self._settings.places - len(self._held) + ending)

    def _failed(
        self,
        deployment_id: int,
        reports: dict[int, Report],
        sweep: bool,
        error: Exception,
        wait_seconds: float = RETRY_SECONDS,
    ) -> None:
        """Keep what could not be brought, and bring it again a little later."""
        log.warning("flush.failed", deployment=deployment_id, error=str(error).strip())
        newer = self._desk.reports.pop(deployment_id, {})
        if kept := {**reports, **newer}:
            self._desk.reports[deployment_id] = kept
        self._resting.add(deployment_id)
        self._in_doubt = True

        def again() -> None:
            self._resting.discard(deployment_id)
            self.look(deployment_id, sweep=sweep)

        asyncio.get_running_loop().call_later(wait_seconds, again)

    def _answered(
        self, deployment_id: int, ask: Ask, answer: Answer, asked_at: float
    ) -> None:
        seen = self._seen[deployment_id]
        seen.may_claim = answer.may_claim
        for report in ask.reports:
            self._stored(report, accepted=report.operation_id in answer.accepted)
        for claim in answer.claims:
            self._begin(claim, answer, asked_at)
        if answer.hungry:
            self._desk.hungry.add(deployment_id)
        else:
            self._desk.hungry.discard(deployment_id)
        if ask.reports:
            for other in self._desk.hungry - {deployment_id}:
                self.look(other)
        self._set_timer(deployment_id, answer)
        if not answer.live and deployment_id not in self._desk.reports:
            self._seen.pop(deployment_id, None)

    def _set_timer(self, deployment_id: int, answer: Answer) -> None:
        """Look again when the next timer is due; the sweeper would, only later."""
        seen = self._seen[deployment_id]
        if seen.timer is not None:
            seen.timer.cancel()
            seen.timer = None
        if answer.due_seconds is not None and answer.live:
            loop = asyncio.get_running_loop()
            seen.timer = loop.call_later(answer.due_seconds, self.look, deployment_id)

    def _stored(self, report: Report, *, accepted: bool) -> None:
        held = self._held.get(report.operation_id)
        if held is None or held.claim.fence != report.fence:
            return
        if held.waiter is not None and not held.waiter.done():
            held.waiter.set_result(accepted)
        if accepted and report.state in _GOES_ON:
            return
        del self._held[report.operation_id]
        if not accepted and held.task is not None:
            held.task.cancel()

    def _begin(self, claim: Claim, answer: Answer, asked_at: float) -> None:
        before = self._held.get(claim.operation_id)
        if before is not None and before.task is not None:
            before.task.cancel()
        self._desk.reports.get(claim.deployment_id, {}).pop(claim.operation_id, None)
        held = self._held[claim.operation_id] = Held(claim)
        loop = asyncio.get_running_loop()
        held.task = loop.create_task(self._guarded(claim, answer, asked_at))

    async def _guarded(self, claim: Claim, answer: Answer, asked_at: float) -> None:
        """Run one claim; a fault of ours leaves its outcome unknown, never unsaid."""
        try:
            reach = await self._outside.reaches.of(answer.environment_id)
            health = READ_BACK if claim.kind is Kind.SHIFT else answer.health
            runner = Runner(claim, reach, self._outside, health, self, asked_at)
            await runner.run()
        except Unread as error:
            log.warning("reach.unread", operation=claim.operation_id, error=str(error))
            await asyncio.sleep(FAULT_SECONDS)
            self._not_begun(claim)
        except Exception as error:
            log.exception("operation.fault", operation=claim.operation_id)
            await asyncio.sleep(FAULT_SECONDS)
            text = f"the worker failed: {type(error).__name__}"
            unknown = OperationState.UNKNOWN
            said = Report(claim.operation_id, claim.fence, unknown, error=text)
            self.report(claim, said)

    def _not_begun(self, claim: Claim) -> None:
        """Give back a claim of which nothing was sent, also when this worker leaves."""
        held = self._held.get(claim.operation_id)
        if held is not None and held.claim is claim:
            del self._held[claim.operation_id]
            named = claim.operation_id, claim.deployment_id, claim.fence
            self._let_go(queries.HeldOperation(*named, claim.state.value))
            self._wake.set()

    # -- doubt -----------------------------------------------------------------

    async def _reconcile(self) -> None:
        """Let go of what the database says is ours and this process knows nothing of.

        That happens when a commit was done and its answer was lost: nothing was sent.
        """
        rows = await self._journal.asked(lambda: queries.held_by(self.worker_id))
        if rows is None:
            return
        self._in_doubt = False
        ours = {row.id for row in rows}
        for row in rows:
            if not self._is_at_work(row):
                self._let_go(row)
        for operation_id in list(self._held.keys() - ours):
            held = self._held.pop(operation_id)
            if held.task is not None:
                held.task.cancel()

    def _is_at_work(self, row: queries.HeldOperation) -> bool:
        """Whether somebody here works on this very claim, or has a finding to bring."""
        held = self._held.get(row.id)
        if held is None or held.claim.fence != row.fence:
            return False
        waiting = row.id in self._desk.reports.get(row.deployment_id, {})
        return waiting or (held.task is not None and not held.task.done())

    def _let_go(self, row: queries.HeldOperation) -> None:
        """Report that this worker does not hold a claim that the database gives it."""
        state, never_begun = OperationState(row.state), row.id not in self._held
        running = state is OperationState.RUNNING
        if running:
            state = OperationState.RELEASED if never_begun else OperationState.UNKNOWN
        self._desk.reports[row.deployment_id][row.id] = Report(
            row.id, row.fence, state, let_go=not running
        )


def _flushed(deployment_id: int, ask: Ask) -> Answer:
    return journal.flush(deployment_id, ask)
