"""Targets behind a service of one's own, for the kit and for tests of the kind."""

from __future__ import annotations

import uuid
from typing import Any

from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.drivers.webhook import WebhookDriver
from deployctl.engine.reach import Reach
from tests.engine.drivers import kit
from tests.support.receivers import SECRET, Receiver, slept


class WebhookSubject(kit.Subject):
    """A receiver, and targets that are entries in its memory."""

    slow_seconds = 1.0  # beside which a question now and then is nothing

    def __init__(self, secret: str = SECRET) -> None:
        self.driver = WebhookDriver()
        self.receiver = Receiver(self._change)
        self.reach = Reach({"hook": secret})
        self.slow: set[str] = set()
        self.log: dict[str, list[str]] = {}

    def _change(self, told: dict[str, Any], until: float) -> str:
        name, fence = told["target"], told["fence"]
        self.log[name].append(f"started {fence}")
        if not slept(self.slow_seconds if name in self.slow else 0, until):
            return "not done in time"
        self.receiver.said[name] = {"version": told["version"], "healthy": True}
        self.log[name].append(f"ended {fence}")
        return ""

    def target(self, *, slow: bool = False) -> TargetRef:
        name = uuid.uuid4().hex
        if slow:
            self.slow.add(name)
        self.log[name] = []
        self.receiver.said[name] = {"version": "1.0", "healthy": True}
        url = self.receiver.url
        settings = {
            "probe": f"{url}/say/{{target}}",
            "status": f"{url}/status/{{id}}",
            "secret": "hook",
        }
        return TargetRef(name, name, f"{url}/apply", settings, self.reach)

    def effects(self, target: TargetRef) -> list[str]:
        return self.log[target.name]

    def close(self) -> None:
        """Stop the receiver."""
        self.receiver.stop()
