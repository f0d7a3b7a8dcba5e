"""A router that is a file, with faults by setting; no traffic is led anywhere.

The file is common to all processes, as a real router is, and its append-only log is a
witness that no database can overrule.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployctl.engine.effects import OutcomeUnknown, ProbeFailed, StaleFence
from deployctl.engine.routers.base import (
    Applied,
    Reading,
    Router,
    RouterAbilities,
    RouterRef,
)

#: What goes wrong: it refuses; it says ok and does nothing; it does it and its answer
#: is lost; it never answers; it cannot be asked.
FAULTS = frozenset({"refusing", "lying", "mute", "hanging", "unreachable"})
_SETTINGS = frozenset({"file", "serving", "fault", "latency_seconds"})


class SimulatedRouter(Router):
    """Keeps what it serves in the file that its settings name."""

    kind = "simulated"
    abilities = RouterAbilities(checks_fence=True, shares=True)

    @classmethod
    def problems(cls, settings: Mapping[str, object]) -> dict[str, str]:
        """Settings: `file`, `serving` at first, `fault`, `latency_seconds`."""
        foreign = settings.keys() - _SETTINGS
        found = dict.fromkeys(foreign, "is not a setting of a simulated router")
        file = settings.get("file")
        if not isinstance(file, str) or not file.startswith("/"):
            found["file"] = "must be an absolute path"
        if not isinstance(settings.get("serving"), str):
            found["serving"] = "must be the slot, or the share, that it serves at first"
        if settings.get("fault", "") not in FAULTS | {""}:
            found["fault"] = f"must be one of {', '.join(sorted(FAULTS))}"
        latency = settings.get("latency_seconds", 0)
        if isinstance(latency, bool) or not isinstance(latency, int | float):
            found["latency_seconds"] = "must be a number of seconds"
        return found

    async def read(
        self, router: RouterRef, *, fence: int | None, seconds: float
    ) -> Reading:
        """As `Router.read`; costs no latency."""
        if router.settings.get("fault") == "unreachable":
            raise ProbeFailed("simulated: the router does not answer")
        with _opened(router) as state:
            if fence is not None:
                _promise(state, fence)
            said = str(state["serving"])
            is_known = said in router.slots or not router.slots
            return Reading(said if is_known else None, said)

    async def switch(
        self, router: RouterRef, *, expected: str, slot: str, fence: int, seconds: float
    ) -> Applied:
        """As `Router.switch`: compare, fence and effect are one step under a lock."""
        fault = router.settings.get("fault", "")
        latency = float(str(router.settings.get("latency_seconds", 0)))
        if fault == "hanging" or latency > seconds:
            await asyncio.sleep(seconds)
            raise OutcomeUnknown("no answer in time")
        await asyncio.sleep(latency)
        with _opened(router) as state:
            _promise(state, fence)
            if fault == "refusing":
                return Applied(ok=False, error="simulated: it does not switch")
            if expected and state["serving"] not in (expected, slot):
                found = f"it serves {state['serving']}, not {expected}"
                return Applied(ok=False, error=found)
            if fault != "lying" and state["serving"] != slot:
                state["serving"] = slot
                state["log"].append({"fence": fence, "from": expected, "to": slot})
        if fault == "mute":
            raise OutcomeUnknown("simulated: its answer was lost")
        return Applied(ok=True)


@contextmanager
def _opened(router: RouterRef) -> Iterator[dict[str, Any]]:
    """Give the router's state under an exclusive lock, and store it afterwards."""
    path = Path(str(router.settings["file"]))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        first = {"serving": router.settings["serving"], "promised": 0, "log": []}
        state = json.loads(text) if text else first
        yield state
        file.seek(0)
        file.truncate()
        json.dump(state, file)


def _promise(state: dict[str, Any], fence: int) -> None:
    promised = int(state["promised"])
    if fence < promised:
        raise StaleFence(f"fence {promised} has been here", heard=promised)
    state["promised"] = fence
