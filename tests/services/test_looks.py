"""What looks at targets may change, and what only the door may."""

from __future__ import annotations

from functools import partial

import pytest
from django.utils import timezone

from deployctl.models import Deployment, Target
from deployctl.services import journal, watching
from deployctl.services.watching import Due, Seen
from tests.services.hands import Beside, Gate, Hands, said
from tests.services.slotted import started
from tests.support import truth
from tests.support.fleet import Place, simulated, states

pytestmark = pytest.mark.django_db(transaction=True)
#: Long enough for whoever is not kept out to get in.
MOMENT = 0.4


def baking() -> tuple[Place, Deployment]:
    """Return a canary of four whose first half is accepted and bakes."""
    place = Place(simulated(4))
    options = {"stages": "50, 100", "stage_duration_seconds": 600}
    deployment = started(place, "canary", success_threshold="50%", **options)
    hands = Hands(deployment)
    hands.finish(hands.claims())
    return place, deployment


def looked(due: list[Due], *, is_well: bool) -> None:
    """Keep the same finding for all of these."""
    watching.keep([Seen(each, is_well, each.version) for each in due])


def test_looks_beside_a_live_deployment_change_no_health() -> None:
    """It is counted there, so that only the door may change it."""
    _, deployment = baking()
    for _ in range(4):
        looked(watching.due(["simulated"], 10, 0), is_well=False)
    assert set(Target.objects.values_list("health", flat=True)) == {
        "healthy",
        "unknown",
    }
    truth.check(deployment.pk)


def test_a_look_from_before_an_operation_ended_says_nothing() -> None:
    deployment = Place(simulated(1)).deploy()
    hands = Hands(deployment)
    due = watching.due(["simulated"], 10, 0)
    hands.finish(hands.claims())
    looked(due, is_well=False)
    assert Target.objects.get().looks == 0


def test_two_that_judge_at_once_count_a_regression_once() -> None:
    place, deployment = baking()
    ids = [target.pk for target in place.targets[:1]]
    Target.objects.filter(pk__in=ids).update(looks=-9, looked_at=timezone.now())
    gate = Gate()

    def occupy() -> None:
        with journal.opened(deployment.pk):
            gate.pass_through()

    first = Beside(occupy)
    assert gate.reached.wait(10)
    judging = [
        Beside(partial(watching.regard, deployment.pk, {ids[0]: "it is ill"}))
        for _ in range(2)
    ]
    for each in judging:
        assert not each.ended(MOMENT)
    gate.open.set()
    first.get()
    for each in judging:
        each.get()
    assert states(deployment) == {"failed": 1, "succeeded": 1, "pending": 2}
    truth.check(deployment.pk)


def test_a_look_at_what_is_open_says_nothing() -> None:
    deployment = Place(simulated(1)).deploy()
    hands = Hands(deployment)
    claims = hands.claims()
    looked(watching.due(["simulated"], 10, 0), is_well=False)
    assert Target.objects.get().looks == 0
    hands.flush(*map(said, claims))
    truth.check(deployment.pk)
