"""What a driver is: how one kind of target is probed and changed.

It knows words and promises only, no protocol, no Django, no deployment.

**The fence.** Every apply carries the target's fence, a number that only grows. A
driver that checks it keeps three promises, over its own restart too:

1. A *probe with a fence is a promise*: the target remembers the highest fence that
   it has heard, from a probe or an apply, and refuses every apply with a lower one.
   Such a probe answers only when no effect with a lower fence runs any more, so that
   what it read stays true. A worker that slept on the old fence is shut out.
2. An apply with the fence of the last attempt gets that attempt's stored answer and
   has no second effect. When the target cannot tell how that attempt ended, because
   it died in the middle, it says so, and that is `OutcomeUnknown`.
3. Checking the fence, the effect and storing its answer are one step on the target:
   no two effects overlap, and no fence goes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from deployctl.engine.effects import (
    Applied,
    DriverError,
    NotSent,
    OutcomeUnknown,
    ProbeFailed,
    StaleFence,
)
from deployctl.engine.reach import Reach

__all__ = [
    "Abilities",
    "Applied",
    "Driver",
    "DriverError",
    "NotSent",
    "OutcomeUnknown",
    "Probe",
    "ProbeFailed",
    "StaleFence",
    "TargetRef",
]


#: Settings that a target of any kind may have, which are no driver's affair.
COMMON = frozenset({"checks", "traffic"})


@dataclass(frozen=True, slots=True)
class TargetRef:
    """What a driver needs of a target, and no more.

    Attributes:
        settings: JSON-able; secrets by name only, never by value. A driver's are `own`.
        reach: what it may use, as its environment says: ask it for every secret.
    """

    id: str
    name: str
    address: str
    settings: Mapping[str, object] = field(default_factory=dict)
    reach: Reach = field(default_factory=Reach, compare=False)

    @property
    def own(self) -> dict[str, object]:
        """The settings that are its kind's."""
        return own_settings(self.settings)


def own_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings without those that a target of any kind may have."""
    return {name: value for name, value in settings.items() if name not in COMMON}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kind of target can promise.

    Attributes:
        checks_fence: keeps the promises above, so a new fence shuts out an old attempt.
        probes: says its version and health.
        atomic: an apply that did not succeed has left the old version in place.
        common: every worker sees the same target, so that any may watch it.
    """

    checks_fence: bool
    probes: bool
    atomic: bool
    common: bool = True


class Probe(NamedTuple):
    """What a target says of itself; `version` is None when it does not know."""

    version: str | None
    healthy: bool
    detail: str = ""


class Driver(ABC):
    """One kind of target. An instance serves many targets and one event loop."""

    kind: ClassVar[str]
    abilities: ClassVar[Abilities]

    @classmethod
    @abstractmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Return what is wrong, by field: `address` or a setting; {} if nothing."""

    @abstractmethod
    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """Read the target's version and health; with a fence, promise as above.

        Raises:
            ProbeFailed: it could not be asked, or an effect still runs on it.
            StaleFence: a higher fence has been there.
        """

    @abstractmethod
    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """Bring the target to `version`, ending within `seconds`.

        Raises:
            NotSent, OutcomeUnknown, StaleFence: as they say.
        """

    async def close(self) -> None:
        """Give back what the driver holds; it is not used afterwards."""
        return
