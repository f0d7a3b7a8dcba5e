"""Choosing a strategy: what cannot be carried out here is said where the choice is."""

from __future__ import annotations

import re
from pathlib import Path

from django.test import Client

from deployctl.models import Target
from deployctl.services import versions
from tests.services.slotted import slotted
from tests.support.fleet import Place


def builder(client: Client, place: Place, strategy: str = "") -> str:
    """Return the builder's page for a place."""
    where = f"application={place.application.pk}&environment={place.environment.pk}"
    answer = client.get(f"/deployments/new/?{where}&strategy={strategy}")
    return answer.content.decode()


def marks(text: str, value: str) -> set[str]:
    """Return how one choice of a strategy is marked."""
    found = re.search(rf'name="strategy" value="{value}"([^>]*)>', text)
    assert found is not None
    return set(found[1].split())


def previewed(client: Client, place: Place, strategy: str) -> str:
    """Return the answer to a preview."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    data = {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "strategy": strategy,
    }
    return client.post("/deployments/preview/", data).content.decode()


def test_without_a_router_nobody_can_choose_blue_green(
    place: Place, alice: Client
) -> None:
    text = builder(alice, place)
    assert marks(text, "blue_green") == {"disabled"}
    assert marks(text, "rolling") == {"checked"}
    assert "has no router in" in text
    text = previewed(alice, place, "rolling")
    assert 'data-unavailable="blue_green"' in text
    assert "No plan can be made" not in text


def test_what_is_chosen_already_stays_chosen_and_is_refused(
    place: Place, alice: Client
) -> None:
    """A disabled choice is not sent: the usual strategy would start unasked."""
    assert marks(builder(alice, place, "blue_green"), "blue_green") == {"checked"}
    assert '<p class="wrong" data-unavailable' in previewed(alice, place, "blue_green")


def test_with_slots_it_can_be_chosen_and_without_targets_in_them_not(
    tmp_path: Path, alice: Client
) -> None:
    place = slotted(1, tmp_path)
    assert marks(builder(alice, place), "blue_green") == set()
    assert "data-unavailable" not in previewed(alice, place, "blue_green")
    Target.objects.update(slot="")
    text = builder(alice, place)
    assert marks(text, "blue_green") == {"disabled"}
    assert "is in slot blue or green" in text


def test_an_unknown_strategy_falls_back_and_says_so(
    place: Place, alice: Client
) -> None:
    text = builder(alice, place, "yolo")
    assert marks(text, "rolling") == {"checked"}
    assert "There is no strategy “yolo”: rolling is chosen instead." in text
    assert "There is no strategy" not in builder(alice, place, "canary")


def test_what_nobody_has_come_to_yet_is_not_in_red(place: Place, alice: Client) -> None:
    data = {"application": place.application.pk, "environment": "", "version": ""}
    text = alice.post("/deployments/preview/", data).content.decode()
    assert "The plan appears here" in text
    assert 'id="id_version"' in text
    assert "This field is required" not in text


def test_a_plan_is_asked_for_at_once_where_the_address_names_a_version(
    place: Place, alice: Client
) -> None:
    version = versions.register_version(place.application, "2.0", by=place.by)
    assert 'hx-trigger="load, ' not in builder(alice, place)
    where = f"application={place.application.pk}&environment={place.environment.pk}"
    page = alice.get(f"/deployments/new/?{where}&version={version.pk}")
    assert 'hx-trigger="load, input ' in page.content.decode()
