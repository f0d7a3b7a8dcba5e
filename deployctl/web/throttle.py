"""How often somebody may guess a password: a soft limit of this web process.

It never locks an account, which an attacker could use against its owner; each web
process counts for itself, so with several the limit is a multiple.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

#: So many failures within the window close the door until the window has passed.
MOST_FAILURES = 8
WINDOW_SECONDS = 300.0
#: Addresses and names that are remembered; the oldest go first.
MOST_KEYS = 10_000

_failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()


def _keys(request: HttpRequest) -> list[tuple[str, str]]:
    address = request.META.get("REMOTE_ADDR", "")
    name = request.POST.get("username", "")[:150].lower()
    return [("address and name", f"{address} {name}"), ("name", name)]


def _recent(key: tuple[str, str]) -> list[float]:
    since = time.monotonic() - WINDOW_SECONDS
    return [at for at in _failures.get(key, []) if at > since]


def is_closed(request: HttpRequest) -> bool:
    """Whether there were too many failures: here for this name, or many everywhere."""
    here, anywhere = _keys(request)
    many_everywhere = len(_recent(anywhere)) >= MOST_FAILURES * 10
    return len(_recent(here)) >= MOST_FAILURES or many_everywhere


def count(request: HttpRequest) -> None:
    """Remember a failure."""
    for key in _keys(request):
        _failures[key] = [*_recent(key), time.monotonic()]
        _failures.move_to_end(key)
    while len(_failures) > MOST_KEYS:
        _failures.popitem(last=False)


def refusal(request: HttpRequest) -> HttpResponse:
    """Answer that it was too often, and when to come back."""
    context = {"reason": "Too many failed sign-ins. Wait five minutes and try again."}
    answer = render(request, "403.html", context, status=429)
    answer["Retry-After"] = str(round(WINDOW_SECONDS))
    return answer
