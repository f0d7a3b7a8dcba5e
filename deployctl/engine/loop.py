"""The engine of one worker: whose turn it is, what is open here, what is reported.

It brings reports and free places to the journal and starts what the journal lets it
claim. It decides nothing about a deployment, and keeps nothing that the database does
not know better: all its memory may be lost at any line.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from functools import partial

import structlog
from django.db import Error

from deployctl.engine import crash
from deployctl.engine.aside import Aside
from deployctl.engine.beats import Beats
from deployctl.engine.holding import GOES_ON, Holding
from deployctl.engine.operate import Runner
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Unread
from deployctl.engine.seen import Look, Seen
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
#: What began together ends together: so often, and each time for so long, a flush waits
#: for more to bring. A flush costs 2 ms of CPU however little it brings.
GATHERS, GATHER_SECONDS = 3, 0.001
#: So few that are still at work are not waited for.
FEW = 5
NO_LOOK = Look(0)
#: At most one ring in this time for pages of a deployment, and one for workers, unless
#: its controls changed.
RING_SECONDS = 0.025


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
        self._holding = Holding()
        self._looks: dict[int, Look] = {}
        self._hungry: set[int] = set()
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
        self._noted(deployment_id, Look(sweep=sweep))

    def heard(self, deployment_id: int, seq: int) -> None:
        """Note that a deployment is at `seq` now, if that is news; returns at once."""
        if deployment_id not in self._seen or self._seen[deployment_id].seq < seq:
            self._noted(deployment_id, Look(seq))

    def _noted(self, deployment_id: int, look: Look) -> None:
        if not self._stopping:
            before = self._looks.get(deployment_id, look)
            self._looks[deployment_id] = look.and_(before)
        self._wake.set()

    async def run(self) -> None:
        """Give deployments fair turns, one transaction each, until stopped."""
        try:
            while not (self._stopping and not self._holding):
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
        self._looks.clear()
        self._holding.leave_verifying()
        self._wake.set()
        # A flush that was under way may still claim: it is `run` that ends, in order.
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._ended.wait()
        self._holding.drop()

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
        self._holding.report(claim, report)
        self._wake.set()

    async def committed(self, claim: Claim, report: Report) -> bool:
        """Keep a finding, and wait until a flush has stored or refused it."""
        waiter = self._holding.waiter(claim)
        self.report(claim, report)
        return await waiter

    # -- turns --------------------------------------------------------------------

    def _waiting(self) -> list[int]:
        asked = dict.fromkeys((*self._looks, *self._holding.reporting))
        return [each for each in asked if each not in self._resting]

    async def _turn(self, deployment_id: int) -> None:
        """Flush one deployment, and act on what it answers."""
        if self._in_doubt:
            await self._reconcile()
        seen = self._seen[deployment_id]
        loop = asyncio.get_running_loop()
        work_seconds = self._holding.age(deployment_id, loop.time())
        at_most = seen.at_most(len(self._holding), work_seconds)
        await self._gather(deployment_id, at_most)
        sweep = self._looks.pop(deployment_id, NO_LOOK).sweep
        reports = self._holding.take(deployment_id, at_most)
        asked_at = loop.time()
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
            called=asked_at - seen.called_at < RING_SECONDS,
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
        seen.rang(ask, answer, asked_at)
        self._answered(deployment_id, ask, answer, asked_at)

    async def _gather(self, deployment_id: int, at_most: int) -> None:
        """Wait a moment for more to bring, while there may be more."""
        for _ in range(GATHERS):
            waiting = self._holding.waiting(deployment_id)
            few = waiting >= at_most or self._holding.at_work <= FEW
            if few or deployment_id in self._looks:
                return
            await asyncio.sleep(GATHER_SECONDS)

    def _places(self, reports: dict[int, Report]) -> int:
        """Return how many places are free once these reports are stored."""
        if self._stopping or not self._beats.trusted:
            return 0
        ending = sum(report.state not in GOES_ON for report in reports.values())
        return max(0, self._settings.places - len(self._holding) + ending)

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
        self._holding.put_back(deployment_id, reports)
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
        seen.may_claim, seen.seq = answer.may_claim, answer.seq
        look = self._looks.get(deployment_id)
        if look is not None and look.seq <= answer.seq:
            del self._looks[deployment_id]  # It was this flush that rang.
        took = asyncio.get_running_loop().time() - asked_at
        brought, begun = len(ask.reports), len(answer.claims)
        seen.flushed(brought=brought, begun=begun, seconds=took)
        for report in ask.reports:
            accepted = report.operation_id in answer.accepted
            self._holding.stored(report, accepted=accepted)
        for claim in answer.claims:
            self._begin(claim, answer, asked_at)
        if answer.hungry:
            self._hungry.add(deployment_id)
        else:
            self._hungry.discard(deployment_id)
        if ask.reports:
            for other in self._hungry - {deployment_id}:
                self.look(other)
        # When its next timer is due: the sweeper would, only later.
        due_seconds = answer.due_seconds if answer.live else None
        seen.wake(due_seconds, partial(self.look, deployment_id))
        if not answer.live and deployment_id not in self._holding.reporting:
            self._seen.pop(deployment_id, None)

    def _begin(self, claim: Claim, answer: Answer, asked_at: float) -> None:
        work = self._guarded(claim, answer, asked_at)
        held = self._holding.hold(claim, asked_at)
        held.task = asyncio.get_running_loop().create_task(work)

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
        self._holding.give_back(claim)
        self._wake.set()

    async def _reconcile(self) -> None:
        """Compare what is held here with what the database says is ours."""
        rows = await self._journal.asked(lambda: queries.held_by(self.worker_id))
        if rows is not None:
            self._in_doubt = False
            self._holding.compare(rows)


def _flushed(deployment_id: int, ask: Ask) -> Answer:
    return journal.flush(deployment_id, ask)
