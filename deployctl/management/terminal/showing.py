"""How a deployment stands, as lines of text; it reads, and prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from deployctl.models import Deployment
from deployctl.queries import halts
from deployctl.queries.counters import counters
from deployctl.queries.glances import glance, waits_for
from deployctl.queries.plans import progress_of
from deployctl.queries.sentences import counted
from deployctl.queries.upcoming import upcoming
from deployctl.queries.workers import pulse
from deployctl.templatetags.deployctl import middle
from strategies.progress import Progress
from strategies.states import State

_BAR = 20
#: So many targets are told of that made it halt.
_MOST_EVIDENCE = 3
_MOST_CHARACTERS = 160


def address(row: Deployment) -> str:
    """Return where its room is: a path, unless PUBLIC_URL says where the pages are."""
    return f"{settings.PUBLIC_URL}{reverse('deployment-detail', args=[row.pk])}"


def record(row: Deployment) -> dict[str, Any]:
    """Return a deployment for programs: `queries.glances`, and its address."""
    return {**glance(row), "address": address(row)}


def title(row: Deployment) -> str:
    """Return which one it is: "Deployment 7: storefront 1.2.0 to production"."""
    return f"Deployment {row.pk}: {row}"


def lines(row: Deployment) -> Iterator[str]:
    """Yield how it stands: its state and why, its counts, what comes next."""
    p = progress_of(row)
    stands = glance(row)
    yield f"{title(row)}, {row.strategy.replace('_', '-')}, by {row.created_by}"
    why = _why(stands)
    yield f"  {stands['label']}" + (f": {why}" if why else "")
    yield f"  {_counts(row)}"
    yield from _evidence(row, p)
    for following in upcoming(row, p):
        yield f"  {following['when']}: {following['what']}"
    for hint in hints(row):
        yield f"  {hint}"
    yield f"  {address(row)}"


def _why(stands: dict[str, Any]) -> str:
    """Return why it stands so, without what its label says already."""
    why, label = stands["why"], stands["label"]
    return "" if why == label else str(why).removeprefix(f"{label}: ")


def _evidence(row: Deployment, p: Progress) -> Iterator[str]:
    """Yield what the targets said that made it halt, a line for each of the first."""
    if p.halt is None:
        return
    shown = halts.evidence_of(row, p.halt)[:_MOST_EVIDENCE]
    for said in shown:
        first, _, _ = said["error"].partition("\n")
        yield f"  {said['name']}: {middle(first, _MOST_CHARACTERS)}"
    left = p.whole.failed - len(shown)
    if left > 0:
        yield f"  and {counted(left)} more failed; its room has all"


def _counts(row: Deployment) -> str:
    told = counters(progress_of(row))
    lead = told["lead"]
    if "until_at" in lead:
        lead = {**lead, "value": clock(lead["until_at"])}
    return "; ".join(_count(entry) for entry in (lead, *told["entries"]))


def _count(entry: dict[str, Any]) -> str:
    small = f" ({entry['small']})" if entry.get("small") else ""
    return f"{entry['label'].lower()} {entry['value']}{small}"


def hints(row: Deployment) -> Iterator[str]:
    """Yield what a person may type next, if it waits for one or has stopped."""
    p = progress_of(row)
    stopped = row.state == State.FAILED.value and bool(p.claims) and not p.is_frozen
    verbs = {
        "promote": waits_for(p) == "gate",
        "resume": waits_for(p) == "hold",
        "rollback": stopped or row.state == State.ROLLBACK_FAILED.value,
        "retry": p.is_retryable,
    }
    typed = [f"`manage.py {verb} {row.pk}`" for verb, fits in verbs.items() if fits]
    if typed:
        yield f"Next: {' or '.join(typed)}, or look at its room."


def bar(row: Deployment) -> str:
    """Return a line that shows how far it is, for a terminal that redraws it."""
    p = progress_of(row)
    tally = p.back if p.return_planned else p.whole
    done, of = tally.done, tally.total
    filled = _BAR * done // of if of else _BAR
    drawn = "#" * filled + "." * (_BAR - filled)
    now = upcoming(row, p)[0]["what"]
    failed = f", {p.whole.failed:,} failed" if p.whole.failed else ""
    stands = f"{done:,} of {of:,}, {p.open:,} in flight{failed}"
    return f"{row.pk} [{drawn}] {stands}. {now}"


def ended(row: Deployment) -> Iterator[str]:
    """Yield what became of a deployment that is at rest."""
    stands = glance(row)
    took = ""
    if row.rested_at and row.started_at:
        took = f" after {(row.rested_at - row.started_at).total_seconds():,.0f} s"
    why, p = _why(stands), progress_of(row)
    yield f"Deployment {row.pk}: {stands['label'].lower()}{took}" + (
        f". {why}." if why else "."
    )
    yield from _evidence(row, p)
    for what in upcoming(row, p):
        yield f"  {what['when']}: {what['what']}"
    for hint in hints(row):
        yield f"  {hint}"


def clock(at: datetime) -> str:
    """Return a time of day in UTC."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def stamp(at: datetime) -> str:
    """Return a date and a time of day in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def no_worker() -> str:
    """Return that nobody works, and since when; nothing if somebody does."""
    beats = pulse()
    if beats.beating:
        return ""
    last = beats.last_beat_at
    since = f" since {stamp(last)}" if last else ""
    return f"No worker beats{since}: deployments wait. `manage.py worker` starts one."


def cells(told: dict[str, Any]) -> tuple[str, ...]:
    """Return a deployment of a list, for a line of its own."""
    came = told["from_version"] or "?"
    return (
        str(told["id"]),
        stamp(told["at"]),
        f"{told['application']} {came} -> {told['to_version']}",
        str(told["environment"]),
        told["label"],
        counted(told["total"]),
        f"by {told['by']}",
    )
