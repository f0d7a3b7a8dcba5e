"""What leads traffic to single targets is: how one is taken out, and led back.

It knows words and promises only: no protocol, no deployment. When a target is taken
out and led back is `engine.drain`'s affair; which slot gets traffic is a router's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from deployctl.engine.drivers.base import TargetRef

__all__ = ["Settings", "TargetRef", "Traffic"]

Settings = Mapping[str, object]


class Traffic(ABC):
    """One kind of what leads traffic. An instance serves many targets and one loop.

    Settings without problems are given, and only what the target's reach allows is
    connected to. All raise what `effects` has: `ProbeFailed`
    when it could not be asked, `NotSent` and `OutcomeUnknown` for a change.
    """

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def problems(cls, settings: Settings) -> dict[str, str]:
        """Return what is wrong, by setting; {} if nothing."""

    @abstractmethod
    async def take_out(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> None:
        """Send the target no new request; what is under way goes on.

        What a person has taken out otherwise is left as it is.
        """

    @abstractmethod
    async def under_way(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> int:
        """Return how many requests of a target that was taken out are under way.

        Raises:
            ProbeFailed: it is not taken out, or that could not be read.
        """

    @abstractmethod
    async def lead_back(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> None:
        """Send the target requests again; what a person has taken out stays out."""

    @abstractmethod
    async def missing(
        self, target: TargetRef, settings: Settings, *, seconds: float
    ) -> str:
        """Return why a target that was led back gets no requests yet; "" if it does."""

    async def close(self) -> None:
        """Give back what is held; it is not used afterwards."""
        return
