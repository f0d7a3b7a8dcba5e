"""A shift carried out like any other effect: its subject is a router, not a target.

Probing reads which slot serves, applying switches, and verifying reads back. It knows
no strategy and no database.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployctl.engine.drivers.base import (
    Abilities,
    Applied,
    Driver,
    Probe,
    TargetRef,
)
from deployctl.engine.routers.base import Router, RouterRef


class ShiftDriver(Driver):
    """Lets a router be probed and changed as a target is: its version is the slot.

    `expected` is the slot that traffic is led away from.
    """

    kind = "router"
    abilities = Abilities(checks_fence=False, probes=True, atomic=True)

    def __init__(self, router: Router, ref: RouterRef, expected: str) -> None:
        self._router = router
        self._ref = ref
        self._expected = expected
        # An instance's own: what it can promise is what its router can.
        self.abilities = Abilities(  # type: ignore[misc]
            checks_fence=router.abilities.checks_fence, probes=True, atomic=True
        )

    @classmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Nobody has this kind; routers check their own settings."""
        return {"kind": "a router is not a target"}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """Read which slot serves; a router is never unhealthy, only unreachable."""
        reading = await self._router.read(self._ref, fence=fence, seconds=seconds)
        serving = reading.serving is not None
        return Probe(reading.serving, serving, reading.detail)

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """Switch to the slot `version`."""
        return await self._router.switch(
            self._ref,
            expected=self._expected,
            slot=version,
            fence=fence,
            seconds=seconds,
        )
