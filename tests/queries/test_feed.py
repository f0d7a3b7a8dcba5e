"""The events of a deployment as sentences, for a room and for who follows in lines."""

from __future__ import annotations

import pytest

from deployctl.queries import feed
from deployctl.queries.plans import course_of
from tests.services.hands import Hands
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_that_came_after_an_event_is_told_once_and_in_order(monkeypatch) -> None:
    """However much it is: a reader of lines must miss none."""
    monkeypatch.setattr(feed, "MOST_EVENTS", 3)
    row = Hands(deployment := Place(simulated(9)).deploy(batch_size=1)).run()
    course = course_of(deployment.plan_id)
    told = list(feed.after(row, course, 0))
    ends = [each["text"] for each in told if "finished" in each["text"]]
    assert ends == [f"Batch {n} of 9 finished: 1 ok" for n in range(1, 10)]
    numbers = [each["seq"] for each in told]
    assert numbers == sorted(numbers)
    later = list(feed.after(row, course, numbers[4]))
    assert later == [each for each in told if each["seq"] > numbers[4]]
    newest = feed.feed(row, course)["entries"]
    assert newest == told[::-1][: len(newest)]
