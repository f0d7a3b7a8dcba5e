"""What the library's callers bring, for tests: a clock that does not wait, and a site.

They note what is asked of them, in order, and fail where they are told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from strategies.types import DeploymentTarget


def targets(count: int, **values) -> list[DeploymentTarget]:
    """Return t0, t1, .. at v1, or with other values."""
    given = {"version": "v1", **values}
    return [DeploymentTarget(f"t{n}", f"web {n}", "::1", **given) for n in range(count)]


class FakeClock:
    """Time that passes when somebody waits for it, and at once."""

    def __init__(self, log: list | None = None) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self._log = log

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept.append(seconds)
        if self._log is not None:
            self._log.append(("wait", seconds))

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)


class Site:
    """A place that is deployed to: its callbacks, and the log of what was asked.

    `failing` are the ids whose deploys fail, `sick` those whose health checks do, and
    `raising` those that raise instead.
    """

    def __init__(
        self,
        *,
        failing: Collection[str] = (),
        sick: Collection[str] = (),
        raising: Collection[str] = (),
        stuck: Collection[str] = (),
    ) -> None:
        self.failing, self.sick, self.raising = failing, sick, raising
        self.stuck = stuck
        self.log: list = []
        self.clock = FakeClock(self.log)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The deploys that were asked for: (target id, version)."""
        return [entry[1:] for entry in self.log if entry[0] == "deploy"]

    @property
    def called(self) -> list[str]:
        """Whose deploys were asked for."""
        return [target_id for target_id, _ in self.calls]

    @property
    def switches(self) -> list[str]:
        """Which slots traffic was to be led to."""
        return [entry[1] for entry in self.log if entry[0] == "switch"]

    def deploy(self, target: DeploymentTarget, version: str) -> bool:
        """Deploy, unless told otherwise."""
        self.log.append(("deploy", target.id, version))
        if target.id in self.raising:
            raise ConnectionError("no route")
        return target.id not in self.failing

    def check(self, target: DeploymentTarget) -> bool:
        """Say whether a target is healthy."""
        self.log.append(("check", target.id))
        return target.id not in self.sick

    def switch(self, slot: str) -> bool:
        """Switch, unless the router is stuck for this slot."""
        self.log.append(("switch", slot))
        if "raise" in self.stuck:
            raise TimeoutError("router does not answer")
        return slot not in self.stuck

    async def adeploy(self, target: DeploymentTarget, version: str) -> bool:
        """Deploy, and let others have their turn meanwhile."""
        await asyncio.sleep(0)
        return self.deploy(target, version)
