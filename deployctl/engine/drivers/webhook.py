"""Targets that a service of one's own changes: told by a signed request, then asked.

It knows what such a service is told of a target; how it is told and asked until it is
done is `webhooks`' affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from deployctl.engine import reach
from deployctl.engine.drivers import answers
from deployctl.engine.drivers.base import (
    Abilities,
    Applied,
    Driver,
    NotSent,
    Probe,
    ProbeFailed,
    TargetRef,
)
from deployctl.engine.webhooks import Hook, Webhooks, hook_problems

_SETTINGS = frozenset({"probe", "secret", "status"})


class WebhookDriver(Driver):
    """The address takes the request; `{target}` in settings stands for the name.

    A service may check the fence, and then answers 409 with `{"error": "stale"}`. That
    it does is not known here, so it must end every attempt within the `seconds` that it
    is told.
    """

    kind = "webhook"
    abilities = Abilities(checks_fence=False, probes=True, atomic=False)

    def __init__(self) -> None:
        self._hooks = Webhooks()

    @classmethod
    def problems(cls, address: str, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `secret`, its name; the addresses `probe` and `status`."""
        found = dict.fromkeys(settings.keys() - _SETTINGS, "is not a setting of it")
        found |= hook_problems(settings)
        found["address"] = reach.url_problem(address, path=True)
        found["probe"] = reach.url_problem(settings.get("probe"), path=True)
        return {name: problem for name, problem in found.items() if problem}

    async def probe(
        self, target: TargetRef, *, fence: int | None, seconds: float
    ) -> Probe:
        """Ask `probe`; it answers as an agent does: version, healthy, detail."""
        for name, problem in self.problems(target.address, target.own).items():
            raise ProbeFailed(f"{name} {problem}")
        hook, url = _hook(target), _place(target, target.settings["probe"])
        return answers.probe_in(await self._hooks.read(hook, url, seconds=seconds))

    async def apply(
        self, target: TargetRef, *, version: str, fence: int, seconds: float
    ) -> Applied:
        """As `Driver.apply`; delivered again under the same id until it is taken."""
        for name, problem in self.problems(target.address, target.own).items():
            raise NotSent(f"{name} {problem}")
        told = {
            "target": target.name,
            "version": version,
            "fence": fence,
        }
        key = f"target-{target.id}-{fence}"
        return await self._hooks.change(
            _hook(target), key, "deployctl.apply", told, seconds=seconds
        )

    async def close(self) -> None:
        """Close the connections."""
        self._hooks.close()


def _hook(target: TargetRef) -> Hook:
    settings = target.settings
    return Hook(
        url=_place(target, target.address),
        status=_place(target, settings["status"]),
        secret=str(settings["secret"]),
        reach=target.reach,
    )


def _place(target: TargetRef, url: object) -> str:
    return str(url).replace("{target}", quote(target.name, safe=""))
