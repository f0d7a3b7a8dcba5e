"""Commands on hosts reached by SSH, over kept connections; no target and no version."""

from __future__ import annotations

from deployctl.engine.ssh.hosts import (
    Host,
    address_problem,
    fingerprint,
    host_key_problem,
    parts,
)
from deployctl.engine.ssh.kept import Connections
from deployctl.engine.ssh.opening import Lost, offered_keys
from deployctl.engine.ssh.sessions import Ended

__all__ = [
    "Connections",
    "Ended",
    "Host",
    "Lost",
    "address_problem",
    "fingerprint",
    "host_key_problem",
    "offered_keys",
    "parts",
]
