"""What a deployment will do next, what would stop it, and what became of it.

It words what plan and progress say; it decides nothing.
"""

from __future__ import annotations

from datetime import timedelta

from deployctl.models import Deployment
from deployctl.queries import grid, people, stages
from deployctl.queries.sentences import counted, doing
from deployctl.queries.traffic import shared
from deployctl.queries.workers import unserved
from strategies.progress import Progress
from strategies.steps import Bake, Delay, Range, Shift, Weigh


def upcoming(row: Deployment, p: Progress) -> list[dict[str, str]]:
    """Return {when, what} lines, the soonest first."""
    if p.rest is not None:
        return _ended(row, p)
    if row.progress is None:
        return [{"when": "Now", "what": "It waits to be started."}]
    limits = p.course.limits
    if p.return_planned or row.state == "rolling_back":
        lines = [("Now", f"Touched targets go back, {limits.parallelism:,} at a time.")]
    elif p.hold is not None:
        lines = [("Now", "Nothing: it is paused."), ("On resume", "It goes on here.")]
    else:
        lines = _going_on(p)
    if limits.max_failures is not None and not p.return_planned:
        more = max(0, limits.max_failures + 1 - p.whole.failed)
        after = {"rollback": "rolls back", "freeze": "halts and stays"}
        what = after.get(limits.on_failure, "halts")
        lines.append(("If", f"{counted(more, 'more failure')}: it {what}."))
    works = p.return_planned or isinstance(p.current, Range)
    if p.progress_by is not None and p.hold is None and works:
        minutes = timedelta(seconds=limits.progress_seconds)
        lines.append(("If", f"Nothing becomes healthy for {minutes}: it halts."))
    lines = [*_unserved(row, p), *lines]
    return [{"when": when, "what": what} for when, what in lines]


def _going_on(p: Progress) -> list[tuple[str, str]]:
    if p.gate is not None:
        what = stages.what_next(p)
        return [
            ("Now", f"It waits at a gate for {people.ROLE}."),
            ("If promoted", f"{what}."),
        ]
    if isinstance(p.current, Bake | Delay):
        says = "watches" if isinstance(p.current, Bake) else "waits"
        return [
            ("Now", f"It {says}: no target is claimed."),
            ("Then", stages.follows(p)),
        ]
    if isinstance(p.current, Weigh):
        said = shared(p.current.weights)
        return [("Now", f"{said}: it is being set."), ("Then", "The stage begins.")]
    if isinstance(p.current, Shift):
        return [("Now", f"Traffic is led to {p.current.to_slot}.")]
    numbers = grid.batch_numbers(p.course)
    number = numbers.get((p.step, p.batch), len(numbers))
    batch = f"Batch {number:,} of {len(numbers):,}."
    if p.delay_until is not None:
        return [("Now", "It waits: no target is claimed."), ("Then", batch)]
    if (p.step, p.batch + 1) in numbers:
        then = f"Batch {number + 1:,}, when all of it is healthy."
        return [("Now", batch), ("Then", then)]
    return [("Now", batch), ("Then", stages.follows(p))]


def _unserved(row: Deployment, p: Progress) -> list[tuple[str, str]]:
    """Return what waits because nobody can reach it; asked only when nothing moves."""
    if p.hold is not None or p.open > p.whole.unknown + p.back.unknown:
        return []
    return [
        ("Waits", f"{counted(n)} for a worker that has {kind!r}; none beats.")
        for kind, n in unserved(row.pk)
    ]


def _ended(row: Deployment, p: Progress) -> list[dict[str, str]]:
    version = row.version.version
    whole, back = p.whole, p.back
    on = whole.succeeded + whole.skipped
    lines = []
    if p.return_planned:
        restored = back.succeeded + back.skipped
        lines.append(("Restored", f"{restored:,} of {back.total:,} touched targets."))
    else:
        lines.append((version, f"{doing(on, 'runs', 'run')} it."))
    if whole.pending:
        were = doing(whole.pending, "was", "were")
        lines.append(("Untouched", f"{were} never claimed."))
    return [{"when": when, "what": what} for when, what in lines]
