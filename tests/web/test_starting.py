"""The builder: only the plan that was seen is started, once, by whoever may."""

from __future__ import annotations

import base64
import hashlib
import html
import zlib
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from deployctl.models import Deployment, Target, Version
from deployctl.queries.differences import differences, sketch
from deployctl.services import fleet, versions
from deployctl.services.fleet import NewTarget
from strategies import Candidate, create_strategy
from tests.support.fleet import Place


@pytest.fixture
def version(place: Place) -> Version:
    """A version to go to."""
    return versions.register_version(place.application, "2.0", by=place.by)


def form(place: Place, version: Version, **more: Any) -> dict[str, Any]:
    """Return what a person typed."""
    return {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "batch_size": "4",
        "delay_seconds": "0",
        "max_failures": "0",
        "min_healthy": "0",
        "on_failure": "halt",
        "retries": "0",
        "reason": "because",
        "idempotency_key": "once",
        **more,
    }


def plan(client: Client, data: dict[str, Any]) -> dict[str, str]:
    """Look at the plan and return what its page sends back."""
    answer = client.post("/deployments/preview/", data)
    assert answer.status_code == 200
    found = answer.context["plan"]
    assert not found.get("errors"), found
    return {"plan_hash": found["hash"], "plan_sketch": found["sketch"]}


def seen(client: Client, data: dict[str, Any]) -> str:
    """Look at the plan and return its hash."""
    return plan(client, data)["plan_hash"]


def start(client: Client, data: dict[str, Any], **more: Any) -> Any:
    """Press Start on the plan that was seen."""
    return client.post("/deployments/new/", {**data, "start": "1", **more})


def test_what_was_seen_is_started(
    place: Place, version: Version, alice: Client
) -> None:
    data = form(place, version)
    plan_hash = seen(alice, data)
    assert not Deployment.objects.exists()
    answer = start(alice, data, plan_hash=plan_hash)
    deployment = Deployment.objects.get()
    assert answer["Location"] == f"/deployments/{deployment.pk}/"
    assert deployment.plan_id == plan_hash
    assert deployment.state == "in_progress"
    assert deployment.why == "because"


def test_pressing_twice_starts_once(
    place: Place, version: Version, alice: Client
) -> None:
    data = form(place, version)
    plan_hash = seen(alice, data)
    answers = [start(alice, data, plan_hash=plan_hash) for _ in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize("plan_hash", ["", "0" * 64, "\0"])
def test_another_plan_is_shown_and_not_started(
    plan_hash: str, place: Place, version: Version, alice: Client
) -> None:
    answer = start(alice, form(place, version), plan_hash=plan_hash)
    assert answer.status_code == 409
    assert "this is the new one" in answer.content.decode()
    assert not Deployment.objects.exists()


def test_a_fleet_that_moved_meanwhile_makes_another_plan(
    place: Place, version: Version, alice: Client
) -> None:
    data = form(place, version)
    plan_hash = seen(alice, data)
    Target.objects.filter(pk=place.targets[0].pk).update(recorded_version="1.5")
    answer = start(alice, data, plan_hash=plan_hash)
    assert answer.status_code == 409
    assert answer.context["plan"]["hash"] != plan_hash
    assert not Deployment.objects.exists()


def changes(client: Client, data: dict[str, Any], **looked: str) -> list[str]:
    """Press Start on a plan that is not the same any more; return what differs."""
    answer = start(client, data, **looked)
    assert answer.status_code == 409
    for change in answer.context["changes"]:
        assert html.escape(change) in answer.content.decode()
    found: list[str] = answer.context["changes"]
    return found


def test_what_the_fleet_has_changed_is_listed(
    place: Place, version: Version, alice: Client
) -> None:
    data = form(place, version)
    looked = plan(alice, data)
    first, second, third, fourth, *_ = place.targets
    Target.objects.filter(pk=first.pk).update(recorded_version="1.5")
    Target.objects.filter(pk=second.pk).update(recorded_version="2.0")
    Target.objects.filter(pk=third.pk).update(removed_at=timezone.now())
    where = place.application, place.environment
    fleet.move_targets(*where, {fourth.name: "there"}, by=place.by)
    fleet.add_targets(*where, [NewTarget("new", "", "simulated")], by=place.by)
    assert changes(alice, data, **looked) == [
        "new: added to what is changed.",
        f"{third.name}: no longer there.",
        f"{second.name}: needs no change any more.",
        f"{fourth.name}: reached in another way, at another address or with other"
        " settings.",
        f"{first.name}: ran 1.0, now 1.5.",
    ]


def test_an_option_and_a_version_that_differ_are_listed(
    place: Place, version: Version, alice: Client
) -> None:
    looked = plan(alice, form(place, version))
    other = versions.register_version(place.application, "3.0", by=place.by)
    data = form(place, other, batch_size="2")
    assert changes(alice, data, **looked) == [
        "Version 3.0: was 2.0.",
        "Batch size: 4, now 2.",
    ]


def test_another_order_is_said(place: Place, version: Version, alice: Client) -> None:
    data = form(place, version)
    looked = plan(alice, data)
    last = place.targets[-1]
    Target.objects.filter(pk=last.pk).update(health="unhealthy")
    assert any(
        "unhealthy come first" in line for line in changes(alice, data, **looked)
    )


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "?",
        "AAAA",
        base64.b64encode(zlib.compress(b"[]")).decode(),
        base64.b64encode(zlib.compress(b"0" * 10_000_000)).decode(),
        base64.b64encode(
            zlib.compress(b'{"version":1,"options":2,"work":[[-1,0,0]],"skipped":[]}')
        ).decode(),
    ],
)
def test_a_forged_sketch_says_nothing(
    forged: str, place: Place, version: Version, alice: Client
) -> None:
    looked = {"plan_hash": "0" * 64, "plan_sketch": forged}
    assert changes(alice, form(place, version), **looked) == []


