"""What a worker does with one claim: probe, apply, verify, or settle a doubt.

It asks and changes one target through its driver and reports what it found; what a
finding means is `strategies.operations`' word, and nothing is stored here.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from deployctl.engine import clean, crash
from deployctl.engine.drain import Drain
from deployctl.engine.drivers.base import (
    Applied,
    DriverError,
    NotSent,
    OutcomeUnknown,
    Probe,
    ProbeFailed,
    StaleFence,
    TargetRef,
)
from deployctl.engine.health import CheckFailed, health
from deployctl.engine.outside import Outside
from deployctl.engine.reach import Reach
from deployctl.engine.traffic import TrafficFailed
from deployctl.engine.verify import verify
from deployctl.services.claims import Claim
from deployctl.services.operations import Report
from strategies.health import Health, Healthy
from strategies.operations import FirstLook, Move, Sight, first_look, settled
from strategies.states import Kind, OperationState

_S = OperationState
#: A probe that takes longer than this is a failed one.
PROBE_SECONDS = 10.0
#: A target in doubt is asked again after this, at first and at most.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 5.0
#: A verification that lasts longer is reported while it goes on, so that somebody else
#: can go on with it if this worker dies.
SAY_VERIFYING_SECONDS = 0.2


class Desk(Protocol):
    """Where an operation's runner hands in what it found, and asks whether to go on."""

    def may_apply(self, claim: Claim) -> bool:
        """Whether an effect may start now."""

    def is_trusted(self) -> bool:
        """Whether this worker is not thought dead by others."""

    def report(self, claim: Claim, report: Report) -> None:
        """Hand in a finding; it is stored with the next flush."""

    async def committed(self, claim: Claim, report: Report) -> bool:
        """Hand in a finding and wait until it is stored; False if it was refused."""


