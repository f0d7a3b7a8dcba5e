"""The kinds of targets there are, by name; it knows no kind from the inside."""

from __future__ import annotations

from deployctl.engine.drivers.agent import AgentDriver
from deployctl.engine.drivers.base import Driver
from deployctl.engine.drivers.command import CommandDriver
from deployctl.engine.drivers.simulated import SimulatedDriver
from deployctl.engine.drivers.ssh import SshCommandDriver, SshDriver
from deployctl.engine.drivers.webhook import WebhookDriver
from deployctl.engine.kinds import Opened

__all__ = ["Drivers", "UnknownKind", "get", "kinds"]

_KINDS: dict[str, type[Driver]] = {
    each.kind: each
    for each in (
        AgentDriver,
        CommandDriver,
        SimulatedDriver,
        SshCommandDriver,
        SshDriver,
        WebhookDriver,
    )
}


class UnknownKind(LookupError):
    """There is no such kind of target in this version."""


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(sorted(_KINDS))


def get(kind: str) -> type[Driver]:
    """Return the driver class of a kind: its abilities, and what it says of settings.

    Raises:
        UnknownKind: with the kinds that there are.
    """
    found = _KINDS.get(kind)
    if found is None:
        raise UnknownKind(f"{kind!r} is not one of {', '.join(kinds())}")
    return found


class Drivers(Opened[Driver]):
    """The drivers that one event loop uses; `UnknownKind` as `get`."""

    def __init__(self) -> None:
        super().__init__(get)
