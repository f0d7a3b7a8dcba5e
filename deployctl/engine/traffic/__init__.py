"""What leads traffic to single targets, by kind: taking one out, and leading back.

A target's setting `traffic` is a list, for one may stand behind several. It knows no
kind from the inside, and nothing of the operation that it is done for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from deployctl.engine import clean
from deployctl.engine.effects import DriverError, NotSent, ProbeFailed
from deployctl.engine.kinds import Opened, listed_problem, without_kind
from deployctl.engine.traffic.base import TargetRef, Traffic
from deployctl.engine.traffic.haproxy import HaproxyTraffic

T = TypeVar("T")

__all__ = ["Traffics", "TrafficFailed", "kinds", "problem"]

_KINDS: dict[str, type[Traffic]] = {each.kind: each for each in (HaproxyTraffic,)}
#: All that lead traffic to one target are asked at once.
MOST = 16
#: How long what is under way may take to end, unless the settings say; and at most.
DRAIN_SECONDS, MOST_DRAIN_SECONDS = 30.0, 3600.0
#: One question may take so long.
ASK_SECONDS = 5.0
#: How often it is asked again. Nothing is under way when it is said twice: a request
#: may be on its way to the count.
AGAIN_SECONDS = 0.1


class TrafficFailed(Exception):
    """A target could not be taken out of traffic, or not be led back.

    Attributes:
        touched: whether anything may have been changed.
    """

    def __init__(self, message: str, *, touched: bool = True) -> None:
        self.touched = touched
        super().__init__(message)


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(sorted(_KINDS))


def problem(traffic: object) -> str:
    """Return what is wrong with a target's setting `traffic`, or an empty text."""
    return listed_problem(traffic, _KINDS, _problems, most=MOST)


def _problems(kind: str, given: Mapping[str, Any]) -> dict[str, str]:
    found = _KINDS[kind].problems(_own(given))
    seconds = given.get("drain_seconds", DRAIN_SECONDS)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds <= MOST_DRAIN_SECONDS
        or math.isnan(seconds)
    ):
        found["drain_seconds"] = f"must be 0 to {MOST_DRAIN_SECONDS:.0f} seconds"
    return found


def _own(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in without_kind(given).items()
        if name != "drain_seconds"
    }


class Traffics(Opened[Traffic]):
    """What leads traffic, for one event loop."""

    def __init__(self) -> None:
        super().__init__(_KINDS.__getitem__)

    async def take_out(self, target: TargetRef, *, seconds: float) -> str:
        """Take a target out everywhere, and wait until nothing is under way.

        It waits as long as the setting says, and `seconds` at most, and then goes on.

        Returns:
            What a person should read of what was still under way; "" if nothing was.

        Raises:
            TrafficFailed: it could not be taken out somewhere.
        """
        until = _now() + seconds
        entries = _entries(target)
        left = await _together([self._taken_out(target, e, until) for e in entries])
        if not sum(left):
            return ""
        return f"its time to drain ended with {sum(left)} requests still under way"

    async def lead_back(self, target: TargetRef, *, seconds: float, wait: bool) -> None:
        """Lead traffic to a target again everywhere; what fails is tried again.

        Args:
            wait: whether it must be seen that the target gets some.

        Raises:
            TrafficFailed: it could not be led back within `seconds`, or gets none yet.
        """
        until = _now() + seconds
        entries = _entries(target)
        await _together([self._led_back(target, e, until, wait=wait) for e in entries])

    async def _taken_out(
        self, target: TargetRef, entry: Mapping[str, Any], until: float
    ) -> int:
        traffic, own = self.of(entry["kind"]), _own(entry)
        await traffic.take_out(target, own, seconds=ASK_SECONDS)
        until = min(until, _now() + entry.get("drain_seconds", DRAIN_SECONDS))
        before = 1
        while True:
            left = await traffic.under_way(target, own, seconds=ASK_SECONDS)
            if left == before == 0 or _now() >= until:
                return left
            before = left
            await asyncio.sleep(AGAIN_SECONDS)

    async def _led_back(
        self,
        target: TargetRef,
        entry: Mapping[str, Any],
        until: float,
        *,
        wait: bool,
    ) -> None:
        traffic, own = self.of(entry["kind"]), _own(entry)
        led = False
        while True:
            try:
                if not led:
                    await traffic.lead_back(target, own, seconds=ASK_SECONDS)
                    led = True
                why = (
                    await traffic.missing(target, own, seconds=ASK_SECONDS)
                    if wait
                    else ""
                )
                if not why:
                    return
            except DriverError as error:
                why = str(error)
            if _now() >= until:
                raise ProbeFailed(why)
            await asyncio.sleep(AGAIN_SECONDS)


def _entries(target: TargetRef) -> list[dict[str, Any]]:
    wanted = target.settings.get("traffic", [])
    wrong = problem(wanted)
    if wrong:
        raise TrafficFailed(f"its setting traffic {wrong}", touched=False)
    assert isinstance(wanted, list)
    return wanted


async def _together(asked: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all, whatever happens to one; then say the first that failed."""
    done = await asyncio.gather(*asked, return_exceptions=True)
    failed = [each for each in done if isinstance(each, BaseException)]
    for error in failed:
        if not isinstance(error, DriverError):
            raise error
    if failed:
        untouched = all(isinstance(each, NotSent) for each in done)
        raise TrafficFailed(clean.line(str(failed[0])), touched=not untouched)
    return [each for each in done if not isinstance(each, BaseException)]


def _now() -> float:
    return asyncio.get_running_loop().time()
