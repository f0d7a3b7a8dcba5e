"""What a second reader found: ways to lose the truth that are none any more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from deployctl.models import Deployment, Operation, Target
from deployctl.services import commands, deployments, planning, versions
from deployctl.services.replies import KeyReused
from strategies.states import OperationState
from tests.services.hands import Hands, said
from tests.support import truth
from tests.support.fleet import Place, person, simulated

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def fail(place: Place, version: str) -> Deployment:
    """Deploy a version that is seen there, unhealthy, on every target."""
    deployment = place.deploy(version, batch_size=10)
    hands = Hands(deployment)
    hands.flush(*(said(c, S.FAILED, observed=version) for c in hands.claims()))
    deployment.refresh_from_db()
    return deployment


def test_the_old_version_can_be_deployed_over_a_failed_one() -> None:
    place = Place(simulated(2))
    assert fail(place, "2.0").state == "failed"
    back = place.prepare("1.0")
    assert [t["from_version"] for t in planned(back)] == ["2.0", "2.0"]


def planned(deployment: Deployment) -> list[dict[str, str]]:
    content: list[dict[str, str]] = deployment.plan.content["plan"]["targets"]
    return content


def test_a_return_is_refused_by_what_started_later_not_by_numbers() -> None:
    place = Place(simulated(2))
    first = place.prepare("3.0")
    second = fail(place, "2.0")
    Deployment.objects.filter(pk=second.pk).update(started_at=timezone.now())
    with pytest.raises(planning.Refused):
        place.start(first)  # the fleet has changed since its plan
    third = place.prepare("3.0", batch_size=10)
    place.start(third)
    Hands(third).run()
    reply = place.press(second, "roll_back")
    assert (reply.status, str(third.pk) in reply.message) == ("refused", True)


def test_a_refused_press_leaves_the_timer() -> None:
    deployment = Place(simulated(4)).deploy(batch_size=2)
    Hands(deployment).claims()
    before = Deployment.objects.get(pk=deployment.pk).due_at
    reply = commands.press(
        deployment.pk, "resume", by=person(), key="late", expected=-1
    )
    after = Deployment.objects.get(pk=deployment.pk).due_at
    assert (reply.status, before, after) == ("stale", after, before)
    assert before is not None


def test_a_key_starts_one_plan_only() -> None:
    place = Place(simulated(2))
    made = [
        versions.register_version(place.application, v, by=place.by)
        for v in ("2.0", "3.0")
    ]
    where = place.application, place.environment
    plans = [
        planning.plan_deployment(*where, version, "rolling", {}) for version in made
    ]
    first = deployments.deploy(*where, made[0], plans[0], by=place.by, key="k")
    again = deployments.deploy(*where, made[0], plans[0], by=place.by, key="k")
    assert first.pk == again.pk
    with pytest.raises(KeyReused):
        deployments.deploy(*where, made[1], plans[1], by=place.by, key="k")


def test_a_return_counts_what_others_broke_meanwhile() -> None:
    place = Place(simulated(3))
    deployment = place.deploy(batch_size=2, max_failures=0)
    hands = Hands(deployment)
    first, second = hands.claims()
    hands.flush(said(first), said(second, S.FAILED))
    last = Target.objects.get(pk=place.targets[2].pk)
    Target.objects.filter(pk=last.pk).update(health="unhealthy")
    assert place.press(deployment, "roll_back").status == "ok"
    assert truth.check(deployment.pk).progress.available == 1


def test_a_verification_that_is_taken_over_gets_its_time_again() -> None:
    deployment = Place(simulated(1)).deploy()
    lost, other = Hands(deployment), Hands(deployment)
    (claim,) = lost.claims()
    lost.flush(said(claim, S.VERIFYING))
    Operation.objects.filter(pk=claim.operation_id).update(verify_by=claim_time())
    lost.die()
    (taken,) = other.flush(sweep=True, dead_seconds=1).claims
    assert (taken.state, taken.verify_seconds > 2) == (S.VERIFYING, True)


def claim_time() -> object:
    """Return a time that is long past."""
    return timezone.now() - timedelta(hours=1)
