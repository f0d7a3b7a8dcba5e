"""Drafts and templates in the builder: kept, opened, overwritten only when seen."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client

from deployctl.models import Audit, Deployment, SavedForm, SavedQuery
from deployctl.services import saved_forms, versions
from deployctl.services.saved_queries import save_query
from tests.support.fleet import Place
from tests.web.conftest import browser

DRAFT, TEMPLATE = "/deployments/new/draft/", "/deployments/new/template/"


def typed(place: Place, name: str, **more: Any) -> dict[str, Any]:
    """Return what a person typed into the builder, and under what name it is kept."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    return {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "where": "",
        "strategy": "canary",
        "stages": "50, 100",
        "retries": "3",
        "health_interval_seconds": "7",
        "reason": "T-7",
        "saved_as": name,
        **more,
    }


def said(answer: Any) -> str:
    """Return what a page says, as a person reads it."""
    return html.unescape(answer.content.decode())


def values(client: Client, address: str) -> dict[str, str]:
    """Return what the builder's fields have there."""
    answer = client.get(address)
    assert answer.status_code == 200
    form = answer.context["form"]
    return {name: str(form[name].value() or "") for name in form.fields}


def test_a_draft_holds_what_was_typed_and_starts_nothing(
    place: Place, alice: Client
) -> None:
    wrong = typed(place, "tonight", batch_size="nonsense", where="zone=", version="")
    answer = alice.post(DRAFT, wrong, follow=True)
    assert "The draft tonight is kept. Nothing was started." in said(answer)
    row = SavedForm.objects.get()
    address = f"/deployments/new/?draft={row.pk}"
    assert answer.redirect_chain == [(address, 302)]
    again = values(alice, address)
    assert (
        again.items()
        >= {
            "batch_size": "nonsense",
            "where": "zone=",
            "version": "",
            "strategy": "canary",
            "health_interval_seconds": "7",
            "delay_seconds": "",
            "reason": "T-7",
        }.items()
    )
    assert not Deployment.objects.exists()
    entry = Audit.objects.get(action="draft.kept")
    assert "fields" not in (entry.after or {}), "a draft is private"


def test_a_draft_is_its_owners_alone(place: Place, alice: Client) -> None:
    alice.post(DRAFT, typed(place, "tonight"))
    row = SavedForm.objects.get()
    dora = browser("dora", staff=True)
    assert dora.get(f"/deployments/new/?draft={row.pk}").status_code == 404
    for page in ("/deployments/saved/", "/", "/deployments/new/"):
        assert "tonight" not in said(dora.get(page)), page
    dora.post(f"/deployments/saved/{row.pk}/remove/")
    assert SavedForm.objects.count() == 1
    dora.post(DRAFT, typed(place, "tonight"))
    assert SavedForm.objects.count() == 2, "each may have one of that name"
    assert "tonight" in said(alice.get("/"))
    assert "tonight" in said(alice.get("/deployments/saved/"))
    alice.post(f"/deployments/saved/{row.pk}/remove/")
    assert not SavedForm.objects.filter(pk=row.pk).exists()
    assert Audit.objects.filter(action="draft.removed", object_id=row.pk).exists()


@pytest.mark.parametrize("url", [DRAFT, TEMPLATE])
def test_nothing_is_overwritten_that_was_not_seen(
    url: str, place: Place, alice: Client
) -> None:
    alice.post(url, typed(place, "usual"))
    assert alice.post(url, typed(place, "usual")).status_code == 302, "the same again"
    assert SavedForm.objects.get().revision == 1
    asked = alice.post(url, typed(place, "usual", retries="5"))
    assert asked.status_code == 409
    assert "“usual” already, saved by alice" in said(asked)
    assert "Overwrite the" in said(asked)
    assert 'value="5"' in said(asked), "what was typed is still there"
    assert SavedForm.objects.get().fields["retries"] == "3"
    stamp = asked.context["saved"]["seen"]
    alice.post(url, typed(place, "usual", retries="5", seen=stamp))
    assert SavedForm.objects.get().fields["retries"] == "5"
    stale = alice.post(url, typed(place, "usual", retries="6", seen=stamp))
    assert stale.status_code == 409, "another tab has overwritten it meanwhile"
    assert SavedForm.objects.get().fields["retries"] == "5"


