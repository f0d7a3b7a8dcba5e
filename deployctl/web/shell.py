"""What every page carries around its own content; it reads a little and asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from deployctl import __version__
from deployctl.queries import history, workers
from deployctl.queries.paging import Parted
from deployctl.services.people import Actor, actor_of

#: No longer one is sent to a browser as the place to go on.
_LONGEST_ADDRESS = 16_000
#: The entry of the top bar that a page belongs to, by the start of its url name.
_NAV = {
    "overview": "overview",
    "target": "fleet",
    "query": "fleet",
    "place": "fleet",
    "application": "fleet",
    "environment": "fleet",
    "version": "versions",
    "deployment": "deployments",
    "plan": "deployments",
}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: navigation, what needs somebody, its strip, the version."""
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    known = {"nav": _NAV.get(name.split("-")[0], ""), "product_version": __version__}
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return known
    # Asked once, by whatever shows it first; a part of a page asks nothing.
    needs = SimpleLazyObject(history.waiting_for_people)
    return {**known, "needs": needs, "strip": SimpleLazyObject(lambda: strip(needs))}


def strip(needs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is stopped or waits, worst first.

    Args:
        needs: what needs somebody.
    """
    pulse = workers.pulse()
    facts = []
    if not pulse.beating:
        last = pulse.last_beat_at
        since = f" since {last:%Y-%m-%d %H:%M:%S} UTC" if last else ", none ever has"
        text = f"No worker beats{since}. Deployments wait; pause and abort still count."
        facts.append(_fact("error", "", text, reverse("overview")))
    for need in needs:
        text = f"{need['what']} {need['to_version']} {need['says']}"
        facts.append(_fact(need["state"], "", text, need["url"]))
    return facts


def _fact(state: str, lead: str, text: str, url: str) -> dict[str, Any]:
    return {"state": state, "lead": lead, "text": text, "url": url}


def by(request: HttpRequest) -> Actor:
    """Return who acts in this request, with today's rights."""
    return actor_of(request.user, source=request.META.get("REMOTE_ADDR", ""))


def text(request: HttpRequest, name: str, most: int = 200) -> str:
    """Return a query parameter that PostgreSQL can take, at most so many characters."""
    return request.GET.get(name, "").replace("\0", "").strip()[:most]


def number(request: HttpRequest, name: str) -> int | None:
    """Return a query parameter that is a number a row could have, or None."""
    value = request.GET.get(name, "")
    return (
        int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
    )


def paged(
    request: HttpRequest, found: QuerySet[Any], size: int
) -> tuple[list[Any], dict[str, Any]]:
    """Return the rows of the page that was asked for, and what the pager shows."""
    paginator = Paginator(found, size)
    page = paginator.get_page(number(request, "page") or 1)

    def url(at: int) -> str:
        return "?" + urlencode({**request.GET.dict(), "page": at})

    return list(page.object_list), {
        "number": page.number,
        "of": paginator.num_pages,
        "total": paginator.count,
        "previous_url": url(page.number - 1) if page.has_previous() else "",
        "next_url": url(page.number + 1) if page.has_next() else "",
    }


def older_and_newer(
    request: HttpRequest, found: Parted[Any], size: int
) -> tuple[list[Any], dict[str, Any]]:
    """Return the rows of a page of what is listed newest first, and its pager.

    Where nothing is behind the row that the page begins behind, it is the newest page.
    """
    before, after = number(request, "before"), number(request, "after")
    rows, has_newer, has_older = _behind(found, before, after, size)
    if not rows:
        before = after = None
        rows, has_newer, has_older = _behind(found, before, after, size)

    def url(**where: int) -> str:
        kept = {k: v for k, v in request.GET.items() if k not in ("before", "after")}
        return "?" + urlencode({**kept, **where})

    return rows, {
        "newer_url": url(after=rows[0].pk) if has_newer and rows else "",
        "older_url": url(before=rows[-1].pk) if has_older and rows else "",
        "newest_url": url() if before is not None or after is not None else "",
    }


def _behind(
    found: Parted[Any], before: int | None, after: int | None, size: int
) -> tuple[list[Any], bool, bool]:
    """Return the rows behind one, and whether there are newer and older ones."""
    if after is not None and before is None:
        newer = found.newer(after, size + 1)
        return newer[:size][::-1], len(newer) > size, True
    rows = found.older(before, size + 1)
    return rows[:size], before is not None, len(rows) > size


def to_fleet(filters: Mapping[str, str]) -> HttpResponse:
    """Lead to the fleet, filtered; to all of it where the filter is no address."""
    query = urlencode(filters)
    address = reverse("target-list")
    return redirect(f"{address}?{query}" if len(query) < _LONGEST_ADDRESS else address)


def idempotency_key(request: HttpRequest) -> str:
    """Return the key of the button that was pressed; "" if the form had none."""
    return request.POST.get("idempotency_key", "").replace("\0", "")[:64]


def reason(request: HttpRequest) -> str:
    """Return why somebody pressed, in their words."""
    return request.POST.get("reason", "").replace("\0", "").strip()[:1000]
