"""What is pressed in the room: each command with its refusals, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deployctl.models import Audit, Command, Deployment, Operation
from strategies.states import OperationState
from tests.services.hands import said
from tests.services.test_switch_doubts import at_the_switch
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

HTMX = {"HX-Request": "true"}
KINDS = ["pause", "resume", "abort", "roll_back"]


def form(deployment: Deployment, kind: str, **more: Any) -> dict[str, Any]:
    """Return what the page would post, as fresh as it can be."""
    deployment.refresh_from_db()
    version = deployment.control_version
    given = {"command": kind, "idempotency_key": f"key of {kind}", "reason": "why not"}
    return {**given, "expected_control_version": version, **more}


def press(client: Client, deployment: Deployment, kind: str, **more: Any) -> Any:
    """Press a button as the page's script does."""
    path = f"/deployments/{deployment.pk}/command/"
    return client.post(path, form(deployment, kind, **more), headers=HTMX)


def state(deployment: Deployment) -> str:
    """Return the deployment's state as it is stored now."""
    deployment.refresh_from_db()
    return deployment.state


def test_pause_and_resume(running: Deployment, alice: Client) -> None:
    answer = press(alice, running, "pause")
    assert answer.status_code == 200
    assert 'id="actions"' in answer.content.decode()
    assert state(running) == "paused"
    assert press(alice, running, "resume").status_code == 200
    assert state(running) == "in_progress"


def test_abort_of_an_untouched_one_cancels(running: Deployment, alice: Client) -> None:
    assert press(alice, running, "abort").status_code == 200
    assert state(running) == "cancelled"


def test_roll_back_of_a_touched_one(running: Deployment, alice: Client) -> None:
    hand = Hand(running)
    hand.report(hand.claim(2), OperationState.SUCCEEDED)
    assert press(alice, running, "roll_back").status_code == 200
    assert state(running) == "rolling_back"
    hand.finish()
    assert state(running) == "rolled_back"


def test_what_is_asked_about_one_target_is_said_of_one(alice: Client) -> None:
    deployment = Place(simulated(3)).deploy(batch_size=2)
    hand = Hand(deployment)
    hand.report(hand.claim(1), OperationState.SUCCEEDED)
    hand.claim(1)
    page = alice.get(f"/deployments/{deployment.pk}/actions/").content.decode()
    said = page.replace("\N{NO-BREAK SPACE}", " ")
    assert "1 target in flight finishes first." in said
    assert f"1 target stays on {deployment.version}, and 1 as before" in said
    assert "1 target that was not touched is left alone." in said


@pytest.mark.parametrize("kind", KINDS)
def test_a_get_is_no_command(kind: str, running: Deployment, alice: Client) -> None:
    path = f"/deployments/{running.pk}/command/"
    assert alice.get(path, form(running, kind)).status_code == 405
    assert state(running) == "in_progress"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_presses(kind: str, running: Deployment, client: Client) -> None:
    assert press(client, running, kind).status_code == 302
    assert state(running) == "in_progress"


@pytest.mark.parametrize("kind", KINDS)
def test_who_may_only_look_is_denied_and_it_is_recorded(
    kind: str, running: Deployment, charlie: Client
) -> None:
    assert press(charlie, running, kind).status_code == 403
    assert state(running) == "in_progress"
    entry = Audit.objects.get(actor="charlie")
    assert entry.result == "denied"
    assert entry.action == f"deployment.{kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_token_nothing_happens(
    kind: str, running: Deployment, place: Place
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="ana"))
    assert press(strict, running, kind).status_code == 403
    assert state(running) == "in_progress"


@pytest.mark.parametrize("kind", KINDS)
def test_at_rest_a_command_is_refused_in_words(
    kind: str, running: Deployment, alice: Client
) -> None:
    Hand(running).finish()
    assert state(running) == "completed"
    answer = press(alice, running, kind)
    assert answer.status_code == 409
    assert "nothing to" in answer.content.decode()


@pytest.mark.parametrize("kind", ["resume", "roll_back"])
def test_a_go_command_from_a_stale_page_is_refused(
    kind: str, running: Deployment, alice: Client
) -> None:
    hand = Hand(running)
    hand.report(hand.claim(1), OperationState.SUCCEEDED)
    press(alice, running, "pause")
    for old in (0, running.control_version - 1, "", "x", "9" * 40):
        answer = press(
            alice,
            running,
            kind,
            idempotency_key=f"k{old}",
            expected_control_version=old,
        )
        assert answer.status_code == 409
        assert state(running) == "paused"


@pytest.mark.parametrize("kind", ["pause", "abort"])
def test_a_stop_command_works_from_any_stale_page(
    kind: str, running: Deployment, alice: Client
) -> None:
    answer = press(alice, running, kind, expected_control_version=0)
    assert answer.status_code == 200
    assert state(running) != "in_progress"


def test_the_same_key_acts_once(running: Deployment, alice: Client) -> None:
    first = press(alice, running, "pause")
    press(alice, running, "resume")
    again = press(alice, running, "pause")
    assert first.status_code == again.status_code == 200
    assert state(running) == "in_progress"
    assert Command.objects.filter(key="key of pause").count() == 1