def test_nobody_keeps_drafts_without_end(
    place: Place, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_forms, "MOST_DRAFTS", 1)
    alice.post(DRAFT, typed(place, "tonight"))
    assert "You have 1 drafts" in said(alice.post(DRAFT, typed(place, "more")))
    stamp = SavedForm.objects.get().stamp
    alice.post(DRAFT, typed(place, "tonight", retries="5", seen=stamp))
    assert SavedForm.objects.get().fields["retries"] == "5", "the one there is goes on"


def test_who_opened_a_draft_keeps_it_without_being_asked(
    place: Place, alice: Client
) -> None:
    alice.post(DRAFT, typed(place, "tonight"))
    row = SavedForm.objects.get()
    opened = alice.get(f"/deployments/new/?draft={row.pk}")
    stamp = opened.context["saved"]["seen"]
    assert f'name="seen" value="{stamp}"' in said(opened)
    alice.post(DRAFT, typed(place, "tonight", retries="5", seen=stamp))
    assert SavedForm.objects.get().fields["retries"] == "5"


def test_a_template_is_everybodys_and_has_no_version(
    place: Place, alice: Client, charlie: Client
) -> None:
    answer = alice.post(TEMPLATE, typed(place, "careful", version=""))
    row = SavedForm.objects.get()
    assert f"?template={row.pk}" in answer["Location"]
    assert row.fields.keys() == {
        *("strategy", "stages", "retries", "health_interval_seconds"),
    }
    assert "careful" in said(charlie.get("/deployments/saved/"))
    version = versions.register_version(place.application, "2.1", by=place.by)
    sent = typed(place, "", version=version.pk, wanted=row.pk, strategy="rolling")
    address = charlie.post("/deployments/new/use/", sent)["Location"]
    filled = values(charlie, address)
    assert (
        filled.items()
        >= {
            "strategy": "canary",
            "stages": "50, 100",
            "retries": "3",
            "success_threshold": "",
            "version": str(version.pk),
            "reason": "T-7",
        }.items()
    )


def test_a_deployment_is_noted_on_the_template_it_began_with(
    place: Place, alice: Client
) -> None:
    alice.post(TEMPLATE, typed(place, "careful"))
    row = SavedForm.objects.get()
    page = said(alice.get("/deployments/saved/"))
    assert "No deployment has begun with it." in page
    data = typed(place, "", template=row.pk)
    plan = alice.post("/deployments/preview/", data).context["plan"]
    alice.post("/deployments/new/", {**data, "start": 1, "plan_hash": plan["hash"]})
    started = Deployment.objects.get()
    page = said(alice.get("/deployments/saved/"))
    assert f"Last used by alice in #{started.pk}." in page
    alice.post(f"/deployments/saved/{row.pk}/remove/")
    assert not SavedForm.objects.exists()
    started.refresh_from_db()
    entry = Audit.objects.get(action="template.removed")
    assert entry.before is not None
    assert entry.before["fields"]["stages"] == "50, 100"


def test_a_template_chooses_targets_by_a_saved_query_alone(
    place: Place, alice: Client
) -> None:
    own = alice.post(TEMPLATE, typed(place, "half", where="name=t1"))
    assert own.status_code == 422
    assert "Save this one on the page of the fleet" in said(own)
    assert not SavedForm.objects.exists()
    query = save_query(place.application, "Half", "name=t1", by=place.by)
    alice.post(TEMPLATE, typed(place, "half", where="name=t1"))
    row = SavedForm.objects.get()
    assert row.query == query
    save_query(place.application, "Half", "name=t2", by=place.by)
    address = f"/deployments/new/?template={row.pk}"
    assert values(alice, address)["where"] == "name=t2", "as the query is now"
    refused = alice.post(f"/fleet/queries/{query.pk}/remove/", follow=True)
    assert "The template half for" in said(refused)
    assert SavedQuery.objects.exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"stages": "50, 10"}, "must be more than 0% and grow"),
        ({"retries": "99"}, "must be between 0 and 10"),
        ({"health_deadline_seconds": "-1"}, "must be"),
        ({"reason": "x" * 1001}, "at most 1000 characters"),
        ({"saved_as": ""}, "A name has letters"),
        ({"saved_as": "a\nb"}, "A name has letters"),
        ({"saved_as": "<script>"}, "A name has letters"),
        ({"saved_as": "x" * 65}, "A name has letters"),
        ({"application": ""}, "This field is required"),
    ],
)
def test_a_template_that_makes_no_plan_is_not_saved(
    more: dict[str, str], says: str, place: Place, alice: Client
) -> None:
    answer = alice.post(TEMPLATE, {**typed(place, "x"), **more})
    assert answer.status_code == 422
    assert says in said(answer)
    assert "Not saved." in said(answer)
    assert not SavedForm.objects.exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"environment": ""}, "Choose an application and an environment first"),
        ({"application": "0"}, "Choose an application and an environment first"),
        ({"saved_as": "\0"}, "A name has letters"),
        ({"reason": "x" * 1001}, "too much in reason"),
    ],
)
def test_a_draft_needs_a_place_and_a_name(
    more: dict[str, str], says: str, place: Place, alice: Client
) -> None:
    answer = alice.post(DRAFT, {**typed(place, "x"), **more})
    assert answer.status_code == 422
    assert says in said(answer)
    assert not SavedForm.objects.exists()


