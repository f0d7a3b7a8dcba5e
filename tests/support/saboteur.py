"""A worker with a fault that was put in on purpose: `python -m ... fault,fault`.

Controls run it, and the same checks that the real worker passes must find it out.
Each fault swaps one function of the product and knows nothing of the test.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

import django
from django.core.management import call_command
from django.db import OperationalError


def main(faults: str) -> None:
    """Put the faults in, and work."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deployctl.settings")
    django.setup()
    for fault in faults.split(","):
        FAULTS[fault]()
    call_command("worker")


def state_before_the_lock() -> None:
    """The journal believes what it had read before it locked."""
    from deployctl.models import Deployment
    from deployctl.services.turn import Turn

    real = Turn.locked

    def locked(deployment_id: int) -> Turn:
        early = Deployment.objects.get(pk=deployment_id).progress
        time.sleep(0.02)
        turn = real(deployment_id)
        turn.row.progress = early
        return Turn(turn.row, turn.now)

    Turn.locked = staticmethod(locked)  # type: ignore[method-assign]


def fence_is_the_attempt() -> None:
    """A claim's fence says only which attempt of its operation it is."""
    from deployctl.services import claims

    def weak(real: Any) -> Any:
        return lambda *args: [c._replace(fence=c.attempt) for c in real(*args)]

    claims.claim = weak(claims.claim)
    claims.adopt = weak(claims.adopt)


def accept_any_fence() -> None:
    """Reports are compared with the claimant alone, as a weak fence needs."""
    from deployctl.services import operations

    real = operations.reported

    def reported(deployment_id: int, ids: list[int], worker_id: int) -> Any:
        rows = real(deployment_id, ids, worker_id)
        return [row._replace(fence=row.attempt) for row in rows]

    operations.reported = reported


def stop_before_apply() -> None:
    """The process is stopped when it has decided to apply and has not sent it yet."""
    from deployctl.engine.drivers.agent import AgentDriver

    real = AgentDriver.apply
    stopped: list[bool] = []

    async def apply(self: AgentDriver, *args: Any, **more: Any) -> Any:
        await asyncio.sleep(0.3)  # The whole batch comes as far as this.
        if not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)
        return await real(self, *args, **more)

    AgentDriver.apply = apply  # type: ignore[method-assign]


def dawdle_before_apply() -> None:
    """A target is looked at for so long that a pause comes before its apply."""
    from deployctl.engine.drivers.agent import AgentDriver

    real = AgentDriver.probe

    async def probe(self: AgentDriver, *args: Any, **more: Any) -> Any:
        await asyncio.sleep(0.4)
        return await real(self, *args, **more)

    AgentDriver.probe = probe  # type: ignore[method-assign]


def never_ask_before_apply() -> None:
    """What was claimed once is applied, whatever was pressed meanwhile."""
    from deployctl.engine.loop import Engine

    Engine.may_apply = lambda *_: True  # type: ignore[method-assign]


def lose_answers() -> None:
    """Every third flush that claims commits, and its answer is lost."""
    from deployctl.engine import loop

    real, count = loop._flushed, iter(range(10**9))

    def flushed(deployment_id: int, ask: Any) -> Any:
        answer = real(deployment_id, ask)
        if answer.claims and next(count) % 3 == 0:
            raise OperationalError("the connection was lost inside COMMIT")
        return answer

    loop._flushed = flushed


def never_reconcile() -> None:
    """The worker believes its memory."""
    from deployctl.engine.loop import Engine

    async def nothing(self: Engine) -> None:
        self._in_doubt = False

    Engine._reconcile = nothing  # type: ignore[method-assign]


FAULTS = {
    fault.__name__: fault
    for fault in (
        state_before_the_lock,
        fence_is_the_attempt,
        accept_any_fence,
        stop_before_apply,
        dawdle_before_apply,
        never_ask_before_apply,
        lose_answers,
        never_reconcile,
    )
}

if __name__ == "__main__":
    main(sys.argv[1])