def test_the_same_key_with_another_body_is_refused(
    running: Deployment, alice: Client
) -> None:
    press(alice, running, "pause", idempotency_key="one")
    answer = press(alice, running, "abort", idempotency_key="one")
    assert answer.status_code == 422
    assert state(running) == "paused"


@pytest.mark.parametrize(
    "more", [{"command": "explode"}, {"command": ""}, {"idempotency_key": ""}]
)
def test_a_broken_form_changes_nothing(
    more: dict[str, str], running: Deployment, alice: Client
) -> None:
    assert press(alice, running, "pause", **more).status_code == 422
    assert state(running) == "in_progress"


@pytest.mark.parametrize("number", ["999999", "9" * 15, "9" * 40])
def test_an_unknown_deployment_is_not_found(number: str, alice: Client) -> None:
    for path in (f"/deployments/{number}/command/", f"/operations/{number}/settle/"):
        assert (
            alice.post(path, {"command": "pause", "idempotency_key": "k"}).status_code
            == 404
        )


def test_without_a_script_one_is_led_back_with_a_message(
    running: Deployment, alice: Client
) -> None:
    path = f"/deployments/{running.pk}/command/"
    answer = alice.post(path, form(running, "pause"), follow=True)
    assert answer.redirect_chain == [(f"/deployments/{running.pk}/", 302)]
    assert "Paused: no further target is claimed" in answer.content.decode()


def test_a_nul_in_a_reason_is_left_out(running: Deployment, alice: Client) -> None:
    assert press(alice, running, "pause", reason="a\0b").status_code == 200
    running.refresh_from_db()
    assert running.hold is not None
    assert running.hold["reason"] == "ab"


def test_buttons_are_for_those_who_may(
    running: Deployment, alice: Client, charlie: Client
) -> None:
    path = f"/deployments/{running.pk}/actions/"
    assert 'id="do-pause"' in alice.get(path).content.decode()
    assert 'id="do-pause"' not in charlie.get(path).content.decode()


class TestSettling:
    """An operation whose outcome nobody could find waits for a person's word."""

    @pytest.fixture
    def operation(self, running: Deployment) -> Operation:
        """One that probing gave up on."""
        hand = Hand(running)
        claims = hand.claim(1)
        hand.report(claims, OperationState.UNKNOWN)
        hand.report(hand.claim(1)[:1], OperationState.UNRESOLVED, "no answer")
        return Operation.objects.get(pk=claims[0].operation_id)

    def settle(
        self, client: Client, operation: Operation, outcome: str, reason: str = "seen"
    ) -> Any:
        data = {
            "outcome": outcome,
            "reason": reason,
            "idempotency_key": f"key {outcome}",
        }
        return client.post(f"/operations/{operation.pk}/settle/", data, headers=HTMX)

    @pytest.mark.parametrize(
        ("outcome", "then"),
        [("done", "succeeded"), ("not_done", "pending"), ("write_off", "failed")],
    )
    def test_each_word_counts(
        self, outcome: str, then: str, operation: Operation, alice: Client
    ) -> None:
        page = alice.get(f"/deployments/{operation.deployment_id}/").content.decode()
        assert f"settle-{operation.pk}" in page
        assert self.settle(alice, operation, outcome).status_code == 200
        operation.refresh_from_db()
        assert operation.state == then

    def test_a_reason_is_needed(self, operation: Operation, alice: Client) -> None:
        assert self.settle(alice, operation, "done", reason=" ").status_code == 409
        operation.refresh_from_db()
        assert operation.state == "unresolved"

    def test_who_may_only_look_is_denied(
        self, operation: Operation, charlie: Client
    ) -> None:
        assert self.settle(charlie, operation, "done").status_code == 403

    def test_an_unknown_word_is_refused(
        self, operation: Operation, alice: Client
    ) -> None:
        assert self.settle(alice, operation, "maybe").status_code == 422

    def test_what_is_settled_stays_so(
        self, operation: Operation, alice: Client
    ) -> None:
        self.settle(alice, operation, "done")
        assert self.settle(alice, operation, "write_off").status_code == 409
        operation.refresh_from_db()
        assert operation.state == "succeeded"

    def test_it_says_what_may_be_out_of_traffic(
        self, operation: Operation, alice: Client
    ) -> None:
        path = f"/deployments/{operation.deployment_id}/"
        assert "out of traffic" not in alice.get(path).content.decode()
        target = operation.target
        assert target is not None
        target.settings = {**target.settings, "traffic": [{"kind": "haproxy"}]}
        target.save(update_fields=["settings"])
        assert "out of traffic" in alice.get(path).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_switch_in_doubt_is_asked_about_too(alice: Client, tmp_path: Path) -> None:
    """Its subject is a router, which has no page of its own."""
    _, deployment, hands, claim = at_the_switch(tmp_path)
    (doubt,) = hands.flush(said(claim, OperationState.UNKNOWN)).claims
    hands.flush(said(doubt, OperationState.UNRESOLVED, error="no answer"))
    page = alice.get(f"/deployments/{deployment.pk}/")
    assert page.status_code == 200
    assert f"settle-{doubt.operation_id}" in page.content.decode()
