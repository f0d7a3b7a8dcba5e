"""Whether a target works now: its own word together with all checks of its settings.

This is the one place that combines them, for operations and watching alike. How many
such answers make a target healthy is `strategies.health`'s rule.
"""

from __future__ import annotations

import time

import structlog

from deployctl.engine.checks import Checks
from deployctl.engine.drivers.base import (
    Driver,
    DriverError,
    Probe,
    ProbeFailed,
    TargetRef,
)

log = structlog.get_logger()
#: The part of the time that checks may take, so that it is said which one took it.
_SHARE = 0.95


class CheckFailed(ProbeFailed):
    """The target was asked and is well, but a check of it could not be made.

    Attributes:
        probe: what the target says.
    """

    def __init__(self, message: str, probe: Probe) -> None:
        self.probe = probe
        super().__init__(message)


async def health(
    driver: Driver,
    target: TargetRef,
    asked: Checks,
    *,
    seconds: float,
    fence: int | None = None,
) -> Probe:
    """Probe a target; if it says that it is well, ask its checks too, all at once.

    They are asked after the probe, so that what a fence promises holds for them.

    Raises:
        ProbeFailed, StaleFence: as `Driver.probe`.
        CheckFailed: the first check that does not hold has failed itself.
    """
    began = time.monotonic()
    probe = await _probed(driver, target, fence, seconds)
    wanted = target.settings.get("checks")
    if not wanted or not probe.healthy:
        return probe
    left = (seconds - (time.monotonic() - began)) * _SHARE
    try:
        finding = await asked.ask(target, wanted, seconds=max(0.0, left))
    except ProbeFailed as error:
        raise CheckFailed(str(error), probe) from None
    return Probe(probe.version, finding.holds, finding.detail)


async def _probed(
    driver: Driver, target: TargetRef, fence: int | None, seconds: float
) -> Probe:
    try:
        return await driver.probe(target, fence=fence, seconds=seconds)
    except DriverError:
        raise
    except Exception as error:
        # A fault of ours: a probe that failed changes nothing, and may be repeated.
        log.exception("probe.fault", target=target.name, kind=driver.kind)
        raise ProbeFailed(f"the worker failed: {type(error).__name__}") from error
