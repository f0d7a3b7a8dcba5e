"""What people press: once a key, in one order, refused with reasons, and recorded."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from deployctl.models import Audit, Command, Deployment
from deployctl.services import commands, planning
from deployctl.services.replies import KeyReused, Reply
from deployctl.services.turn import Turn
from strategies.states import OperationState
from tests.services.hands import Beside, Gate, Hands, said
from tests.support import truth
from tests.support.fleet import Place, person, rested, simulated, states

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState


def press(deployment: Deployment, kind: str, key: str, **more: Any) -> Reply:
    given = {"by": person(), "expected": deployment.control_version, **more}
    return commands.press(deployment.pk, kind, key=key, **given)


def entries(deployment: Deployment, action: str, result: str = "ok") -> list[Audit]:
    found = Audit.objects.filter(
        object_type="deployment", object_id=deployment.pk, action=action, result=result
    )
    return list(found.order_by("pk"))


# -- keys ----------------------------------------------------------------------------


def test_the_same_key_gets_the_first_answer_and_one_effect() -> None:
    deployment = Place(simulated(4)).deploy()
    first = press(deployment, "pause", "k1")
    resumed = press(Deployment.objects.get(pk=deployment.pk), "resume", "k2")
    assert (first.status, resumed.status) == ("ok", "ok")
    assert press(deployment, "pause", "k1") == first
    assert truth.check(deployment.pk).progress.hold is None
    assert len(entries(deployment, "deployment.paused")) == 1


def test_the_same_key_for_something_else_is_an_error() -> None:
    deployment = Place(simulated(4)).deploy()
    press(deployment, "pause", "k1")
    with pytest.raises(KeyReused):
        press(deployment, "abort", "k1")
    with pytest.raises(KeyReused):
        press(deployment, "pause", "k1", reason="another body")
    assert press(deployment, "abort", "k2", by=person("bob")).status == "ok"


def test_two_people_may_use_the_same_key() -> None:
    deployment = Place(simulated(4)).deploy()
    assert press(deployment, "pause", "k1").status == "ok"
    assert press(deployment, "pause", "k1", by=person("bob")).status == "noop"
    assert Command.objects.filter(deployment=deployment).count() == 2


def test_twenty_presses_at_once_are_one_command() -> None:
    deployment = Place(simulated(4)).deploy()
    by = person()
    pressed = [
        Beside(lambda: commands.press(deployment.pk, "pause", by=by, key="double"))
        for _ in range(20)
    ]
    replies = {each.get() for each in pressed}
    assert [reply.status for reply in replies] == ["ok"]
    assert Command.objects.filter(deployment=deployment).count() == 1
    assert len(entries(deployment, "deployment.paused")) == 1


def test_many_people_at_once_get_truthful_answers_in_one_order() -> None:
    deployment = Place(simulated(4)).deploy()
    kinds = ["pause", "resume", "abort", "roll_back"] * 6
    people = [person(f"p{n}") for n in range(len(kinds))]
    pressed = [
        Beside(partial(press, deployment, kind, "k", by=by, expected=1))
        for kind, by in zip(kinds, people, strict=True)
    ]
    replies = [each.get() for each in pressed]
    told = truth.check(deployment.pk)
    acts = [len(entries(deployment, f"deployment.{a}")) for a in ("paused", "aborted")]
    ok = [kind for kind, r in zip(kinds, replies, strict=True) if r.status == "ok"]
    assert acts == [ok.count("pause"), ok.count("abort")]
    assert told.progress.rest is not None
    assert ok.count("abort") == 1


# -- who may, and from which page ----------------------------------------------------


def test_who_may_only_look_changes_nothing_and_is_recorded() -> None:
    deployment = Place(simulated(4)).deploy()
    seq = deployment.seq
    looker = person("eve", staff=False)
    for kind in commands.KINDS:
        reply = press(deployment, kind, kind, by=looker)
        assert reply.status == "denied"
        assert "eve may look" in reply.message
        assert len(entries(deployment, f"deployment.{kind}", "denied")) == 1
    deployment.refresh_from_db()
    assert deployment.seq == seq


@pytest.mark.parametrize("kind", ["resume", "roll_back"])
def test_a_go_from_a_stale_page_is_refused(kind: str) -> None:
    deployment = Place(simulated(4)).deploy()
    Hands(deployment).claims()
    press(deployment, "pause", "k1")
    reply = press(deployment, kind, "k2", expected=deployment.control_version)
    assert reply.status == "stale"
    fresh = press(deployment, kind, "k3", expected=reply.control_version)
    assert fresh.status == "ok"


@pytest.mark.parametrize("kind", ["pause", "abort"])
def test_a_stop_from_a_stale_page_acts(kind: str) -> None:
    deployment = Place(simulated(4)).deploy()
    assert press(deployment, kind, "k1", expected=-7).status == "ok"


def test_progress_of_targets_does_not_make_a_page_stale() -> None:
    deployment = Place(simulated(9)).deploy()
    hands = Hands(deployment)
    hands.finish(hands.claims(1))
    deployment.refresh_from_db()
    version = deployment.control_version
    hands.finish(hands.claims(1))
    deployment.refresh_from_db()
    assert deployment.control_version == version


# -- what is refused -----------------------------------------------------------------


def test_a_second_live_deployment_is_refused_with_the_first_ones_name() -> None:
    place = Place(simulated(4))
    second = place.prepare("3.0")
    first = place.deploy("2.0")
    with pytest.raises(planning.Refused, match=f"Deployment {first.pk} by ana") as e:
        place.start(second)
    assert e.value.code == "live"
    place.press(first, "pause")
    with pytest.raises(planning.Refused):
        place.start(second)
    assert states(second) == {}


def test_two_starts_at_once_are_one_start() -> None:
    place = Place(simulated(4))
    waiting = [place.prepare(version) for version in ("2.0", "3.0", "4.0")]
    started = [Beside(partial(place.start, each)) for each in waiting]
    outcomes = []
    for each in started:
        assert each.ended(10)
        outcomes.append(each.error)
    assert sum(error is None for error in outcomes) == 1
    refused = [error for error in outcomes if error is not None]
    assert all(isinstance(error, planning.Refused) for error in refused)
    live = Deployment.objects.filter(state="in_progress")
    assert live.count() == 1


def test_a_return_from_failed_touches_only_what_was_touched() -> None:
    place = Place(simulated(6))
    deployment = place.deploy(batch_size=2)
    hands = Hands(deployment)
    assert hands.run(failing=["t3"]).state == "failed"
    assert states(deployment) == {"succeeded": 3, "failed": 1, "pending": 2}
    assert place.press(deployment, "roll_back").status == "ok"
    assert hands.run().state == "rolled_back"
    assert states(deployment, "return") == {"succeeded": 4}
    truth.check(deployment.pk)


def test_a_return_begins_with_what_was_changed_last() -> None:
    place = Place(simulated(4))
    deployment = place.deploy(batch_size=1, max_failures=0)
    hands = Hands(deployment)
    assert hands.run(failing=["t3"]).state == "failed"
    place.press(deployment, "roll_back")
    order = []
    while claims := hands.claims():
        order += [claim.name for claim in claims]
        hands.flush(*map(said, claims), places=0)
    assert order == ["t3", "t2", "t1", "t0"]


def test_a_second_return_is_refused() -> None:
    place = Place(simulated(2))
    deployment = place.deploy()
    hands = Hands(deployment)
    hands.run(failing=["t1"])
    place.press(deployment, "roll_back")
    hands.run()
    assert place.press(deployment, "roll_back").status == "refused"
    assert place.press(deployment, "pause").status == "refused"


def test_an_overtaken_return_is_refused_by_name() -> None:
    place = Place(simulated(3))
    first = place.deploy("2.0")
    Hands(first).run(failing=["t1"])
    second = place.deploy("3.0")
    assert place.press(first, "roll_back").status == "refused"
    Hands(second).run()
    reply = place.press(first, "roll_back")
    assert reply.status == "refused"
    assert f"Deployment {second.pk} has changed" in reply.message


def test_a_return_beside_a_live_deployment_is_refused_by_name() -> None:
    place = Place(simulated(3))
    first = place.deploy("2.0", only=[place.targets[0].pk])
    Hands(first).run(failing=["t0"])
    second = place.deploy("3.0", only=[place.targets[2].pk])
    reply = place.press(first, "roll_back")
    assert reply.status == "refused"
    assert f"Deployment {second.pk}" in reply.message
    assert len(entries(first, "deployment.roll_back", "refused")) == 1
    first.refresh_from_db()
    assert first.state == "failed"


def test_nobody_starts_and_ends_between_the_look_and_the_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, place = Gate(), Place(simulated(3))
    first = place.deploy("2.0")
    Hands(first).run(failing=["t1"])
    second, fold = place.prepare("3.0"), Turn.fold

    def folded(turn: Turn, *facts: Any) -> None:
        if turn.id == first.pk:
            gate.pass_through()
        fold(turn, *facts)

    def run() -> Deployment:
        place.start(second)
        return Hands(second).run()

    monkeypatch.setattr(Turn, "fold", folded)
    returning = Beside(lambda: place.press(first, "roll_back"))
    assert gate.reached.wait(10)
    running = Beside(run)
    running.ended(1)
    gate.open.set()
    assert returning.get().status == "ok"
    with pytest.raises(planning.Refused, match=f"Deployment {first.pk} by ana"):
        running.get()
    assert states(second) == {}


def test_a_refused_return_leaves_its_deployment_at_rest() -> None:
    place = Place(simulated(3))
    first = place.deploy("2.0")
    Hands(first).run(failing=["t1"])
    Hands(place.deploy("3.0")).run()
    assert place.press(first, "roll_back").status == "refused"
    first.refresh_from_db()
    assert (first.state, first.rested_at is None) == ("failed", False)
    assert Hands(place.deploy("4.0")).run().state == "completed"


def test_a_failed_return_may_be_tried_again() -> None:
    place = Place(simulated(2))
    deployment = place.deploy(batch_size=2)
    hands = Hands(deployment)
    hands.run(failing=["t1"])
    place.press(deployment, "roll_back")
    assert hands.run(failing=["t0"]).state == "rollback_failed"
    assert place.press(deployment, "roll_back").status == "ok"
    assert hands.run().state == "rolled_back"
    assert states(deployment, "return") == {"succeeded": 2}


# -- stopping --------------------------------------------------------------------------


def test_an_abort_with_every_worker_dead_ends_when_one_comes_back() -> None:
    place = Place(simulated(6))
    deployment = place.deploy(batch_size=3)
    dead = Hands(deployment)
    assert len(dead.claims()) == 3
    dead.die()
    assert place.press(deployment, "abort").status == "ok"
    deployment.refresh_from_db()
    assert (deployment.state, deployment.open_count) == ("in_progress", 3)
    back = Hands(deployment)
    taken = back.flush(sweep=True).claims
    assert [claim.state for claim in taken] == [S.UNKNOWN] * 3
    back.finish(taken, S.PENDING)
    assert rested(deployment).reason == "aborted_by_user"
    assert states(deployment) == {"pending": 6}


def test_each_act_is_entered_once_with_its_person_and_reason() -> None:
    place = Place(simulated(6))
    deployment = place.deploy(batch_size=3, max_failures=0)
    hands = Hands(deployment)
    claims = hands.claims()
    place.press(deployment, "pause", reason="lunch")
    place.press(deployment, "resume", reason="fed")
    hands.flush(said(claims[0], S.FAILED), *(said(c) for c in claims[1:]))
    place.press(deployment, "roll_back", reason="enough")
    hands.run()
    actions = list(
        Audit.objects.filter(object_type="deployment", object_id=deployment.pk)
        .order_by("pk")
        .values_list("action", "actor", "reason")
    )
    assert actions == [
        ("deployment.created", "ana", ""),
        ("deployment.started", "ana", ""),
        ("deployment.paused", "ana", "lunch"),
        ("deployment.resumed", "ana", "fed"),
        ("deployment.halted", "rule max_failures", ""),
        ("deployment.rested", "rule", "max_failures"),
        ("deployment.roll_back_asked", "ana", "enough"),
        ("deployment.rested", "rule", ""),
    ]
