"""One worker process: beats, doorbell, engine, and an orderly end.

The engine is a Channels background consumer: a handler only notes "look at N" and
returns, and the work runs in tasks beside it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from contextlib import suppress

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from channels.worker import Worker as ChannelsWorker
from django.conf import settings
from django.db import connections

from deployctl import __version__, doorbell, environment
from deployctl.engine import drivers
from deployctl.engine.aside import Aside
from deployctl.engine.beats import Beats
from deployctl.engine.loop import Engine
from deployctl.engine.outside import Outside
from deployctl.engine.reaches import Reaches
from deployctl.engine.watch import Watch
from deployctl.services import workers

log = structlog.get_logger()

#: The channel on which this process passes to its engine what the doorbell said.
CHANNEL = "engine"
#: How long operations in flight may take to end after SIGTERM.
PATIENCE_SECONDS = 20.0


class EngineConsumer(AsyncConsumer):
    """Hears that a deployment changed, and notes it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def deployment_changed(self, message: dict[str, int]) -> None:
        """Note that a deployment should be looked at, if this is news."""
        self.engine.heard(message["deployment"], message["seq"])


async def run() -> None:
    """Work until SIGTERM or SIGINT, then leave in order."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stopped.set)
    timing = settings.ENGINE
    default = connections.settings["default"]
    default["OPTIONS"] = environment.of_worker(
        default["OPTIONS"], lock_seconds=timing.lock_timeout_seconds
    )
    worker_id = await asyncio.to_thread(_arrive)
    # What is imported by now stays: looking through it for garbage stops all operations
    # for 70 ms, several times a minute.
    gc.collect()
    gc.freeze()
    beats = Beats(
        worker_id, beat_seconds=timing.beat_seconds, trust_seconds=timing.trust_seconds
    )
    beats.start()
    reaches = Reaches(Aside("reach").asked)
    outside = Outside(reaches)
    engine = Engine(worker_id, beats, outside, timing)
    log.info("worker.started", worker=worker_id, pid=os.getpid())
    tasks = [
        asyncio.create_task(job)
        for job in (
            engine.run(),
            engine.poll(),
            engine.sweep(),
            engine.reconcile(),
            reaches.run(timing.reach_seconds),
            _hear(reaches),
            ChannelsWorker(
                EngineConsumer.as_asgi(engine=engine), [CHANNEL], get_channel_layer()
            ).handle(),
        )
    ]
    watch = asyncio.create_task(Watch(outside, timing, Aside("watch").asked).run())
    tasks.append(watch)
    ended = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    # Who is told to leave may see what else is being stopped: that is no regression.
    watch.cancel()
    await engine.stop(PATIENCE_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await outside.close()
    beats.stop()
    await asyncio.to_thread(workers.leave, worker_id)
    log.info("worker.left", worker=worker_id)
    for task in done - {ended}:
        task.result()


def _arrive() -> int:
    kinds = drivers.kinds()
    return workers.arrive(socket.gethostname(), os.getpid(), __version__, kinds)


async def _hear(reaches: Reaches) -> None:
    """Pass what the doorbell says into this process's channel layer."""
    layer = get_channel_layer()
    async for heard in doorbell.listen(settings.DATABASE_LISTEN_URL):
        if heard is None or heard.deployment_id == doorbell.REACH:
            reaches.changed()
        elif heard.calls:
            message = {"deployment": heard.deployment_id, "seq": heard.seq}
            with suppress(ChannelFull):  # polling looks at everything anyway
                await layer.send(CHANNEL, {"type": "deployment.changed", **message})
