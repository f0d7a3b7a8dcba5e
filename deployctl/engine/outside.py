"""Everything that one worker can reach: drivers, routers, checks, traffic, by kind.

It gives each claim what carries it out; it knows no deployment and no database.
"""

from __future__ import annotations

from deployctl.engine import drivers, routers
from deployctl.engine.checks import Checks
from deployctl.engine.drivers.base import Driver
from deployctl.engine.reach import Reach
from deployctl.engine.reaches import Reaches
from deployctl.engine.routers.base import Member, RouterRef
from deployctl.engine.shift import ShiftDriver
from deployctl.engine.traffic import Traffics
from deployctl.services.claims import Claim
from strategies.states import Kind


class Outside:
    """What one event loop uses.

    Attributes:
        reaches: what each environment's targets may use.
        kinds: the kinds of targets that can be reached from here.
        fenced: those of them that refuse a lower fence by themselves.
        router_kinds, fenced_routers: likewise, kinds of routers.
    """

    def __init__(self, reaches: Reaches) -> None:
        self.reaches = reaches
        self.drivers = drivers.Drivers()
        self.routers = routers.Routers()
        self.checks = Checks()
        self.traffics = Traffics()
        self.kinds = list(drivers.kinds())
        self.fenced = [
            kind for kind in self.kinds if drivers.get(kind).abilities.checks_fence
        ]
        self.router_kinds = list(routers.kinds())
        self.fenced_routers = [
            kind
            for kind in self.router_kinds
            if routers.get(kind).abilities.checks_fence
        ]

    def of(self, claim: Claim, reach: Reach) -> Driver:
        """Return what carries a claim out, with what may be used for it.

        Raises:
            LookupError: its kind is not known here.
        """
        if claim.kind is not Kind.SHIFT:
            return self.drivers.of(claim.driver)
        subject = str(claim.subject_id)
        groups = {
            label: tuple(Member(name, tuple(traffic)) for name, traffic in targets)
            for label, targets in claim.groups.items()
        }
        ref = RouterRef(subject, claim.name, claim.slots, claim.settings, reach, groups)
        router = self.routers.of(claim.driver)
        return ShiftDriver(router, ref, expected=claim.from_version or "")

    async def close(self) -> None:
        """Give back what is held."""
        await self.drivers.close()
        await self.routers.close()
        await self.checks.close()
        await self.traffics.close()
