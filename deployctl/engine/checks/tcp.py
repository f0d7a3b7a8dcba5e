"""A check that connects and hangs up; nothing is sent, and nothing is read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Mapping
from typing import Any

from deployctl.engine import names
from deployctl.engine.checks.base import Check, Finding, TargetRef
from deployctl.engine.effects import ProbeFailed
from deployctl.engine.reach import Refused

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})")


class TcpCheck(Check):
    """Holds when somebody accepts a connection."""

    kind = "tcp"

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `address`, host:port; brackets around an address of IPv6."""
        found = dict.fromkeys(settings.keys() - {"address"}, "is not a setting of it")
        text = settings.get("address")
        match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
        if match is None or not 0 < int(match[3]) < 65536:
            found["address"] = "must be host:port"
        return found

    async def ask(
        self, target: TargetRef, settings: Mapping[str, Any], *, seconds: float
    ) -> Finding:
        """As `Check.ask`; each address of a name is tried, checked ones only."""
        address = str(settings["address"])
        match = _ADDRESS.fullmatch(address)
        assert match is not None
        try:
            places = await names.places(match[1] or match[2], int(match[3]))
            for place in places:
                target.reach.check(str(place[4][0]))
        except Refused as error:
            raise ProbeFailed(str(error)) from None
        except OSError as error:
            return Finding(False, f"{address} has no address: {error.strerror}")
        said = ""
        for family, kind, protocol, _, where in places:
            said = await _connected(socket.socket(family, kind, protocol), where)
            if not said:
                return Finding(True, f"{address} accepts connections")
        return Finding(False, f"{address}: {said}")


async def _connected(made: socket.socket, where: Any) -> str:
    """Connect and hang up; return why not, or an empty text."""
    with contextlib.closing(made):
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, where)
        except OSError as error:
            return error.strerror or type(error).__name__
    return ""
