"""Who is rung for: pages at each change, workers where they may find something."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.conf import settings

from deployctl import doorbell
from deployctl.services import commands
from deployctl.services.operations import Report
from strategies.states import OperationState
from tests.services.hands import Hands, said
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)

S = OperationState
Heard = Callable[[], list[bool]]


@pytest.fixture
def heard(transactional_db: None) -> Iterator[Heard]:
    """Return of each ring since it was asked last whether it called workers."""
    with psycopg.connect(settings.DATABASE_LISTEN_URL, autocommit=True) as listener:
        listener.execute(f"LISTEN {doorbell.CHANNEL}")

        def since() -> list[bool]:
            rings = [doorbell._read(n.payload) for n in listener.notifies(timeout=0.2)]
            assert None not in rings
            return [ring.calls for ring in rings if ring]

        yield since


def test_who_starts_calls_and_who_takes_all_that_there_is_does_not(
    heard: Heard,
) -> None:
    deployment = Place(simulated(8)).deploy(batch_size=4)
    assert heard() == [True], "a start"
    hands = Hands(deployment)
    first = hands.claims()
    assert heard() == [True], "it began: what a person may do has changed"
    hands.flush(said(first[0], S.SUCCEEDED))
    assert heard() == [False], "a page counts it, and there is nothing to do"
    hands.finish(first[1:])
    assert heard() == [False], "the next four were taken too"


def test_what_was_left_or_given_back_is_called_out(heard: Heard) -> None:
    deployment = Place(simulated(8)).deploy(batch_size=4)
    heard()
    hands = Hands(deployment)
    claims = hands.claims(places=3)
    assert heard() == [True], "the fourth is for somebody else"
    hands.flush(said(claims[0], S.RELEASED), places=0)
    assert heard() == [True], "so is what was given back"
    hands.flush(said(claims[1], S.VERIFYING), places=0)
    heard()
    let_go = Report(claims[1].operation_id, claims[1].fence, S.VERIFYING, let_go=True)
    hands.flush(said(claims[2], S.SUCCEEDED), let_go)
    rings = heard()
    assert rings == [True], "what is let go of goes on with somebody else"


def test_what_is_left_is_called_out_once_while_pages_were_rung_for(
    heard: Heard,
) -> None:
    deployment = Place(simulated(8)).deploy(batch_size=4)
    hands = Hands(deployment)
    claims = hands.claims(places=1)
    heard()
    claims += hands.flush(places=1, quiet=True).claims
    assert heard() == [True], "that pages can wait is nothing to workers"
    claims += hands.flush(places=1, quiet=True, called=True).claims
    assert heard() == []
    hands.flush(said(claims[0]), places=0, called=True)
    assert heard() == [False]


def test_a_pause_calls(heard: Heard) -> None:
    place = Place(simulated(8))
    deployment = place.deploy(batch_size=4)
    Hands(deployment).claims()
    heard()
    assert commands.press(deployment.pk, "pause", by=place.by, key="one").status == "ok"
    assert heard() == [True]
