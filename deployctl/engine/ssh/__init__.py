"""Commands on hosts reached by SSH, over kept connections; no target and no version."""

from __future__ import annotations

from deployctl.engine.ssh.guard import NO_COMMAND, guarded, words_problem
from deployctl.engine.ssh.hosts import (
    HOST_SETTINGS,
    Host,
    address_problem,
    fingerprint,
    host_in,
    host_key_problem,
    host_problems,
    parts,
)
from deployctl.engine.ssh.kept import Connections
from deployctl.engine.ssh.opening import Lost, offered_keys
from deployctl.engine.ssh.sessions import Ended

__all__ = [
    "HOST_SETTINGS",
    "NO_COMMAND",
    "Connections",
    "Ended",
    "Host",
    "Lost",
    "address_problem",
    "fingerprint",
    "guarded",
    "host_in",
    "host_key_problem",
    "host_problems",
    "offered_keys",
    "parts",
    "words_problem",
]
