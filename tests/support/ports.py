"""Ports for servers that tests start by number; it starts none and keeps none open.

A port that was free a moment ago is given to the next who asks the kernel for any: a
demo's agents, an outgoing connection. So these are of a range that it gives to nobody,
and each test worker has a part of its own.
"""

from __future__ import annotations

import itertools
import os
import random
import socket

#: Below what Linux gives out by itself (net.ipv4.ip_local_port_range: 32768 and on),
#: above what well-known servers use.
_FIRST = 16_000
_PART = 1_000
_PARTS = 16


def _own() -> itertools.cycle[int]:
    """Return this worker's ports, again and again, from any of them on.

    Two runs on one machine hardly meet, since each begins elsewhere.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, begin = _FIRST + number % _PARTS * _PART, random.randrange(_PART)
    return itertools.cycle(first + (begin + each) % _PART for each in range(_PART))


_ports = _own()


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens, and that nobody else is given soon."""
    return list(itertools.islice(filter(_is_free, _ports), count))


def free_port() -> int:
    """Return one port on which nobody listens, and that nobody else is given soon."""
    (port,) = free_ports(1)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
