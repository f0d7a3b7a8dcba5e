"""A deployment moved by hand through the one door, without worker processes."""

from __future__ import annotations

from deployctl.models import Deployment
from deployctl.services import journal, workers
from deployctl.services.claims import Claim
from deployctl.services.journal import Ask
from deployctl.services.operations import Report
from strategies.states import OperationState

_S = OperationState
#: As if every target refused a lower fence: nothing has to stay quiet.
FENCED = ("simulated",)


class Hand:
    """A worker that is a person: it claims when told, and reports what it is told."""

    def __init__(self, deployment: Deployment) -> None:
        self.id = deployment.pk
        self.worker = workers.arrive("tests", 1, "0")

    def claim(self, places: int = 100) -> list[Claim]:
        """Claim up to so many."""
        return journal.flush(
            self.id, Ask(self.worker, places=places, fenced=FENCED)
        ).claims

    def report(
        self, claims: list[Claim], state: OperationState, error: str = ""
    ) -> None:
        """Report the same state for each of these."""
        good = state is _S.SUCCEEDED
        reports = [
            Report(
                claim.operation_id,
                claim.fence,
                state,
                available=good,
                observed=claim.to_version if good else None,
                error=error,
                output=f"{error}\nmore",
            )
            for claim in claims
        ]
        journal.flush(self.id, Ask(self.worker, reports))

    def finish(self) -> None:
        """Let everything that may be claimed succeed, until nothing may."""
        while claims := self.claim():
            self.report(claims, _S.SUCCEEDED)
