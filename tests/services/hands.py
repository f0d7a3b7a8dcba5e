"""A worker without a process: it flushes when told to, and checks after every flush."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

from deployctl.models import Deployment, Worker
from deployctl.services import journal, workers
from deployctl.services.claims import Claim
from deployctl.services.journal import Answer, Ask
from deployctl.services.operations import Report
from strategies.states import OperationState
from tests.support import truth

S = OperationState


class Hands:
    """One worker's side of the door."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        fenced: bool = True,
        kinds: Sequence[str] | None = None,
    ) -> None:
        self.deployment = deployment
        self.kinds = kinds
        self.id = workers.arrive("a test", 1, "test", kinds)
        self.fenced = ["simulated", "agent"] if fenced else []
        self.fenced_routers = ["simulated"] if fenced else []

    def flush(
        self, *reports: Report, places: int = 1000, check: bool = True, **more: Any
    ) -> Answer:
        """Flush, and fail unless rows, tallies and events agree afterwards."""
        known = {"kinds": self.kinds, "fenced_routers": self.fenced_routers}
        given = {**known, **more}
        ask = Ask(self.id, reports, places, self.fenced, **given)
        answer = journal.flush(self.deployment.pk, ask)
        if check:
            truth.check(self.deployment.pk)
        return answer

    def claims(self, places: int = 1000) -> list[Claim]:
        """Claim as much as there is."""
        return self.flush(places=places).claims

    def finish(
        self, claims: Sequence[Claim], state: OperationState = S.SUCCEEDED
    ) -> Answer:
        """Report one outcome for all of these, and claim on."""
        return self.flush(*(said(claim, state) for claim in claims))

    def run(self, failing: Sequence[str] = ()) -> Deployment:
        """Carry out everything there is, until nothing more may be claimed."""
        claims = self.claims()
        while claims:
            bad = S.FAILED
            claims = self.flush(
                *(said(c, bad if c.name in failing else S.SUCCEEDED) for c in claims)
            ).claims
        self.deployment.refresh_from_db()
        return self.deployment

    def die(self) -> None:
        """Have beaten for the last time an hour ago."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE deployctl_worker SET beat_at = now() - interval '1 hour'"
                " WHERE id = %s",
                [self.id],
            )
        assert Worker.objects.filter(pk=self.id).exists()


def said(claim: Claim, state: OperationState = S.SUCCEEDED, **more: Any) -> Report:
    """Return the report that goes with an outcome."""
    good = state in (S.SUCCEEDED, S.SKIPPED)
    observed = claim.to_version if good else None
    given = {"available": good, "observed": observed, **more}
    return Report(claim.operation_id, claim.fence, state, **given)


_BESIDE: weakref.WeakSet[Beside] = weakref.WeakSet()
_GATES: weakref.WeakSet[Gate] = weakref.WeakSet()


def let_go() -> None:
    """Open what a test that has failed left shut, and wait for who stood there."""
    for gate in list(_GATES):
        gate.open.set()
    for each in list(_BESIDE):
        assert each.ended(10), "it hangs"


class Beside:
    """Runs something in a thread with a connection of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        _BESIDE.add(self)
        self.answer: Any = None
        self.error: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except Exception as error:
            self.error = error
        finally:
            connection.close()

    def ended(self, seconds: float) -> bool:
        """Wait at most so long; return whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def get(self, seconds: float = 10) -> Any:
        """Return the answer, or raise what was raised."""
        assert self.ended(seconds), "it hangs"
        if self.error is not None:
            raise self.error
        return self.answer


class Gate:
    """Stops the first who comes through, until opened."""

    def __init__(self) -> None:
        _GATES.add(self)
        self.reached, self.open = threading.Event(), threading.Event()
        self._first = threading.Lock()

    def pass_through(self) -> None:
        """Wait, if this is the first time."""
        if self._first.acquire(blocking=False):
            self.reached.set()
            assert self.open.wait(10)
