"""How fast the live part is, and how much it bears; knows nothing of what it shows."""

from __future__ import annotations

from dataclasses import dataclass

from deployctl import environment as env


@dataclass(frozen=True)
class Pace:
    """Seconds unless the name says otherwise; in tests, other values are handed in."""

    tick_seconds: float = env.seconds("DEPLOYCTL_LIVE_TICK_SECONDS", 0.25)
    poll_seconds: float = env.seconds("DEPLOYCTL_LIVE_POLL_SECONDS", 2)
    heartbeat_seconds: float = env.seconds("DEPLOYCTL_LIVE_HEARTBEAT_SECONDS", 5)
    recheck_seconds: float = env.seconds("DEPLOYCTL_LIVE_RECHECK_SECONDS", 30)
    sockets_per_user: int = env.count("DEPLOYCTL_LIVE_SOCKETS_PER_USER", 50)
    # Frames that wait for one socket; the next one drops them all and resyncs.
    waiting_frames: int = 64
    # Threads that read for the hub and check sessions, each with a connection.
    readers: int = 4

    def tick(self, viewers: int) -> float:
        """Return the least time between two frames, for so many viewers."""
        if viewers <= 50:
            return self.tick_seconds
        return self.tick_seconds * (4 if viewers <= 500 else 8)
