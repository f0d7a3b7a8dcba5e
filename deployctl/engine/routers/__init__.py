"""The kinds of routers there are, by name; it knows no kind from the inside."""

from __future__ import annotations

from deployctl.engine.routers.base import Router
from deployctl.engine.routers.command import CommandRouter
from deployctl.engine.routers.haproxy import HaproxyRouter
from deployctl.engine.routers.nginx import NginxRouter
from deployctl.engine.routers.simulated import SimulatedRouter
from deployctl.engine.routers.webhook import WebhookRouter

__all__ = ["Routers", "UnknownRouterKind", "get", "kinds"]

# From here only: a row in the database never names code that is then imported.
_KINDS: dict[str, type[Router]] = {
    each.kind: each
    for each in (
        CommandRouter,
        HaproxyRouter,
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


class Routers:
    """The routers that one event loop uses: one of each kind, made when first asked."""

    def __init__(self) -> None:
        self._open: dict[str, Router] = {}

    def of(self, kind: str) -> Router:
        """Return the router of a kind; `UnknownRouterKind` as `get`."""
        router = self._open.get(kind)
        if router is None:
            router = self._open[kind] = get(kind)()
        return router

    async def close(self) -> None:
        """Close them all; each kind that is asked for again is made anew."""
        while self._open:
            _, router = self._open.popitem()
            await router.close()
