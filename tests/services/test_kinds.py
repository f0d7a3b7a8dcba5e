"""A worker is given only targets that it can reach; the others wait for another."""

from __future__ import annotations

import pytest

from deployctl.queries import room
from deployctl.services.fleet import NewTarget
from strategies.states import OperationState
from tests.services.hands import Hands, said
from tests.support import truth
from tests.support.fleet import Place, simulated, states

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def mixed() -> Place:
    """Two simulated targets, t0 and t1, and two on agents, z0 and z1."""
    agents = [
        NewTarget(f"z{n}", "http://127.0.0.1:1", "agent", {}, recorded_version="1.0")
        for n in range(2)
    ]
    return Place([*simulated(2), *agents])


def test_each_worker_claims_what_it_can_reach_and_nothing_fails() -> None:
    deployment = mixed().deploy(batch_size=4, max_failures=0)
    one = Hands(deployment, kinds=["simulated"])
    other = Hands(deployment, kinds=["agent"])
    first, second = one.claims(), other.claims()
    assert [claim.name for claim in first] == ["t0", "t1"]
    assert [claim.name for claim in second] == ["z0", "z1"]
    one.finish(first)
    other.finish(second)
    deployment.refresh_from_db()
    assert deployment.state == "completed"


def test_a_worker_without_the_kind_leaves_the_places_to_those_who_have_it() -> None:
    deployment = mixed().deploy(batch_size=1, window=True)
    assert [c.name for c in Hands(deployment, kinds=["agent"]).claims()] == ["z0"]


def test_with_little_room_too_only_its_own_kind_is_claimed() -> None:
    place = mixed()
    deployment = place.deploy(batch_size=4, min_healthy=2)
    assert [c.name for c in Hands(deployment, kinds=["agent"]).claims()] == ["z0", "z1"]


def test_an_operation_in_doubt_is_settled_by_who_can_ask_its_target() -> None:
    deployment = mixed().deploy(batch_size=4)
    lost = Hands(deployment, kinds=["agent"])
    stranger = Hands(deployment, kinds=["simulated"])
    assert len(lost.claims()) == 2
    lost.die()
    taken = stranger.flush(sweep=True).claims
    assert {claim.driver for claim in taken} == {"simulated"}
    assert states(deployment) == {"unknown": 2, "running": 2}
    heir = Hands(deployment, kinds=["agent"])
    assert [(c.name, c.state) for c in heir.claims()] == [
        ("z0", S.UNKNOWN),
        ("z1", S.UNKNOWN),
    ]


def test_what_was_seen_applied_is_verified_by_who_can_ask_its_target() -> None:
    deployment = mixed().deploy(batch_size=4)
    lost = Hands(deployment, kinds=["agent"])
    claims = lost.claims()
    lost.flush(*(said(claim, S.VERIFYING) for claim in claims))
    lost.die()
    stranger = Hands(deployment, kinds=["simulated"])
    taken = stranger.flush(sweep=True).claims
    assert {claim.driver for claim in taken} == {"simulated"}
    assert len(Hands(deployment, kinds=["agent"]).claims()) == 2


def test_it_waits_while_nobody_has_the_kind_and_the_room_says_so() -> None:
    deployment = mixed().deploy(batch_size=4, max_failures=0)
    only = Hands(deployment, kinds=["simulated"])
    only.run()
    assert only.claims() == []
    deployment.refresh_from_db()
    assert (deployment.state, states(deployment)) == (
        "in_progress",
        {"succeeded": 2, "pending": 2},
    )
    waits = [e["what"] for e in room.summary(deployment.pk)["next"]]
    assert "2 targets for a worker that has 'agent'; none beats." in waits
    Hands(deployment, kinds=["agent"]).run()
    deployment.refresh_from_db()
    assert deployment.state == "completed"
    truth.check(deployment.pk)


def test_the_room_says_nothing_while_somebody_can_or_did_not_say() -> None:
    deployment = mixed().deploy(batch_size=4)
    Hands(deployment, kinds=["simulated"])
    Hands(deployment)  # It did not say: an older worker, which may have any.
    waits = [e["when"] for e in room.summary(deployment.pk)["next"]]
    assert "Waits" not in waits
