"""Keeps an operation's target out of traffic while it is changed, and no longer.

The one rule: a target is out of traffic only while an operation on it is open, or after
one that failed there. So whoever ends an operation otherwise leads traffic back, also
one that another worker had begun. How, `engine.traffic` knows; when an operation ends,
and how, its runner knows.
"""

from __future__ import annotations

from typing import Protocol

from deployctl.engine import clean
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.traffic import TrafficFailed, Traffics
from deployctl.services.claims import Claim
from deployctl.services.operations import Report
from strategies.states import Kind, OperationState

_S = OperationState
#: These change nothing that is in the way of a request, or are traffic themselves.
_WITHOUT = (Kind.VERIFY, Kind.SHIFT)
#: A target that was not changed is led back within this, or somebody else tries.
BACK_SECONDS = 5.0


class Desk(Protocol):
    """Knows whether this worker still holds what it claimed."""

    def is_trusted(self) -> bool:
        """Whether this worker is not thought dead by others."""


class Drain:
    """One operation's hold on its target's traffic; without the setting, nothing.

    Attributes:
        wanted: whether traffic is led to this target by something that can be told.
    """

    def __init__(
        self, claim: Claim, target: TargetRef, traffics: Traffics, desk: Desk
    ) -> None:
        self._claim, self._target = claim, target
        self._traffics, self._desk = traffics, desk
        # Who held it before may have taken it out.
        self._out = claim.state is not _S.RUNNING
        self._said = ""
        traffic = target.settings.get("traffic")
        self.wanted = bool(traffic) and claim.kind not in _WITHOUT

    async def take_out(self, *, seconds: float) -> None:
        """Take the target out, and wait for what is under way, `seconds` at most.

        To be asked only of one that is `wanted`.

        Raises:
            TrafficFailed: it could not be taken out; it must not be changed.
        """
        try:
            self._said = await self._traffics.take_out(self._target, seconds=seconds)
        except TrafficFailed as error:
            self._out = self._out or error.touched
            raise
        self._out = True

    async def ended(self, report: Report, *, seconds: float) -> Report:
        """Lead traffic back if the operation ends so, and return what is then to say.

        Args:
            report: how it would end without traffic.
            seconds: how long a changed target may take until it gets requests.
        """
        if self._said:
            output = "\n".join(filter(None, (self._said, report.output)))
            report = report._replace(output=output)
        serves = report.state in (_S.SUCCEEDED, _S.SKIPPED)
        kept = report.state in (_S.RELEASED, _S.PENDING) or report.available
        if not self.wanted or not (serves or (kept and self._out)):
            return report
        if not self._desk.is_trusted():
            # Somebody else may have begun with it; they, or the next, lead it back.
            text = "this worker was not heard of for too long"
            return report._replace(state=_S.UNKNOWN, available=False, error=text)
        limit = seconds if serves else BACK_SECONDS
        try:
            await self._traffics.lead_back(self._target, seconds=limit, wait=serves)
        except TrafficFailed as error:
            return self._left_out(report, str(error), serves=serves)
        return report

    def _left_out(self, report: Report, why: str, *, serves: bool) -> Report:
        """Say that it is out: it failed, or who settles it leads traffic back."""
        if serves:
            state = _S.FAILED
        elif self._claim.state is _S.RUNNING:
            state = _S.UNKNOWN
        else:
            state = _S.UNRESOLVED
        text = f"could not be led back into traffic: {why}"
        error = clean.line("; ".join(filter(None, (report.error, text))))
        return report._replace(state=state, available=False, error=error)