class Runner:
    """Carries out one claim. `asked_at` is the loop's time before it was asked for."""

    def __init__(
        self,
        claim: Claim,
        reach: Reach,
        outside: Outside,
        health: Health,
        desk: Desk,
        asked_at: float,
    ) -> None:
        self.claim, self.outside, self.desk = claim, outside, desk
        self.driver = outside.of(claim, reach)
        self.health, self.asked_at = health, asked_at
        self._masked = reach.masked
        self._loop = asyncio.get_running_loop()
        self._target = TargetRef(
            str(claim.subject_id), claim.name, claim.address, claim.settings, reach
        )
        self._drain = Drain(claim, self._target, outside.traffics, desk)
        self._move = Move(
            claim.direction,
            claim.from_version,
            claim.to_version,
            claim.attempt,
            claim.kind,
            weighs=bool(claim.groups),
        )

    async def run(self) -> None:
        """Do what the claim is for, and report how it ended."""
        state = self.claim.state
        if state is _S.RUNNING:
            report = await self._begin()
        elif state is _S.VERIFYING:
            report = await self._verify(self._left(self.claim.verify_seconds))
        else:
            report = await self._settle()
        report = await self._drain.ended(report, seconds=self.health.deadline_seconds)
        crash.point("before_result")
        self.desk.report(self.claim, report)

    # -- a new effect ---------------------------------------------------------

    async def _begin(self) -> Report:
        crash.point("after_claim")
        if self.claim.to_version is None:
            text = "no earlier version is known to go back to"
            return self._said(_S.FAILED, text, available=None)
        if not self.desk.may_apply(self.claim):
            return self._released()
        if self.claim.kind is Kind.VERIFY:
            return await self._verify(self.health.deadline_seconds)
        return await self._change()

    async def _change(self) -> Report:
        try:
            probe = await self._probe()
        except (ProbeFailed, StaleFence) as error:
            return self._said(_S.FAILED, f"could not be asked: {error}")
        crash.point("after_probe")
        look = first_look(self._move, Sight(probe.version, probe.healthy))
        if look in (FirstLook.SKIP, FirstLook.FOUND_DONE):
            found = _S.SKIPPED if look is FirstLook.SKIP else _S.SUCCEEDED
            return self._said(found, available=True, observed=probe.version)
        if look is FirstLook.REFUSE:
            serves = f"it serves {probe.version or _unknown(probe)}"
            text = f"{serves}, not {self.claim.from_version} as the plan says"
            return self._said(_S.FAILED, text, observed=probe.version)
        if look is FirstLook.DRIFT:
            drift = self._said(_S.RUNNING, observed=probe.version, drift=True)
            if not await self.desk.committed(self.claim, drift):
                return self._released()
        if not self.desk.may_apply(self.claim):
            return self._released()
        return await self._drained(probe) or await self._apply(probe)

    async def _drained(self, before: Probe) -> Report | None:
        """Take the target out of traffic; return how it ended if it may not go on."""
        if not self._drain.wanted:
            return None
        # What is left of the time is for the change itself.
        limit = self._left(self.claim.apply_seconds) / 2
        try:
            await self._drain.take_out(seconds=limit)
        except TrafficFailed as error:
            text = f"could not be taken out of traffic, and was not changed: {error}"
            return self._said(
                _S.FAILED, text, available=before.healthy, observed=before.version
            )
        crash.point("after_drain")
        return None if self.desk.may_apply(self.claim) else self._released()

    async def _apply(self, before: Probe) -> Report:
        claim = self.claim
        try:
            applied = await self.driver.apply(
                self._target,
                version=claim.to_version or "",
                fence=claim.fence,
                seconds=self._left(claim.apply_seconds),
            )
        except OutcomeUnknown as error:
            return self._said(_S.UNKNOWN, str(error))
        except (NotSent, StaleFence) as error:
            text = f"could not be changed: {error}"
            # Who has the higher fence says how it is, and leads its traffic.
            known = None if isinstance(error, StaleFence) else before.healthy
            return self._said(_S.FAILED, text, available=known, observed=before.version)
        crash.point("after_apply")
        if not applied.ok and claim.kind is Kind.SHIFT:
            return await self._read_back(applied)
        if not applied.ok:
            return self._said(_S.FAILED, applied.error, output=applied.output)
        return await self._verify(self.health.deadline_seconds, applied.output)

    async def _read_back(self, applied: Applied) -> Report:
        """Say how a switch that was refused has ended: nobody believes its word."""
        try:
            probe = await self._probe()
        except (ProbeFailed, StaleFence) as error:
            text = f"{applied.error}; it could not be read back: {error}"
            return self._said(_S.UNKNOWN, text, output=applied.output)
        if probe.version == self.claim.to_version:
            return self._said(_S.SUCCEEDED, available=True, observed=probe.version)
        serves = f"{applied.error}; it serves {probe.version or _unknown(probe)}"
        return self._said(
            _S.FAILED, serves, output=applied.output, observed=probe.version
        )

    async def _verify(self, seconds: float, output: str = "") -> Report:
        patience = 0.0 if self._takes_time() else SAY_VERIFYING_SECONDS
        said = self._loop.call_later(patience, self._say_verifying)
        last = Probe(None, healthy=False)

        async def ask(left: float) -> Probe:
            nonlocal last
            try:
                last = await self._health(left)
            except CheckFailed as error:
                last = error.probe
                raise
            return last

        try:
            says = await verify(
                ask,
                version=self.claim.to_version,
                health=self.health,
                seconds=seconds,
            )
        finally:
            said.cancel()
        if isinstance(says, Healthy):
            return self._said(
                _S.SUCCEEDED,
                output=output,
                available=True,
                observed=self.claim.to_version,
            )
        reason = says.reason.value.replace("_", " ")
        text = ": ".join(filter(None, (reason, says.detail)))
        return self._said(_S.FAILED, text, output=output, observed=last.version)

    def _takes_time(self) -> bool:
        rule = self.health
        waits = rule.initial_delay_seconds or rule.min_healthy_seconds
        return bool(waits or self._drain.wanted)

    def _say_verifying(self) -> None:
        if self.claim.state is not _S.VERIFYING:
            self.desk.report(self.claim, self._said(_S.VERIFYING))

    # -- a doubt --------------------------------------------------------------

    async def _settle(self) -> Report:
        if not self.driver.abilities.probes:
            return self._said(_S.UNRESOLVED, "its driver cannot look at a target")
        wait, last = FIRST_WAIT_SECONDS, "it was never reached"
        while True:  # Asked once at least, however late somebody came to ask.
            try:
                report = await self._settled(await self._probe())
                if report is not None:
                    return report
                last = "the lost attempt may still arrive"
            except StaleFence as error:
                return self._said(_S.UNRESOLVED, str(error))
            except ProbeFailed as error:
                last = str(error)
            left = self._left(self.claim.settle_seconds)
            if left <= 0:
                break
            await asyncio.sleep(min(wait, left))
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)
        return self._said(_S.UNRESOLVED, f"nobody could find out: {last}")

    async def _settled(self, probe: Probe) -> Report | None:
        """Return what the doubt came to, or None to look again later."""
        fenced = self.driver.abilities.checks_fence
        quiet = self.claim.quiet or self._left(self.claim.apply_seconds) <= 0
        seen = Sight(probe.version, probe.healthy)
        state = settled(self._move, seen, may_redo=fenced or quiet)
        if state is _S.VERIFYING:
            self.desk.report(self.claim, self._said(_S.VERIFYING))
            return await self._verify(self.health.deadline_seconds)
        if state is _S.UNRESOLVED and seen.version == self._move.from_version:
            return None
        if state is _S.UNRESOLVED:
            text = f"found at {probe.version or 'no known version'}, which is neither"
            return self._said(state, text, observed=probe.version)
        return self._said(state, available=probe.healthy, observed=probe.version)

    # -- small things -----------------------------------------------------------

    def _left(self, seconds: float) -> float:
        passed = self._loop.time() - self.asked_at
        return max(0.0, seconds - passed)

    async def _probe(self) -> Probe:
        seconds = PROBE_SECONDS
        if self.claim.state is _S.RUNNING:
            seconds = min(seconds, self._left(self.claim.apply_seconds))
        fenced = self.driver.abilities.checks_fence
        fence = self.claim.fence if fenced else None
        try:
            return await self._health(seconds, fence)
        except CheckFailed as error:  # What it is at is known, and may be changed.
            return Probe(error.probe.version, healthy=False, detail=str(error))
        except (ProbeFailed, StaleFence):
            raise
        except DriverError as error:
            raise ProbeFailed(str(error)) from error

    async def _health(self, seconds: float, fence: int | None = None) -> Probe:
        checks = self.outside.checks
        return await health(
            self.driver, self._target, checks, seconds=seconds, fence=fence
        )

    def _released(self) -> Report:
        return self._said(_S.RELEASED)

    def _said(
        self,
        state: OperationState,
        error: str = "",
        *,
        output: str = "",
        available: bool | None = False,
        observed: str | None = None,
        drift: bool = False,
    ) -> Report:
        return Report(
            operation_id=self.claim.operation_id,
            fence=self.claim.fence,
            state=state,
            available=available,
            observed=self._version(observed) if observed else observed,
            error=clean.line(self._masked(error)) if error else "",
            output=clean.text(self._masked(output)) if output else "",
            drift=drift,
        )

    def _version(self, seen: str) -> str:
        """Return a version that was seen; one that nobody knows may be a secret."""
        if seen in (self.claim.from_version, self.claim.to_version):
            return seen
        return clean.line(self._masked(seen), limit=128)


def _unknown(probe: Probe) -> str:
    """Return what is said of a router that serves nothing that a plan knows."""
    return f"nothing known ({probe.detail})" if probe.detail else "nothing known"
