"""Networks as people write them; which of them may be used is not known here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def allowed(texts: object) -> tuple[Network, ...] | None:
    """Return the networks that an environment's list allows; None when it lists none.

    Raises:
        ValueError: it is no list of networks, so that nobody knows what it allows.
    """
    if not isinstance(texts, list):
        raise ValueError(f"{texts!r} is no list of networks")
    return networks(texts) if texts else None


def networks(texts: Iterable[object]) -> tuple[Network, ...]:
    """Read networks: 10.0.0.0/8, fd00::/8, or one address, 192.0.2.7.

    Raises:
        ValueError: with what is wrong.
    """
    found = []
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is no network, such as 10.0.0.0/8")
        found.append(ipaddress.ip_network(text.strip()))
    return tuple(found)
