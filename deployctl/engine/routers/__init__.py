"""The kinds of routers there are, by name; it knows no kind from the inside."""

from __future__ import annotations

from deployctl.engine.kinds import Opened
from deployctl.engine.routers.base import Router
from deployctl.engine.routers.command import CommandRouter
from deployctl.engine.routers.haproxy import HaproxyRouter
from deployctl.engine.routers.haproxy_weights import HaproxyWeightsRouter
from deployctl.engine.routers.nginx import NginxRouter
from deployctl.engine.routers.simulated import SimulatedRouter
from deployctl.engine.routers.webhook import WebhookRouter

__all__ = ["Routers", "UnknownRouterKind", "get", "kinds"]

_KINDS: dict[str, type[Router]] = {
    each.kind: each
    for each in (
        CommandRouter,
        HaproxyRouter,
        HaproxyWeightsRouter,
        NginxRouter,
        SimulatedRouter,
        WebhookRouter,
    )
}


class UnknownRouterKind(LookupError):
    """There is no such kind of router in this version."""


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(sorted(_KINDS))


def get(kind: str) -> type[Router]:
    """Return the class of a kind: its abilities, and what it says of settings.

    Raises:
        UnknownRouterKind: with the kinds that there are.
    """
    found = _KINDS.get(kind)
    if found is None:
        raise UnknownRouterKind(f"{kind!r} is not one of {', '.join(kinds())}")
    return found


class Routers(Opened[Router]):
    """The routers that one event loop uses; `UnknownRouterKind` as `get`."""

    def __init__(self) -> None:
        super().__init__(get)
