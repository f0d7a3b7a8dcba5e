"""The row of numbers of a room: each with its limit, from progress alone."""

from __future__ import annotations

from typing import Any

from strategies.progress import Progress
from strategies.steps import Bake


def counters(p: Progress) -> dict[str, Any]:
    """Return {lead, entries}: the one that matters most, and all others."""
    whole, back = p.whole, p.back
    limits = p.course.limits
    failed_small = (
        ("judged by stage" if limits.accepts_failures else "any number tolerated")
        if limits.max_failures is None
        else f"{limits.max_failures:,} tolerated"
    )
    entries = [
        _entry("In flight", p.open, f"of {limits.parallelism:,} at most"),
        _entry("Failed", whole.failed, failed_small, "failed" if whole.failed else ""),
        _entry("Not touched" if p.rest else "Waiting", whole.pending),
        _entry("Available", p.available, f"floor {p.floor:,}"),
    ]
    doubt = whole.unknown + back.unknown
    if doubt:
        entries.append(_entry("Unknown", doubt, "being probed", "unknown"))
    person = whole.unresolved + back.unresolved
    if person:
        entries.append(_entry("Need a person", person, "", "unresolved"))
    if whole.skipped:
        entries.append(_entry("Skipped", whole.skipped))
    return {"lead": _lead(p), "entries": entries}


def _lead(p: Progress) -> dict[str, Any]:
    if p.delay_until is not None and p.hold is None and p.rest is None:
        return {"label": "Next batch in", "until_at": p.delay_until}
    bakes = isinstance(p.current, Bake) and p.hold is None and p.rest is None
    if bakes and p.entered_at is not None and isinstance(p.current, Bake):
        until_at = p.after(p.entered_at, p.current.seconds)
        return {"label": "Bake ends in", "until_at": until_at}
    if p.return_planned:
        done = p.back.succeeded + p.back.skipped
        return {
            "label": "Restored",
            "value": f"{done:,}",
            "small": f"of {p.back.total:,}",
        }
    done = p.whole.succeeded + p.whole.skipped
    return {"label": "Updated", "value": f"{done:,}", "small": f"of {p.course.work:,}"}


def _entry(label: str, value: int, small: str = "", state: str = "") -> dict[str, Any]:
    return {"label": label, "value": f"{value:,}", "small": small, "state": state}
