"""How often somebody may guess a password: under which keys an attempt is counted.

Counted in the database, for all web processes together, and for some minutes only: no
account is ever locked, which an attacker could use against its owner for good. There is
no limit for all addresses and names at once: it would close the door to everybody, and
what is spread so thin still meets the limit of each name and of each address.
"""

from __future__ import annotations

import hashlib
import ipaddress
import unicodedata

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from deployctl.services import attempts

#: Attempts in `attempts.WINDOW_SECONDS`. An address may be a whole office behind one
#: router, or the proxy before this process, so it is given more than a name.
MOST_HERE = 8
MOST_FOR_A_NAME = 80
MOST_FROM_AN_ADDRESS = 160


def _keys(request: HttpRequest) -> dict[str, int]:
    address = _network(request.META.get("REMOTE_ADDR", ""))
    typed = request.POST.get("username", "")[:150]
    name = unicodedata.normalize("NFKC", typed).strip().lower()
    return {
        _digest("here", address, name): MOST_HERE,
        _digest("name", name): MOST_FOR_A_NAME,
        _digest("address", address): MOST_FROM_AN_ADDRESS,
    }


def _network(address: str) -> str:
    """Return an address, or the network that one subscriber has to itself in IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _digest(*words: str) -> str:
    text = "\0".join(words).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()


def take(request: HttpRequest) -> float:
    """Count an attempt; return the seconds to wait when it may not be made now."""
    return attempts.take(_keys(request))


def give_back(request: HttpRequest) -> None:
    """Count an attempt no more: it was the right password."""
    attempts.give_back(_keys(request))


def refusal(request: HttpRequest, wait_seconds: float) -> HttpResponse:
    """Answer that it was too often, and when to come back."""
    minutes = max(1, round(wait_seconds / 60))
    when = "a minute" if minutes == 1 else f"{minutes} minutes"
    context = {"reason": f"Too many failed sign-ins. Wait {when} and try again."}
    answer = render(request, "403.html", context, status=429)
    answer["Retry-After"] = str(round(wait_seconds))
    return answer
