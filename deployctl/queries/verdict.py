"""How a stage stands against its threshold, and what its sample can tell at all.

It reads the tallies by which the core decides; the verdict itself is the core's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from deployctl.queries.sentences import counted
from deployctl.templatetags.deployctl import percent
from strategies.progress import Progress
from strategies.sensitivity import (
    USUAL_FAULTS,
    chance_of_finding,
    one_in,
    tolerated_failures,
)
from strategies.shares import BASIS_POINTS
from strategies.steps import Deploy

#: The bar is so many units long.
BAR = 1000
_THEN = {"rollback": "it rolls back", "freeze": "it halts and stays so"}


def verdict(p: Progress) -> dict[str, Any] | None:
    """Return how the stage stands that is under way or was last; None without one.

    The bar fills with successes from the left and with failures from the right; these
    may come as far as the mark.
    """
    stage = p.stage
    if not isinstance(stage, Deploy) or stage.min_success_bp is None:
        return None
    tally, required = p.step_tally, stage.min_success_bp
    size = max(1, stage.stop - stage.start - tally.skipped)
    tolerated = tolerated_failures(size, required)
    so_far = max(0, stage.stop - p.whole.skipped)
    left = min(
        tolerated - tally.failed,
        tolerated_failures(so_far, required) - p.whole.failed,
    )
    state, word = _word(p, left)
    done = tally.attempted
    share = BASIS_POINTS * tally.succeeded // done if done else 0
    return {
        "state": state,
        "word": word,
        "stage": percent(stage.share_bp) if stage.share_bp else "",
        "observed": percent(share) if done else "none yet",
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "tolerated": tolerated,
        "attempted": done,
        "size": size,
        "required": percent(required),
        "ok_width": BAR * tally.succeeded // size,
        "failed_width": -(-BAR * tally.failed // size),
        "failed_x": BAR - -(-BAR * tally.failed // size),
        "mark": BAR * (size - tolerated) // size,
        "says": _says(p, left),
        "finds": _finds(size, tolerated),
    }


def _word(p: Progress, left: int) -> tuple[str, str]:
    if left < 0:
        return "failed", "Missed"
    if p.step_tally.attempted + p.step_tally.skipped == 0:
        return "pending", "Nothing judged yet"
    return "succeeded", "Held" if p.rest else "Holding"


def _says(p: Progress, left: int) -> str:
    """Return what the next failures would mean; nothing once it is over."""
    if p.rest is not None or p.intent:
        return ""
    then = _THEN.get(p.course.limits.on_failure, "it halts and asks")
    if left <= 0:
        return f"No further failure stays within the rule: at the next one {then}."
    stay = "stays" if left == 1 else "stay"
    more = counted(left, "more failure")
    return f"{more} {stay} within the rule; at the next one {then}."


@lru_cache(maxsize=256)
def _finds(size: int, tolerated: int) -> tuple[dict[str, Any], ...]:
    """Return {fault, chance, parts}: how likely a sample stops such a version."""
    chances = (
        (fault, chance_of_finding(size, tolerated, one_in(fault)))
        for fault in USUAL_FAULTS
    )
    return tuple(
        {
            "fault": fault,
            "chance": chance.written(),
            "parts": [{"css": "is-queued", "count": chance.basis_points}],
        }
        for fault, chance in chances
    )
