"""Who may still report, what counts then, and what becomes of the unreported."""

from __future__ import annotations

import pytest

from deployctl.models import Operation, Target
from deployctl.services import workers
from strategies.operations import REDOS
from strategies.states import OperationState
from tests.services.hands import Hands, said
from tests.support import truth
from tests.support.fleet import Place, simulated, states

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def test_a_report_counts_only_while_claimant_and_fence_match() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    slow, other = Hands(deployment), Hands(deployment)
    claims = slow.claims()
    assert other.flush(*map(said, claims)).accepted == frozenset()
    slow.die()
    taken = other.flush(sweep=True).claims
    assert all(t.fence > c.fence for t, c in zip(taken, claims, strict=True))
    assert slow.flush(*(said(c, S.FAILED) for c in claims)).accepted == frozenset()
    assert states(deployment) == {"unknown": 2}
    assert len(other.finish(taken).accepted) == 2
    deployment.refresh_from_db()
    assert deployment.state == "completed"


def test_a_report_of_an_older_claim_is_not_the_same_workers_word_either() -> None:
    deployment = Place(simulated(1)).deploy()
    hands = Hands(deployment)
    (lost,) = hands.claims()
    (taken,) = hands.flush(said(lost, S.UNKNOWN)).claims
    assert hands.flush(said(lost)).accepted == frozenset()
    assert states(deployment) == {"unknown": 1}
    assert hands.flush(said(taken)).accepted == {taken.operation_id}


def test_a_report_that_comes_twice_counts_once() -> None:
    """A worker that never heard of its commit brings the same again."""
    deployment = Place(simulated(2)).deploy(batch_size=2)
    hands = Hands(deployment)
    first, _ = hands.claims()
    assert hands.flush(said(first)).accepted == {first.operation_id}
    assert hands.flush(said(first)).accepted == frozenset()
    assert states(deployment) == {"succeeded": 1, "running": 1}


def test_a_worker_that_has_left_is_not_waited_for() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    gone, other = Hands(deployment), Hands(deployment)
    assert len(gone.claims()) == 2
    workers.leave(gone.id)
    taken = other.flush(sweep=True).claims
    assert [claim.state for claim in taken] == [S.UNKNOWN] * 2


def test_a_fence_goes_on_from_one_deployment_to_the_next() -> None:
    place = Place(simulated(1))
    first = Hands(place.deploy("2.0"))
    (before,) = first.claims()
    first.finish([before])
    (after,) = Hands(place.deploy("3.0")).claims()
    assert after.fence > before.fence


def test_what_was_seen_applied_goes_on_verifying_with_somebody_else() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    first, other = Hands(deployment), Hands(deployment)
    seen, unseen = first.claims()
    first.flush(said(seen, S.VERIFYING))
    first.die()
    taken = other.flush(sweep=True).claims
    assert {claim.operation_id: claim.state for claim in taken} == {
        seen.operation_id: S.VERIFYING,
        unseen.operation_id: S.UNKNOWN,
    }


def test_a_release_does_not_count_as_an_attempt() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=2)
    hands = Hands(deployment)
    for _ in range(3):
        hands.flush(*(said(c, S.RELEASED) for c in hands.claims()), places=0)
    assert set(deployment.operations.values_list("attempt", flat=True)) == {0}
    assert truth.check(deployment.pk).progress.claims == 0


def test_a_target_is_left_alone_until_its_lost_attempt_is_over() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=1)
    hands = Hands(deployment, fenced=False)
    (claim,) = hands.claims()
    doubted = hands.flush(said(claim, S.UNKNOWN)).claims
    assert not doubted[0].quiet
    hands.flush(said(doubted[0], S.PENDING))
    assert hands.claims() == []
    Target.objects.filter(pk=claim.subject_id).update(quiet_at=None)
    assert [c.subject_id for c in hands.claims()] == [claim.subject_id]


def test_a_target_that_is_lost_each_time_fails_for_a_reason() -> None:
    deployment = Place(simulated(2)).deploy(batch_size=1, max_failures=0)
    hands = Hands(deployment)
    for attempt in range(1, REDOS + 2):
        (claim,) = hands.claims()
        assert claim.attempt == attempt
        (doubted,) = hands.flush(said(claim, S.UNKNOWN)).claims
        hands.flush(said(doubted, S.PENDING, available=True), places=0)
    deployment.refresh_from_db()
    assert (deployment.state, deployment.reason) == ("failed", "max_failures")
    operation = Operation.objects.get(pk=claim.operation_id)
    assert "each attempt was lost" in operation.error
    assert states(deployment) == {"failed": 1, "pending": 1}


def test_what_is_lost_often_while_it_stops_is_left_undone() -> None:
    place = Place(simulated(1))
    deployment = place.deploy()
    hands = Hands(deployment)
    for _ in range(REDOS + 1):
        (claim,) = hands.claims()
        (doubted,) = hands.flush(said(claim, S.UNKNOWN)).claims
        if claim.attempt > REDOS:
            place.press(deployment, "abort")
        hands.flush(said(doubted, S.PENDING, available=True), places=0)
    assert states(deployment) == {"pending": 1}
