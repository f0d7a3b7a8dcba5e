"""Applications and environments in the browser: what there is, and adding one."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from deployctl.models import Application, Audit, Environment
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/fleet/places/"


def words(answer: Any) -> str:
    """Return what a page says, without its marks."""
    return " ".join(re.sub(r"<[^>]*>", " ", unescape(answer.content.decode())).split())


def test_a_new_house_is_furnished_from_the_first_steps(alice: Client) -> None:
    assert f'href="{PAGE}"' in alice.get("/").content.decode()
    assert "No applications" in words(alice.get(PAGE))
    said = alice.post(f"{PAGE}application/", {"application": "shop"}, follow=True)
    assert "Application shop is there." in words(said)
    sent = {"environment": "production", "production": "yes"}
    said = alice.post(f"{PAGE}environment/", sent, follow=True)
    assert "Environment production is there." in words(said)
    assert Environment.objects.get(name="production").is_production
    acts = Audit.objects.order_by("pk").values_list("action", flat=True)
    assert [*acts][-2:] == ["application.added", "environment.added"]
    assert "/fleet/import/" in alice.get("/").content.decode(), "the next step"


def test_pressed_twice_it_is_there_once(alice: Client) -> None:
    for _ in range(2):
        answer = alice.post(f"{PAGE}application/", {"application": "shop"})
        assert answer.status_code == 302
        answer = alice.post(f"{PAGE}environment/", {"environment": "qa"})
        assert answer.status_code == 302
    assert Application.objects.filter(name="shop").count() == 1
    assert Environment.objects.filter(name="qa").count() == 1


def test_what_is_there_is_never_made_another_kind(alice: Client) -> None:
    Environment.objects.create(name="qa")
    sent = {"environment": "qa", "production": "yes"}
    answer = alice.post(f"{PAGE}environment/", sent)
    assert answer.status_code == 422
    assert "is there, and is not marked as production" in words(answer)
    assert not Environment.objects.get(name="qa").is_production


@pytest.mark.parametrize(
    ("name", "says"),
    [("-all", "taken for an option"), ("12", "digits alone"), ("", "required")],
)
def test_what_cannot_be_called_so(name: str, says: str, alice: Client) -> None:
    for kind in ("application", "environment"):
        answer = alice.post(f"{PAGE}{kind}/", {kind: name})
        assert answer.status_code == 422
        assert says in words(answer)
    assert not Application.objects.exists()
    assert not Environment.objects.exists()


def test_what_there_is_leads_to_its_targets(alice: Client) -> None:
    place = Place(simulated(3))
    page = alice.get(PAGE)
    assert f"3 in {place.environment.name}" in words(page)
    assert f"application={place.application.name}" in page.content.decode()


def test_who_may_only_look_sees_no_form_and_is_refused(charlie: Client) -> None:
    assert "Add an application" not in words(charlie.get(PAGE))
    for kind in ("application", "environment"):
        assert charlie.post(f"{PAGE}{kind}/", {kind: "x"}).status_code == 403
    assert not Application.objects.exists()
