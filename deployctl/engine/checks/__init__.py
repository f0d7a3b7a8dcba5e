"""The kinds of checks there are, by name; it knows no kind from the inside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from deployctl.engine import clean
from deployctl.engine.checks.base import Check, Finding, TargetRef
from deployctl.engine.checks.command import CommandCheck
from deployctl.engine.checks.http import HttpCheck
from deployctl.engine.checks.ssh import SshCheck
from deployctl.engine.checks.tcp import TcpCheck
from deployctl.engine.effects import ProbeFailed
from deployctl.engine.kinds import Opened, listed_problem, without_kind

__all__ = ["Checks", "problem"]

_KINDS: dict[str, type[Check]] = {
    each.kind: each for each in (CommandCheck, HttpCheck, SshCheck, TcpCheck)
}
#: All of a target's are asked at once, each time that it is looked at.
MOST = 16


def problem(checks: object) -> str:
    """Return what is wrong with a target's setting `checks`, or an empty text."""
    return listed_problem(checks, _KINDS, _problems, most=MOST)


def _problems(kind: str, settings: Mapping[str, Any]) -> dict[str, str]:
    return _KINDS[kind].problems(settings)


class Checks(Opened[Check]):
    """The checks that one event loop uses."""

    def __init__(self) -> None:
        super().__init__(_KINDS.__getitem__)

    async def ask(
        self, target: TargetRef, checks: object, *, seconds: float
    ) -> Finding:
        """Ask all of a target's checks at once; return the first that does not hold.

        The first is the first of the list, so that the same faults say the same. If
        all hold, what the last one said.

        Raises:
            ProbeFailed: the first that does not hold has failed itself.
        """
        wrong = problem(checks)
        if wrong:
            raise ProbeFailed(f"its checks cannot be asked: {wrong}")
        assert isinstance(checks, list)
        asking = [
            asyncio.create_task(self._asked(number, target, check, seconds))
            for number, check in enumerate(checks, 1)
        ]
        finding = Finding(holds=True)
        try:
            for task in asking:
                finding = await task
                if not finding.holds:
                    break
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return finding

    async def _asked(
        self, number: int, target: TargetRef, check: Mapping[str, Any], seconds: float
    ) -> Finding:
        kind = check["kind"]
        name = f"check {number} ({kind})"
        try:
            async with asyncio.timeout(seconds):
                found = await self.of(kind).ask(
                    target, without_kind(check), seconds=seconds
                )
        except TimeoutError:
            raise ProbeFailed(f"{name}: no answer within {seconds:.3g} s") from None
        except Exception as error:
            # Whatever a check raises is the check's failure, and must not stop others.
            said = clean.line(str(error) or type(error).__name__)
            raise ProbeFailed(f"{name}: {said}") from error
        return Finding(found.holds, clean.line(f"{name}: {found.detail}"))
