"""What people are told about a deployment's columns: one state, one label, one bar."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from deployctl.models import Deployment
from strategies.states import Intent, State

#: The letters of the grid, by operation state; a return's are the capitals.
LETTERS: Mapping[str, str] = {
    "pending": "p",
    "running": "r",
    "verifying": "v",
    "unknown": "u",
    "unresolved": "x",
    "succeeded": "s",
    "failed": "f",
    "skipped": "k",
}
#: That of an accepted target that is not well any more. It is failed to the machine;
#: people ask other questions about it.
REGRESSED = "g"
_ALL = (*LETTERS.values(), *(each.upper() for each in LETTERS.values()), REGRESSED)
#: How a bar is painted, from left to right: its CSS class, and the letters in it.
BARS: tuple[tuple[str, str], ...] = (
    ("is-ok", "s"),
    ("is-rolled", "S"),
    ("is-failed", "fFg"),
    ("is-awaiting", "xX"),
    ("is-unknown", "uU"),
    ("is-running", "rv"),
    ("is-returning", "RV"),
    ("is-skipped", "kK"),
    ("is-to-return", "P"),
)
_BAR_OF = {letter: css for css, group in BARS for letter in group}


def shown(row: Deployment) -> tuple[str, str]:
    """Return (state, label): the state may be finer than the machine's own."""
    finer = _SHOWN.get(State(row.state))
    found = finer(row) if finer else None
    return found or (row.state, row.state.replace("_", " ").capitalize())


def _in_progress(row: Deployment) -> tuple[str, str] | None:
    left = f"{row.open_count:,} in flight"
    if row.hold:
        return "pausing", f"Pausing, {left}"
    if row.intent == Intent.ABORT:
        return "aborting", f"Aborting, {left}"
    return ("halted", f"Halting, {left}") if row.intent == Intent.HALT else None


def _rolling_back(row: Deployment) -> tuple[str, str] | None:
    if not row.hold:
        return None
    count = row.open_count
    paused = "Paused while rolling back"
    return "paused", f"Pausing, {count:,} in flight" if count else paused


def _failed(row: Deployment) -> tuple[str, str]:
    return ("halted", "Halted") if row.halt else ("failed", _why(row.reason))


def _completed(row: Deployment) -> tuple[str, str] | None:
    return {
        "no_op": ("no_op", "Nothing to do"),
        "completed_with_failures": (row.outcome, "Completed with failures"),
    }.get(row.outcome)


def _why(reason: str) -> str:
    return {
        "aborted_by_user": "Aborted",
        "nothing_succeeded": "Failed: none succeeded",
        "targets_failed": "Failed: some failed",
    }.get(reason, "Failed")


_SHOWN: Mapping[State, Callable[[Deployment], tuple[str, str] | None]] = {
    State.PENDING: lambda _: ("pending", "Not started"),
    State.IN_PROGRESS: _in_progress,
    State.ROLLING_BACK: _rolling_back,
    State.PAUSED: lambda row: None if row.hold else ("unresolved", "Waits at a gate"),
    State.FAILED: _failed,
    State.COMPLETED: _completed,
}


def counted(states: str, spans: Iterable[tuple[int, int]]) -> list[Counter[str]]:
    """Return how many of each letter stand in each (start, stop)."""
    # Each letter by itself: to look at 100,000 one by one takes ten times as long.
    present = [letter for letter in _ALL if letter in states]
    return [
        Counter({each: n for each in present if (n := states.count(each, *span))})
        for span in spans
    ]


def parts_of(letters: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return counts by letter as the parts of a stacked bar."""
    counts: Counter[str] = Counter()
    for letter, count in letters.items():
        counts[_BAR_OF.get(letter, "")] += count
    return [{"css": css, "count": counts[css]} for css, _ in BARS if counts[css]]


def letters_of(progress: Mapping[str, Any] | None) -> dict[str, int]:
    """Return counts by letter from stored progress, forward overlaid by the return.

    A return hides as many forward outcomes as it has operations, those that moved most
    first; where exactly it lies only the grid knows.
    """
    if progress is None:
        return {}
    whole = _letters(progress["whole"])
    back = {k.upper(): n for k, n in _letters(progress["back"]).items()}
    hidden = sum(back.values())
    for letter in "sfxuvr":
        taken = min(hidden, whole.get(letter, 0))
        whole[letter] = whole.get(letter, 0) - taken
        hidden -= taken
    return {**whole, **back}


def _letters(tally: Mapping[str, Any]) -> dict[str, int]:
    return {letter: int(tally[name]) for name, letter in LETTERS.items()}


def total_of(progress: Mapping[str, Any] | None) -> int:
    """Return how many targets a deployment changes, from its stored progress."""
    return sum(_letters(progress["whole"]).values()) if progress else 0
