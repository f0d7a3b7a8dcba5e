"""Canaries through the one door: thresholds, bakes, gates, watching, retries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from deployctl.models import Audit, Deployment, Target
from deployctl.services import commands, deployments, planning, versions, watching
from strategies.states import OperationState
from tests.services.hands import Hands, said
from tests.services.slotted import started
from tests.support import truth
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def canary(count: int, **options: object) -> tuple[Place, Deployment, Hands]:
    """Start a canary of halves that bakes for ten minutes."""
    place = Place(simulated(count))
    given = {"stages": "50, 100", "stage_duration_seconds": 600, **options}
    deployment = started(place, "canary", **given)
    return place, deployment, Hands(deployment)


def looked(deployment: Deployment, position: int, looks: int) -> None:
    """Have looked at an accepted target so often in a row: below 0, it was bad."""
    operation = deployment.operations.get(position=position, direction="forward")
    Target.objects.filter(operations=operation).update(
        looks=looks, looked_at=timezone.now() + timedelta(seconds=1)
    )


def test_e19_a_regression_in_a_bake_halts_it_there() -> None:
    """E19: not at the end of the bake; the dashboard's canary then rolls back."""
    _, deployment, hands = canary(4)
    hands.finish(hands.claims())
    looked(deployment, 1, -3)
    assert watching.doubtful() == [deployment.pk]
    watching.regard(deployment.pk, {})
    truth.check(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == "rolling_back"
    assert deployment.halt is not None
    assert deployment.halt["rule"] == "success_threshold"
    assert deployment.halt["positions"] == [1]


def test_two_bad_looks_are_no_regression_and_a_good_one_starts_anew() -> None:
    _, deployment, hands = canary(4)
    hands.finish(hands.claims())
    looked(deployment, 0, -2)
    watching.regard(deployment.pk, {})
    deployment.refresh_from_db()
    assert deployment.halt is None


def test_a_regression_within_the_threshold_may_recover() -> None:
    """D-10 and its reverse: it counts as failed, and as succeeded again."""
    _, deployment, hands = canary(4, success_threshold="50%")
    hands.finish(hands.claims())
    looked(deployment, 0, -3)
    watching.regard(deployment.pk, {deployment.operations.get(position=0).pk: "cold"})
    bad = deployment.operations.get(position=0)
    assert (bad.state, bad.regressed) == ("failed", True)
    watching.regard(deployment.pk, {})  # a second worker, the same look
    looked(deployment, 0, 1)
    watching.regard(deployment.pk, {})
    good = deployment.operations.get(position=0)
    assert (good.state, good.regressed) == ("succeeded", False)
    truth.check(deployment.pk)


def test_a_look_from_before_the_change_says_nothing() -> None:
    _, deployment, hands = canary(4)
    Target.objects.update(looks=-9, looked_at=timezone.now() - timedelta(hours=1))
    hands.finish(hands.claims())
    assert watching.doubtful() == []
    watching.regard(deployment.pk, {})
    deployment.refresh_from_db()
    assert deployment.halt is None


def test_due_looks_are_handed_out_once_and_kept_by_name() -> None:
    """Two workers that ask together share the targets; what they see is counted."""
    _, _, hands = canary(4)
    hands.finish(hands.claims())
    first = watching.due(["simulated"], 1, 60)
    second = watching.due(["simulated"], 9, 60)
    ids = [each.target_id for each in (*first, *second)]
    assert len(set(ids)) == len(ids) == 4
    accepted = [each for each in (*first, *second) if each.deployment_id]
    assert {each.version for each in accepted} == {"2.0"}
    watching.keep([watching.Seen(each, True, "2.0") for each in accepted])
    looks = Target.objects.filter(pk__in=[each.target_id for each in accepted])
    assert set(looks.values_list("looks", flat=True)) == {1}


def test_e20_a_bake_is_cut_short_by_name() -> None:
    """E20: the next stage starts; the audit says who, why and by how much."""
    place, deployment, hands = canary(4)
    hands.finish(hands.claims())
    assert place.press(deployment, "promote", reason="looks good").status == "ok"
    assert len(hands.claims()) == 2
    entry = Audit.objects.get(action="deployment.wait_cut")
    assert (entry.actor, entry.reason) == ("ana", "looks good")
    assert entry.after is not None
    assert 590 < entry.after["fact"]["left_seconds"] <= 600


def test_a_stale_tab_promotes_nothing() -> None:
    place, deployment, hands = canary(4, gates=True, stage_duration_seconds=0)
    deployment.refresh_from_db()
    hands.finish(hands.claims())
    Deployment.objects.filter(pk=deployment.pk).update(
        control_version=F("control_version")
    )
    reply = commands.press(deployment.pk, "promote", by=place.by, key="k", expected=1)
    assert reply.status == "stale"
    assert place.press(deployment, "promote").status == "ok"
    assert place.press(deployment, "promote").status == "refused"


def test_e22_promote_fully_needs_something_to_skip() -> None:
    """E22: it skips gates and bakes, keeps verdicts, and is refused when it is over."""
    place, deployment, hands = canary(4, gates=True)
    hands.finish(hands.claims())
    assert place.press(deployment, "promote_fully").status == "ok"
    hands.finish(hands.claims())
    deployment.refresh_from_db()
    assert deployment.state == "completed"
    assert place.press(deployment, "promote_fully").status == "refused"


def test_k15_a_retry_keeps_where_each_target_came_from() -> None:
    """K15: a new, linked deployment of what failed; its return goes to the first."""
    place, deployment, hands = canary(4, success_threshold="50%", on_failure="halt")
    one, other = hands.claims()
    hands.flush(said(one), said(other, S.FAILED, observed="2.0"))
    place.press(deployment, "abort")
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    again = deployments.retry_failed(deployment.pk, by=place.by, key="again")
    assert again.parent_id == deployment.pk
    (planned,) = again.operations.all()
    assert (planned.target_id, planned.from_version) == (other.subject_id, "1.0")
    with pytest.raises(planning.Refused, match="is live"):
        deployments.retry_failed(deployment.pk, by=place.by, key="once more")


def test_a_completed_deployment_is_taken_back_to_what_each_had() -> None:
    place, deployment, hands = canary(4, stages="100")
    hands.finish(hands.claims())
    deployment.refresh_from_db()
    assert deployment.state == "completed"
    with pytest.raises(planning.Refused, match="not registered"):
        deployments.take_back(deployment.pk, by=place.by, key="back")
    versions.register_version(place.application, "1.0", by=place.by)
    back = deployments.take_back(deployment.pk, by=place.by, key="back")
    Hands(back).run()
    back.refresh_from_db()
    assert back.state == "completed"
    assert set(Target.objects.values_list("recorded_version", flat=True)) == {"1.0"}
