"""A check by a command on a host; its exit status is the answer."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from deployctl.engine import clean
from deployctl.engine.checks.base import Check, Finding, TargetRef
from deployctl.engine.effects import ProbeFailed
from deployctl.engine.ssh import (
    HOST_SETTINGS,
    NO_COMMAND,
    Connections,
    Lost,
    guarded,
    host_in,
    host_problems,
    words_problem,
)

_BY_SIGNAL = 128
_SETTINGS = HOST_SETTINGS | {"address", "command"}


class SshCheck(Check):
    """Holds when the command ends with 0. Without an address it is on the target."""

    kind = "ssh"

    def __init__(self) -> None:
        self._connections = Connections()

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `command`, words; `address` and a host's own, or the target's."""
        found = dict.fromkeys(settings.keys() - _SETTINGS, "is not a setting of it")
        found["command"] = words_problem(settings.get("command"))
        if "address" in settings:
            found |= host_problems(str(settings["address"]), settings)
            if "host_key" not in settings:
                found["host_key"] = "is needed: the line of the host's public key"
        else:
            for name in settings.keys() & HOST_SETTINGS:
                found[name] = "needs an address beside it; else the target's are used"
        return {name: problem for name, problem in found.items() if problem}

    async def ask(
        self, target: TargetRef, settings: Mapping[str, Any], *, seconds: float
    ) -> Finding:
        """As `Check.ask`; a host that cannot be connected to may be starting."""
        there = settings if "address" in settings else target.settings
        address = str(settings.get("address", target.address))
        problems = host_problems(address, there)
        if problems or "host_key" not in there:
            said = "; ".join(f"{name} {text}" for name, text in problems.items())
            raise ProbeFailed(said or f"no host key is pinned for {target.name}")
        words = shlex.join(settings["command"])
        command, line = guarded(words, "\n", seconds)
        try:
            ended = await self._connections.run(
                host_in(address, there),
                command,
                line.encode("ascii"),
                reach=target.reach,
                seconds=seconds,
            )
        except Lost as lost:
            if lost.nobody:
                return Finding(False, clean.line(str(lost)))
            raise ProbeFailed(clean.line(str(lost))) from None
        # A shell says 128 and more of a command that a signal has ended.
        status = ended.status
        if status is None or status in NO_COMMAND or status > _BY_SIGNAL:
            raise ProbeFailed(ended.how())
        said = clean.line(ended.out.text().strip()) or "it printed nothing"
        return Finding(not status, ended.how() if status else said)

    async def close(self) -> None:
        """Close the connections; what runs on them is ended."""
        await self._connections.close()
