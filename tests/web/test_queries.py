"""Queries where targets are chosen: in the builder, and on the page of the fleet."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from deployctl.models import Audit, Deployment, SavedQuery, Target
from deployctl.services import versions
from deployctl.services.saved_queries import save_query
from tests.support.fleet import Place


@pytest.fixture
def labelled(place: Place) -> Place:
    """Three of the eight are in the zone eu."""
    Target.objects.filter(name__in=["t0", "t1", "t2"]).update(labels={"zone": "eu"})
    return place


def typed(place: Place, where: str) -> dict[str, object]:
    """Return what a person typed into the builder."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    return {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "where": where,
        "batch_size": "4",
        "idempotency_key": "once",
    }


def preview(client: Client, place: Place, where: str) -> str:
    """Return the answer to a preview."""
    answer = client.post("/deployments/preview/", typed(place, where))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_preview_counts_what_the_query_chooses(
    labelled: Place, alice: Client
) -> None:
    text = preview(alice, labelled, "zone=eu & !name=t2")
    assert "chooses <b>2</b> of 8\N{NO-BREAK SPACE}targets" in text
    assert "The query chooses" not in preview(alice, labelled, "")


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("zone=us", "is like that, so there is nothing to plan. Change the query"),
        ("zone=", "Character 6 of the query: a value is needed"),
        ("a" * 1001, "at most 1000 characters"),
    ],
)
def test_a_query_that_chooses_nothing_makes_no_plan(
    where: str, says: str, labelled: Place, alice: Client
) -> None:
    assert says in preview(alice, labelled, where)
    data = {**typed(labelled, where), "start": "1", "plan_hash": "0"}
    answer = alice.post("/deployments/new/", data)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not Deployment.objects.exists()


def test_what_the_query_chose_is_what_is_started(
    labelled: Place, alice: Client
) -> None:
    data = typed(labelled, "zone=eu")
    plan = alice.post("/deployments/preview/", data).context["plan"]
    alice.post("/deployments/new/", {**data, "start": "1", "plan_hash": plan["hash"]})
    deployment = Deployment.objects.get()
    names = deployment.operations.values_list("target__name", flat=True)
    assert sorted(str(name) for name in names) == ["t0", "t1", "t2"]


def names(client: Client, where: str) -> list[str]:
    """Return the targets on the page of the fleet."""
    answer = client.get("/fleet/", {"where": where})
    assert answer.status_code == 200
    return re.findall(r'title="(t\d)"', answer.content.decode())


def test_the_fleet_is_filtered_by_the_address(labelled: Place, charlie: Client) -> None:
    assert names(charlie, "zone=eu & !name=t1") == ["t0", "t2"]
    assert len(names(charlie, "!zone")) == 5


def test_a_query_that_is_none_shows_no_target_and_says_why(
    labelled: Place, charlie: Client
) -> None:
    answer = charlie.get("/fleet/", {"where": 'zone="<b>'})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "Character 6 of the query: this quotation is not closed" in text
    assert "<b>'" not in text
    assert not re.findall(r'title="t\d"', text)


def save(client: Client, place: Place, name: str, text: str) -> str:
    """Save a query from the page of the fleet; return the page that follows."""
    data = {"application": place.application.name, "name": name, "text": text}
    answer = client.post("/fleet/queries/", data, follow=True)
    return str(answer.content.decode())


def test_a_saved_query_is_chosen_in_both_places_until_it_is_removed(
    labelled: Place, alice: Client
) -> None:
    save(alice, labelled, "Europe", "zone=eu")
    save(alice, labelled, "Europe", "zone=eu & !canary")
    option = '<option value="zone=eu &amp; !canary" label="Europe">'
    fleet = f"/fleet/?application={labelled.application.name}"
    assert option in alice.get(fleet).content.decode()
    assert option in preview(alice, labelled, "")
    row = SavedQuery.objects.get()
    alice.post(f"/fleet/queries/{row.pk}/remove/")
    assert option not in alice.get(fleet).content.decode()
    entries = Audit.objects.filter(object_type="savedquery").order_by("pk")
    assert [entry.action for entry in entries] == [
        *("query.saved", "query.saved", "query.removed"),
    ]
    assert entries[1].before == {"text": "zone=eu"}


def chosen(page: str) -> tuple[list[str], str]:
    """Return what the select beside a query offers, and what it says is chosen."""
    options = re.findall(r"<option value=\"[^\"]*\"( selected)?>([^<]*)</option>", page)
    at = [name for mark, name in options if mark]
    return [name for _, name in options], at[-1] if at else ""


def test_the_select_says_what_the_text_is(labelled: Place, alice: Client) -> None:
    application, environment = labelled.application.name, labelled.environment.name
    fleet = {"application": application, "environment": environment}

    def selects(where: str) -> list[tuple[list[str], str]]:
        """Return the selects of the builder, the fleet and the edit of targets."""
        edit = alice.post("/fleet/edit/preview/", {**fleet, "where": where})
        shown = alice.get("/fleet/", {**fleet, "where": where})
        pages = preview(alice, labelled, where), shown.content.decode()
        texts = [*pages, edit.content.decode()]
        parts = [text.partition('data-fills="id_where"')[2] for text in texts]
        return [chosen(part.partition("</select>")[0]) for part in parts]

    assert selects("") == [(["The whole fleet"], "The whole fleet"), ([], ""), ([], "")]
    save_query(labelled.application, "Europe", "zone=eu", by=labelled.by)
    empty = ("The whole fleet", "Saved queries", "None chosen")
    assert selects("") == [([each, "Europe"], each) for each in empty]
    assert selects("zone=eu") == [([each, "Europe"], "Europe") for each in empty]
    own = [([each, "Europe", "As typed"], "As typed") for each in empty]
    assert selects("!zone") == own


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("", "zone=eu", "A query&#x27;s name has letters"),
        ("a\nb", "zone=eu", "A query&#x27;s name has letters"),
        ("x" * 65, "zone=eu", "A query&#x27;s name has letters"),
        ("x", "zone=", "a value is needed here"),
        ("x", "", "The query is empty"),
    ],
)
def test_what_cannot_be_saved_is_said(
    name: str, text: str, says: str, place: Place, alice: Client
) -> None:
    assert says in save(alice, place, name, text)
    assert not SavedQuery.objects.exists()


def test_who_may_only_look_saves_and_removes_nothing(
    place: Place, charlie: Client
) -> None:
    row = save_query(place.application, "x", "zone=eu", by=place.by)
    assert "may look but not save queries" in save(charlie, place, "y", "zone=eu")
    answer = charlie.post(f"/fleet/queries/{row.pk}/remove/")
    assert answer.status_code == 403
    assert SavedQuery.objects.count() == 1
    page = charlie.get(f"/fleet/?application={place.application.name}&where=a")
    assert "Save query" not in page.content.decode()
