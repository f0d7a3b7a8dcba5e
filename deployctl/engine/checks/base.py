"""What a check is: one question about whether a target works, besides its own word.

It knows no driver and no deployment; when a target counts as healthy after so many
answers is `strategies.health`'s rule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from deployctl.engine.drivers.base import TargetRef

__all__ = ["Check", "Finding", "TargetRef"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: whether it holds, and what a person should read of it."""

    holds: bool
    detail: str = ""


class Check(ABC):
    """One kind of check. An instance serves many targets and one event loop."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Return what is wrong, by setting, `kind` apart; {} if nothing."""

    @abstractmethod
    async def ask(
        self, target: TargetRef, settings: Mapping[str, object], *, seconds: float
    ) -> Finding:
        """Ask once, within `seconds`. Settings without problems are given.

        That a target is not there yet is a finding: it starts, and the check works.

        Raises:
            ProbeFailed: the check itself failed, so that nothing was found.
        """

    async def close(self) -> None:
        """Give back what the check holds; it is not used afterwards."""
        return
