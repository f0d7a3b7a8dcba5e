"""Asks a changed target until the health rule has its verdict; it decides nothing.

The rule is `strategies.health`; how to ask is the caller's; neither a deployment nor a
database is known here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from deployctl.engine import clean
from deployctl.engine.drivers.base import Probe
from strategies.health import Answer, Health, HealthGate, Healthy, Unhealthy, Wait

#: Asks the target once, within so many seconds.
Ask = Callable[[float], Awaitable[Probe]]


async def verify(
    ask: Ask,
    *,
    version: str | None,
    health: Health,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Healthy | Unhealthy:
    """Ask until the target is healthy at `version`, or the rule or the time ends it.

    Args:
        ask: what it raises is an error of the check, and never leaves here.
        version: what the target must say it is at; None when it cannot say.
        seconds: what is left until the absolute deadline, which outranks the rule's.
        clock: seconds that only grow.
    """
    began = clock()
    limit = min(health.deadline_seconds, seconds)
    if limit < health.deadline_seconds:
        health = replace(health, deadline_seconds=limit)
    gate = HealthGate.opened(health)
    while isinstance(says := gate.says, Wait):
        if says.next_at:
            await _until(began + says.next_at, clock, sleep)
        left = limit - (clock() - began)
        if left <= 0:
            gate = gate.overdue(clock() - began)
            continue
        usual = health.timeout_seconds
        answer, detail = await _asked(ask, min(usual, left), version)
        if answer is Answer.ERROR and left < usual:
            # It was given too little time to say anything; what was said before stays.
            detail = gate.detail or detail
        gate = gate.told(clock() - began, answer, detail)
    return says


async def _until(
    moment: float,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
) -> None:
    # A loop may wake a little early; asking early would cost one more question.
    while (left := moment - clock()) > 0:
        await sleep(left)


async def _asked(ask: Ask, seconds: float, version: str | None) -> tuple[Answer, str]:
    try:
        async with asyncio.timeout(seconds):
            probe = await ask(seconds)
    except TimeoutError:
        return Answer.ERROR, f"no answer within {seconds:.3g} s"
    except Exception as error:
        # Whatever a check raises is the check's failure, and must not stop others.
        return Answer.ERROR, clean.line(str(error) or type(error).__name__)
    detail = clean.line(probe.detail) if probe.detail else ""
    if version is not None and probe.version != version:
        found = clean.line(probe.version or "an unknown version")
        return Answer.FAILED, f"is at {found}, not at {version}. {detail}".strip()
    if not probe.healthy:
        return Answer.FAILED, detail or "says it is not healthy"
    return Answer.OK, detail
