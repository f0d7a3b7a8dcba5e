"""How many findings a flush brings: a group where that parts them, else all."""

from __future__ import annotations

import heapq
import sys

import pytest

from deployctl.engine.seen import Seen

PLACES, ROUNDS = 50, 20


def ratio(work_seconds: float, seen: Seen | None, *, batches: bool = False) -> float:
    """Run 20 rounds of 50 in virtual time; return that time beside the work's own.

    A flush takes 2 ms and 0.2 ms for each finding, and claims as many as it brings; in
    batches it claims none until it brings the last one.
    """
    work = [(work_seconds, 0.0)] * PLACES  # (ends at, was claimed at)
    now, left, over = 0.0, PLACES * (ROUNDS - 1), 0
    while work:
        now = max(now, work[0][0])
        ended = sum(ends_at <= now for ends_at, _ in work)
        at_most = seen.at_most(len(work), now - work[0][1]) if seen else sys.maxsize
        brought = min(ended, at_most)
        for _ in range(brought):
            heapq.heappop(work)
        asked_at, seconds = now, 0.002 + 0.0002 * brought
        now += seconds
        over += brought
        begun = min(left, over) if not batches or not work else 0
        over -= begun
        left -= begun
        for _ in range(begun):
            heapq.heappush(work, (now + work_seconds, asked_at))
        if seen:
            seen.flushed(brought=brought, begun=begun, seconds=seconds)
    return now / (ROUNDS * work_seconds)


def test_what_ended_together_parts_and_no_more_waits_for_one_long_flush() -> None:
    assert ratio(0.1, Seen()) < 1.06
    assert ratio(0.1, None) > 1.11, "all together is no slower: this shows nothing"


@pytest.mark.parametrize("work_seconds", [0.0001, 0.01])
def test_of_short_work_all_is_brought(work_seconds: float) -> None:
    assert ratio(work_seconds, Seen()) == ratio(work_seconds, None)


def test_of_batches_one_is_parted_and_then_no_more() -> None:
    parted = ratio(0.1, Seen(), batches=True) - ratio(0.1, None, batches=True)
    assert parted * ROUNDS * 0.1 == pytest.approx(0.002), "one flush more"


def test_few_are_no_group() -> None:
    seen = Seen()
    seen.flushed(brought=3, begun=3, seconds=0.002)
    assert seen.at_most(10, 1.0) == 8
    assert seen.at_most(100, 1.0) == 20
