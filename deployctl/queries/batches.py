"""The batches of a deployment, counted from its letters: a line each, for its room."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import connection

from deployctl.models import Deployment
from deployctl.queries import grid, looks
from strategies.progress import Progress
from strategies.steps import Deploy, Shift, Verify

#: No page shows more; a plan with more batches shows those around the open one.
MOST_ROWS = 100
#: To so many rows a table with names is shown.
MOST_NAMED = 12


def batches(row: Deployment, progress: Progress, states: str) -> dict[str, Any]:
    """Return {says, rows} for the table or the tiles, and {letters} by step.

    Args:
        row: the deployment.
        progress: how far it has come.
        states: the letter of each position.
    """
    spans = grid.batches(progress.course)
    now = _current(progress, len(spans))
    first = max(0, min(now - MOST_ROWS // 2, len(spans) - MOST_ROWS))
    shown = list(enumerate(spans, 1))[first : first + MOST_ROWS]
    in_table = len(shown) <= MOST_NAMED
    took = _took(row) if in_table and row.progress is not None else {}
    ends = [p for _, (start, stop) in shown for p in (start, stop - 1)]
    names = grid.names(row, ends) if in_table else {}
    keys = {number: key for key, number in grid.batch_numbers(progress.course).items()}
    counts = looks.counted(states, [span for _, span in shown])
    rows = [
        _line(number, span, (letters, took.get(keys[number])), names, now, progress)
        for (number, span), letters in zip(shown, counts, strict=True)
    ]
    steps = {
        number: (step.start, step.stop)
        for number, step in enumerate(progress.course.steps)
        if isinstance(step, Deploy | Verify)
    }
    letters = dict(zip(steps, looks.counted(states, steps.values()), strict=True))
    says = _says(progress, now)
    if len(shown) < len(spans):
        says += f"; {first + 1:,} to {first + len(shown):,} are shown"
    return {"says": says, "rows": rows, "letters": letters}


def _took(row: Deployment) -> dict[tuple[int, int], float | None]:
    """Return how long each batch took, or has taken, by (step, batch)."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT step, batch, min(started_at), max(ended_at)
                 FROM deployctl_operation
                WHERE deployment_id = %s AND direction = 'forward' AND kind <> 'shift'
                GROUP BY step, batch""",
            [row.pk],
        )
        return {
            (step, batch): _seconds(began, ended)
            for step, batch, began, ended in cursor.fetchall()
        }


def _seconds(began: Any, ended: Any) -> float | None:
    if began is None or ended is None or ended < began:
        return None
    return float((ended - began).total_seconds())


def _current(p: Progress, total: int) -> int:
    """Return the number of the open batch, or of the last one that was."""
    numbers = grid.batch_numbers(p.course)
    begun = [number for key, number in numbers.items() if key <= (p.step, p.batch)]
    return max(begun, default=min(1, total))


def _line(
    number: int,
    span: tuple[int, int],
    counted: tuple[Counter[str], float | None],
    names: dict[int, tuple[int, str]],
    now: int,
    progress: Progress,
) -> dict[str, Any]:
    letters, took = counted
    done = sum(letters[letter] for letter in "sSkK")
    failed = sum(letters[letter] for letter in "fFg")
    count = span[1] - span[0]
    is_open = number == now and progress.opened is not None and progress.rest is None
    state, says = _state(letters, count, is_open=is_open)
    if state == "pending" and progress.rest is not None:
        state, says = "skipped", "not reached"
    return {
        "number": number,
        "name": f"Batch {number}",
        "state": state,
        "first": names.get(span[0], (0, f"#{span[0] + 1}"))[1],
        "last": names.get(span[1] - 1, (0, f"#{span[1]}"))[1],
        "count": count,
        "done": done,
        "failed": failed,
        "parts": looks.parts_of(letters),
        "took_seconds": took if done + failed == count else None,
        "says": says,
        "now": is_open,
    }


def _state(letters: Counter[str], count: int, *, is_open: bool) -> tuple[str, str]:
    """Return (state, words) of a batch from its letters."""
    if any(letters[letter] for letter in "PRVUX"):
        return "rolling_back", "returning"
    if letters["S"] + letters["K"] == count:
        return "rolled_back", "restored"
    if letters["F"]:
        return "failed", "not all restored"
    if letters["f"] or letters["g"]:
        lost = {"failed": letters["f"], "regressed": letters["g"]}
        return "failed", ", ".join(f"{n:,} {word}" for word, n in lost.items() if n)
    if letters["s"] + letters["k"] + letters["S"] + letters["K"] == count:
        return "succeeded", "done"
    if is_open or any(letters[letter] for letter in "rvux"):
        return "running", "under way"
    return "pending", "waits"


def _says(p: Progress, now: int) -> str:
    """Return how many are over, which one is open, how many have not begun."""
    numbers = grid.batch_numbers(p.course)
    total = len(numbers)
    if p.return_planned:
        return f"{total:,} in all"
    done = sum(key < (p.step, p.batch) for key in numbers)
    is_open = p.opened is not None and not isinstance(p.current, Shift)
    left = total - done - is_open
    words = [f"{done:,} of {total:,} done"]
    if p.rest is not None:
        left_out = left + is_open
        return ", ".join([*words, f"{left_out:,} not finished"] if left_out else words)
    if is_open:
        words.append(f"batch {now:,} under way")
    return ", ".join([*words, f"{left:,} to come"] if left else words)
