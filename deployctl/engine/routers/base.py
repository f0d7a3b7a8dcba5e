"""What a router is: how traffic is led from one slot to another, and read back.

Some lead from slot to slot, some share traffic between targets: then a slot is a share,
as `strategies.weights` writes it.

It knows words and promises only: no protocol, no Django, no deployment.

A switch says what it expects to find. A router that cannot compare and switch in one
step reads first; what it then finds afterwards is read back by whoever asked, so that
nobody believes a router's word alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from deployctl.engine.effects import Applied
from deployctl.engine.reach import Reach

__all__ = ["Applied", "Member", "Reading", "Router", "RouterAbilities", "RouterRef"]


@dataclass(frozen=True, slots=True)
class Member:
    """A target among which traffic is shared: its name, and its setting `traffic`."""

    name: str
    traffic: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class RouterRef:
    """What a router's driver needs of it, and no more.

    Attributes:
        slots: the names of the two slots between which it leads traffic; none, if it
            shares traffic.
        settings: JSON-able; secrets by name only, never by value.
        reach: what it may use, as its environment says: ask it for every secret.
        groups: the targets that are meant by each share of a claim, the earlier share
            first; none outside a claim.
    """

    id: str
    name: str
    slots: tuple[str, ...]
    settings: Mapping[str, object] = field(default_factory=dict)
    reach: Reach = field(default_factory=Reach, compare=False)
    groups: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouterAbilities:
    """What a kind of router can promise.

    Attributes:
        checks_fence: refuses every switch with a lower fence than it has heard, over
            its own restart too, so that a new fence shuts out an old attempt.
        slots: leads traffic from slot to slot.
        shares: shares traffic between targets.
    """

    checks_fence: bool
    slots: bool = True
    shares: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a router says it does: the slot that gets traffic, None if it says none.

    One that shares traffic says how; "even" is as its own configuration has it.
    """

    serving: str | None
    detail: str = ""


class Router(ABC):
    """One kind of router. An instance serves many routers and one event loop."""

    kind: ClassVar[str]
    abilities: ClassVar[RouterAbilities]

    @classmethod
    @abstractmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Return what is wrong, by setting; {} if nothing."""

    @abstractmethod
    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Read which slot gets traffic; with a fence, promise as `Driver.probe` does.

        Raises:
            ProbeFailed: it could not be asked, or said nothing that makes sense.
            StaleFence: a higher fence has been there.
        """

    @abstractmethod
    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """Lead traffic from `expected` to `slot`, ending within `seconds`.

        A router that is found serving something else is left as it is: not ok. Where
        nothing is `expected`, which shares of traffic alone know, it is led there from
        anywhere.

        Raises:
            NotSent, OutcomeUnknown, StaleFence: as they say.
        """

    async def close(self) -> None:
        """Give back what the driver holds; it is not used afterwards."""
        return