def test_who_may_only_look_saves_renames_and_removes_nothing(
    place: Place, alice: Client, charlie: Client
) -> None:
    alice.post(TEMPLATE, typed(place, "careful"))
    row = SavedForm.objects.get()
    for url, says in (
        (DRAFT, "may look but not keep drafts"),
        (TEMPLATE, "may look but not save templates"),
        (f"/deployments/saved/{row.pk}/rename/", "may look but not rename templates"),
        (f"/deployments/saved/{row.pk}/remove/", "may look but not remove templates"),
    ):
        answer = charlie.post(url, {**typed(place, "mine"), "name": "mine"})
        assert (answer.status_code, says in said(answer)) == (403, True), url
    assert [each.name for each in SavedForm.objects.all()] == ["careful"]
    page = said(charlie.get("/deployments/saved/"))
    assert "careful" in page
    assert "Delete" not in page


def test_from_a_stale_page_it_is_said_that_it_is_gone(
    place: Place, alice: Client
) -> None:
    alice.post(TEMPLATE, typed(place, "careful"))
    row = SavedForm.objects.get()
    remove, rename = (f"/deployments/saved/{row.pk}/{v}/" for v in ("remove", "rename"))
    assert "The template careful is deleted." in said(alice.post(remove, follow=True))
    for url in (remove, rename):
        answer = alice.post(url, {"name": "other"}, follow=True)
        assert "It is not there any more. Nothing was changed." in said(answer), url
    assert not SavedForm.objects.exists()


def test_a_new_name_never_replaces_another_template(
    place: Place, alice: Client
) -> None:
    alice.post(TEMPLATE, typed(place, "careful"))
    alice.post(TEMPLATE, typed(place, "quick", retries="0"))
    row = SavedForm.objects.get(name="quick")
    url = f"/deployments/saved/{row.pk}/rename/"
    refused = alice.post(url, {"name": "careful"}, follow=True)
    assert "There is a template “careful” already" in said(refused)
    assert SavedForm.objects.filter(name="quick").exists()
    told = alice.post(url, {"name": "hasty"}, follow=True)
    assert "It is called hasty now." in said(told)
    entry = Audit.objects.get(action="template.renamed")
    assert (entry.before, entry.after) == ({"name": "quick"}, {"name": "hasty"})
    gone = alice.post("/deployments/saved/999999/rename/", {"name": "x"})
    assert gone["Location"] == "/deployments/saved/"


def test_a_withdrawn_version_is_named_when_its_draft_is_opened(
    place: Place, alice: Client
) -> None:
    alice.post(DRAFT, typed(place, "tonight"))
    row = SavedForm.objects.get()
    version = int(row.fields["version"])
    versions.withdraw_version(version, by=place.by, reason="it burns")
    page = said(alice.get(f"/deployments/new/?draft={row.pk}"))
    assert "2.0 was withdrawn: choose another version." in page


@pytest.mark.parametrize("name", ["draft", "template"])
def test_what_is_gone_is_not_found(name: str, place: Place, alice: Client) -> None:
    assert alice.get(f"/deployments/new/?{name}=123456").status_code == 404
    gone = alice.post("/deployments/new/use/", typed(place, "", wanted="123456"))
    assert gone.status_code == 422
    assert "it may have been deleted meanwhile" in said(gone)