def test_a_large_plan_is_carried_in_little(place: Place, version: Version) -> None:
    targets = [
        Candidate(str(n), "1.0", driver_digest=hashlib.sha256(b"%d" % n).hexdigest())
        for n in range(10_000)
    ]
    made = create_strategy("rolling").plan(targets, "2.0", "")
    assert len(sketch(made)) < 120_000
    assert differences(sketch(made), made) == []


def test_a_second_one_is_refused_by_the_name_of_the_first(
    place: Place, version: Version, alice: Client
) -> None:
    first = place.deploy("1.9", batch_size=1)
    data = form(place, version)
    answer = start(alice, data, plan_hash=seen(alice, data))
    assert answer.status_code == 409
    assert f"Deployment {first.pk} by ana is live" in answer.content.decode()
    assert Deployment.objects.count() == 1


def test_a_withdrawn_version_cannot_be_chosen(
    place: Place, version: Version, alice: Client
) -> None:
    data = form(place, version)
    plan_hash = seen(alice, data)
    versions.withdraw_version(version.pk, by=place.by, reason="it burns")
    assert start(alice, data, plan_hash=plan_hash).status_code in (409, 422)
    assert not Deployment.objects.exists()


def test_who_may_only_look_is_denied(
    place: Place, version: Version, charlie: Client
) -> None:
    data = form(place, version)
    answer = start(charlie, data, plan_hash=seen(charlie, data))
    assert answer.status_code == 403
    assert not Deployment.objects.exists()


def test_nobody_starts(place: Place, version: Version, client: Client) -> None:
    assert start(client, form(place, version)).status_code == 302
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", "0"),
        ("batch_size", "many"),
        ("delay_seconds", "-1"),
        ("delay_seconds", "\0"),
        ("max_failures", "x"),
        ("min_healthy", "100%"),
        ("min_healthy", "9"),
        ("retries", "99"),
        ("on_failure", "explode"),
        ("health_deadline_seconds", "1e9"),
        ("health_success_threshold", "0"),
        ("version", "9" * 40),
        ("application", "\0"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    field: str, value: str, place: Place, version: Version, alice: Client
) -> None:
    data = {**form(place, version), field: value}
    assert alice.post("/deployments/preview/", data).status_code == 200
    answer = start(alice, data)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not Deployment.objects.exists()


def test_a_preview_keeps_nothing_and_is_a_post(
    place: Place, version: Version, charlie: Client
) -> None:
    assert charlie.get("/deployments/preview/").status_code == 405
    seen(charlie, form(place, version))
    assert not Deployment.objects.exists()


class TestVersions:
    """Registering and withdrawing, by whoever may."""

    def register(self, client: Client, place: Place, version: str) -> Any:
        data = {"application": place.application.pk, "version": version}
        return client.post("/versions/register/", data)

    def test_a_version_is_registered(self, place: Place, alice: Client) -> None:
        assert self.register(alice, place, "3.0").status_code == 302
        assert "3.0" in alice.get("/versions/").content.decode()

    @pytest.mark.parametrize(
        "wrong", ["", "../etc", "a b", "-rf", "a..b", "x" * 200, "a\0"]
    )
    def test_what_no_target_may_be_given_is_refused(
        self, wrong: str, place: Place, alice: Client
    ) -> None:
        assert self.register(alice, place, wrong).status_code == 422
        assert not Version.objects.exists()

    def test_who_may_only_look_registers_nothing(
        self, place: Place, charlie: Client
    ) -> None:
        assert self.register(charlie, place, "3.0").status_code == 403
        assert not Version.objects.exists()

    def test_withdrawing_needs_a_reason_and_a_right(
        self, version: Version, alice: Client, charlie: Client
    ) -> None:
        path = f"/versions/{version.pk}/withdraw/"
        assert charlie.post(path, {"reason": "no"}).status_code == 403
        alice.post(path, {"reason": " "})
        version.refresh_from_db()
        assert version.withdrawn_at is None
        alice.post(path, {"reason": "it burns"})
        version.refresh_from_db()
        assert version.withdrawn_reason == "it burns"

    def test_a_get_withdraws_nothing(self, version: Version, alice: Client) -> None:
        assert alice.get(f"/versions/{version.pk}/withdraw/").status_code == 405
