"""Routers that a service of one's own leads: told by a signed request, then asked.

It knows what such a service is told of a switch; how it is told and asked until it is
done is `webhooks`' affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from deployctl.engine import clean, reach
from deployctl.engine.effects import NotSent, ProbeFailed
from deployctl.engine.routers.base import (
    Applied,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)
from deployctl.engine.webhooks import Hook, Webhooks, hook_problems

_SETTINGS = frozenset({"read", "secret", "status", "switch"})


class WebhookRouter(Router):
    """Told at `switch`, asked at `status`, read back at `read`.

    That a service checks the fence is not known here, so it must end every switch
    within the `seconds` that it is told; with a fence too low it answers 409, `stale`.
    """

    kind = "webhook"
    abilities = RouterAbilities(checks_fence=False)

    def __init__(self) -> None:
        self._hooks = Webhooks()

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `secret`, its name; the addresses `switch`, `status`, `read`."""
        found = dict.fromkeys(settings.keys() - _SETTINGS, "is not a setting of it")
        found |= hook_problems(settings)
        for name in ("read", "switch"):
            found[name] = reach.url_problem(settings.get(name), path=True)
        return {name: problem for name, problem in found.items() if problem}

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """Ask `read`; it answers with an object whose `serving` is the slot."""
        for name, problem in self.problems(router.settings).items():
            raise ProbeFailed(f"{name} {problem}")
        url = str(router.settings["read"])
        body = await self._hooks.read(_hook(router), url, seconds=seconds)
        said = body.get("serving")
        if not isinstance(said, str):
            raise ProbeFailed("the answer names no slot that is serving")
        return Reading(said if said in router.slots else None, clean.line(said))

    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """Read, and tell it to switch if it serves what is expected."""
        until = asyncio.get_running_loop().time() + seconds
        try:
            found = await self.read(router, fence=None, seconds=seconds)
        except ProbeFailed as error:
            raise NotSent(f"it could not be read before the switch: {error}") from None
        if found.serving == slot:
            return Applied(ok=True)
        if found.serving != expected:
            served = f"it serves {found.detail}, not {expected}"
            return Applied(ok=False, error=served)
        left = until - asyncio.get_running_loop().time()
        told = {
            "router": router.name,
            "expected": expected,
            "slot": slot,
            "fence": fence,
        }
        key = f"router-{router.id}-{fence}"
        return await self._hooks.change(
            _hook(router), key, "deployctl.switch", told, seconds=left
        )

    async def close(self) -> None:
        """Close the connections."""
        self._hooks.close()


def _hook(router: RouterRef) -> Hook:
    settings = router.settings
    return Hook(
        url=str(settings["switch"]),
        status=str(settings["status"]),
        secret=str(settings["secret"]),
        reach=router.reach,
    )
