"""What a worker holds: its operations, and findings that no flush has stored yet.

All of it is memory and may be lost at any line. It asks no database, runs no operation
and decides nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from deployctl.queries.engine import HeldOperation
from deployctl.services.claims import Claim
from deployctl.services.operations import Report
from strategies.states import OperationState

#: States in which an operation goes on here after its report.
GOES_ON = frozenset({OperationState.RUNNING, OperationState.VERIFYING})


@dataclass
class Held:
    """An operation that this worker holds, as it remembers it."""

    claim: Claim
    since: float
    task: asyncio.Task[None] | None = None
    waiter: asyncio.Future[bool] | None = None

    def cancel(self) -> None:
        """Stop working on it, if somebody does."""
        if self.task is not None:
            self.task.cancel()


class Holding:
    """Operations by id, and reports by deployment, each the newest of its operation."""

    def __init__(self) -> None:
        self._held: dict[int, Held] = {}
        self._reports: dict[int, dict[int, Report]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def reporting(self) -> list[int]:
        """The deployments for which there is something to bring."""
        return list(self._reports)

    @property
    def at_work(self) -> int:
        """How many operations have nothing to bring yet."""
        return len(self._held) - sum(map(len, self._reports.values()))

    # -- findings -----------------------------------------------------------------

    def report(self, claim: Claim, report: Report) -> None:
        """Keep a finding for the next flush; what an older claim found is nobody's."""
        held = self._held.get(claim.operation_id)
        if held is None or held.claim.fence == report.fence:
            self._reports[claim.deployment_id][claim.operation_id] = report

    def waiter(self, claim: Claim) -> asyncio.Future[bool]:
        """Return what will be known when a flush has stored the finding of a claim."""
        future = asyncio.get_running_loop().create_future()
        self._held[claim.operation_id].waiter = future
        return future

    def take(self, deployment_id: int, at_most: int) -> dict[int, Report]:
        """Hand out what is to be brought for a deployment, the oldest first."""
        waiting = self._reports.pop(deployment_id, {})
        if len(waiting) <= at_most:
            return waiting
        taken = dict(islice(waiting.items(), at_most))
        self._reports[deployment_id] = dict(islice(waiting.items(), at_most, None))
        return taken

    def waiting(self, deployment_id: int) -> int:
        """Return how many findings there are to be brought for a deployment."""
        return len(self._reports.get(deployment_id, ()))

    def age(self, deployment_id: int, now: float) -> float:
        """Return how long that is held whose finding came first; 0 if nobody knows."""
        first = next(iter(self._reports.get(deployment_id, ())), None)
        held = None if first is None else self._held.get(first)
        return now - held.since if held else 0.0

    def put_back(self, deployment_id: int, reports: dict[int, Report]) -> None:
        """Keep what could not be brought, but for what is newer by now."""
        newer = self._reports.pop(deployment_id, {})
        if kept := {**reports, **newer}:
            self._reports[deployment_id] = kept

    def stored(self, report: Report, *, accepted: bool) -> None:
        """Take note that a finding was stored, or was refused as somebody else's."""
        held = self._held.get(report.operation_id)
        if held is None or held.claim.fence != report.fence:
            return
        if held.waiter is not None and not held.waiter.done():
            held.waiter.set_result(accepted)
        if accepted and report.state in GOES_ON:
            return
        del self._held[report.operation_id]
        if not accepted:
            held.cancel()

    # -- operations ---------------------------------------------------------------

    def hold(self, claim: Claim, since: float) -> Held:
        """Hold a claim from then on, in place of what an older one of it was."""
        if before := self._held.get(claim.operation_id):
            before.cancel()
        self._reports.get(claim.deployment_id, {}).pop(claim.operation_id, None)
        held = self._held[claim.operation_id] = Held(claim, since)
        return held

    def give_back(self, claim: Claim) -> None:
        """Give back a claim of which nothing was sent, also when this worker leaves."""
        held = self._held.get(claim.operation_id)
        if held is not None and held.claim is claim:
            del self._held[claim.operation_id]
            named = claim.operation_id, claim.deployment_id, claim.fence
            self._let_go(HeldOperation(*named, claim.state.value))

    def leave_verifying(self) -> None:
        """Let go of what was seen applied: somebody else can go on verifying it."""
        for operation_id, held in list(self._held.items()):
            if held.claim.state is OperationState.VERIFYING and held.task is not None:
                held.task.cancel()
                del self._held[operation_id]

    def drop(self) -> None:
        """Stop working on everything, and forget it."""
        for held in self._held.values():
            held.cancel()
        self._held.clear()

    # -- doubt --------------------------------------------------------------------

    def compare(self, rows: Iterable[HeldOperation]) -> None:
        """Let go of what the database says is ours and this process knows nothing of.

        That happens when a commit was done and its answer was lost: nothing was sent.
        What the database gives to others is stopped.
        """
        ours = set()
        for row in rows:
            ours.add(row.id)
            if not self._is_at_work(row):
                self._let_go(row)
        for operation_id in list(self._held.keys() - ours):
            self._held.pop(operation_id).cancel()

    def _is_at_work(self, row: HeldOperation) -> bool:
        """Whether somebody here works on this very claim, or has a finding to bring."""
        held = self._held.get(row.id)
        if held is None or held.claim.fence != row.fence:
            return False
        waiting = row.id in self._reports.get(row.deployment_id, {})
        return waiting or (held.task is not None and not held.task.done())

    def _let_go(self, row: HeldOperation) -> None:
        """Report that this worker does not hold a claim that the database gives it."""
        state, never_begun = OperationState(row.state), row.id not in self._held
        running = state is OperationState.RUNNING
        if running:
            state = OperationState.RELEASED if never_begun else OperationState.UNKNOWN
        self._reports[row.deployment_id][row.id] = Report(
            row.id, row.fence, state, let_go=not running
        )
