"""Routers led by a service of one's own, for the kit."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from deployctl.engine.reach import Reach
from deployctl.engine.routers.base import RouterRef
from deployctl.engine.routers.webhook import WebhookRouter
from tests.engine.routers import kit
from tests.support.receivers import SECRET, Receiver, slept


class WebhookSubject(kit.Subject):
    """A receiver, and routers that are entries in its memory."""

    def __init__(self, directory: Path) -> None:
        del directory
        self.driver = WebhookRouter()
        self.receiver = Receiver(self._switch)
        self.reach = Reach({"hook": SECRET})
        self.faults: dict[str, str] = {}
        self.log: dict[str, list[str]] = {}

    def _switch(self, told: dict[str, Any], until: float) -> str:
        name = told["router"]
        fault = self.faults[name]
        if fault == "refusing":
            return "it does not switch"
        if not slept(self.slow_seconds if fault == "slow" else 0, until):
            return "not done in time"
        if fault != "lying":
            self.receiver.said[name] = {"serving": told["slot"]}
            self.log[name].append(told["slot"])
        return ""

    def router(self, fault: str = "") -> RouterRef:
        name = uuid.uuid4().hex
        self.faults[name], self.log[name] = fault, []
        self.receiver.said[name] = {"serving": "blue"}
        url = "http://127.0.0.1:1" if fault == "unreachable" else self.receiver.url
        settings: dict[str, object] = {
            "read": f"{url}/say/{name}",
            "switch": f"{url}/switch",
            "status": f"{url}/status/{{id}}",
            "secret": "hook",
        }
        return RouterRef(name, name, kit.SLOTS, settings, self.reach)

    def switches(self, router: RouterRef) -> list[str]:
        return self.log[router.name]

    def lead(self, router: RouterRef, slot: str) -> None:
        self.receiver.said[router.name] = {"serving": slot}

    def restart(self, router: RouterRef) -> None:
        """Nothing of it runs but the service, which keeps what it knows."""

    async def close(self) -> None:
        await super().close()
        self.receiver.stop()
