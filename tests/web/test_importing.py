"""Fleets from files, into files and edited, in the browser: what was seen is done."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from deployctl.models import Audit, Target
from deployctl.web import fleet_forms
from tests.support.fleet import Place

CSV = "name,kind,label.zone\nt0,simulated,eu\nnew,simulated,us\n"


def place_of(place: Place) -> dict[str, Any]:
    """Return where, as a form has it."""
    return {
        "application": place.application.name,
        "environment": place.environment.name,
    }


def seen(text: str) -> str:
    """Return the digest that a preview carries."""
    found = re.search(r'name="seen" value="(\w{64})"', text)
    assert found is not None, text
    return found[1]


def preview(client: Client, what: str, data: dict[str, Any]) -> str:
    """Return the answer to a preview."""
    answer = client.post(f"/fleet/{what}/preview/", data)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def apply(client: Client, what: str, data: dict[str, Any], digest: str) -> Any:
    """Press the button on what was seen."""
    return client.post(f"/fleet/{what}/", {**data, "apply": "1", "seen": digest})


@pytest.mark.parametrize("way", ["pasted", "uploaded"])
def test_what_was_seen_is_imported(place: Place, alice: Client, way: str) -> None:
    def data() -> dict[str, Any]:
        file = SimpleUploadedFile("fleet.csv", CSV.encode())
        given = {"file": file} if way == "uploaded" else {"text": CSV, "format": "csv"}
        return {**place_of(place), **given}

    text = preview(alice, "import", data())
    assert "<dt>Added</dt>\n        <dd>1</dd>" in text
    assert "label.zone</span>" in text
    assert Target.objects.count() == 8
    answer = apply(alice, "import", data(), seen(text))
    assert answer.status_code == 302
    page = alice.get(answer["Location"]).content.decode()
    assert "Imported: 1 added, 1 changed, 0 as they were." in page
    assert Target.objects.get(name="new").labels == {"zone": "us"}
    assert Audit.objects.get(action="targets.imported").actor == "alice"


@pytest.mark.parametrize("digest", ["", "0" * 64, "\0"])
def test_what_was_not_seen_is_shown_and_not_imported(
    place: Place, alice: Client, digest: str
) -> None:
    data = {**place_of(place), "text": CSV, "format": "csv"}
    answer = apply(alice, "import", data, digest)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "has changed since you looked" in text
    assert Target.objects.count() == 8
    assert apply(alice, "import", data, seen(text)).status_code == 302


def test_an_uploaded_file_is_shown_anew_when_the_fleet_has_moved(
    place: Place, alice: Client
) -> None:
    file = SimpleUploadedFile("fleet.csv", CSV.encode())
    answer = apply(alice, "import", {**place_of(place), "file": file}, "0" * 64)
    assert "has changed since you looked" in answer.content.decode()
    assert seen(answer.content.decode())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": "name,kind\nx,teapot\n"}, "'teapot' is not one of"),
        ({"text": "name\n<b>x\n"}, "must begin with a letter or digit"),
        ({"text": "colour\n"}, "is no known column"),
        ({"text": "\0"}, "Null characters are not allowed"),
        ({"text": "name\nx\n", "format": ""}, "Say in which format it is"),
        ({"text": "name\nx\n", "format": "yolo"}, "Select a valid choice"),
        ({"text": "name\nx\n", "settings": "key"}, "key is no setting"),
        ({"text": "name\nx\n", "application": "nowhere"}, "Select a valid choice"),
        ({"text": "name\nx\n", "environment": ""}, "This field is required"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(
    place: Place, alice: Client, given: dict[str, str], says: str
) -> None:
    data = {**place_of(place), "format": "csv", **given}
    assert says in preview(alice, "import", data)
    answer = apply(alice, "import", data, "0" * 64)
    assert answer.status_code == 422
    assert says in html.unescape(answer.content.decode())
    assert "<b>x" not in answer.content.decode()
    assert Target.objects.count() == 8


def test_a_file_that_is_too_large_is_not_read(
    place: Place, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_forms, "MOST_BYTES", 1_000_000)
    file = SimpleUploadedFile("fleet.csv", bytes(1_000_001))
    data = {**place_of(place), "file": file}
    assert "It has more than 1 MB." in preview(alice, "import", data)


def test_an_empty_file_and_no_file(place: Place, alice: Client) -> None:
    data = {**place_of(place), "file": SimpleUploadedFile("fleet.csv", b"")}
    assert "It is empty." in preview(alice, "import", data)
    assert "What would be done appears here" in preview(
        alice, "import", place_of(place)
    )


def test_who_may_only_look_previews_and_imports_nothing(
    place: Place, charlie: Client
) -> None:
    data = {**place_of(place), "text": CSV, "format": "csv"}
    digest = seen(preview(charlie, "import", data))
    assert "do-import" not in charlie.get("/fleet/import/").content.decode()
    assert apply(charlie, "import", data, digest).status_code == 403
    wanted = {**place_of(place), "where": "name=t*", "labels": "a=b"}
    digest = seen(preview(charlie, "edit", wanted))
    assert apply(charlie, "edit", wanted, digest).status_code == 403
    assert Target.objects.filter(labels={}).count() == 8


def test_under_a_live_deployment_an_address_stays(place: Place, alice: Client) -> None:
    deployment = place.deploy()
    text = "name,address\nt0,there\n"
    data = {**place_of(place), "text": text, "format": "csv"}
    answer = apply(alice, "import", data, seen(preview(alice, "import", data)))
    assert f"Deployment {deployment.pk} is live" in answer.content.decode()


# -- export ----------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csv", "json"])
def test_what_the_filter_selects_is_exported_and_changes_nothing(
    place: Place, charlie: Client, alice: Client, format: str
) -> None:
    address = {**place_of(place), "where": "name=t0 | name=t1"}
    answer = charlie.get(f"/fleet/export.{format}", address)
    assert answer.status_code == 200
    assert f'.{format}"' in answer["Content-Disposition"]
    data = {**place_of(place), "text": answer.content.decode(), "format": format}
    text = preview(alice, "import", data)
    assert "<dt>As they are</dt>\n        <dd>2</dd>" in text
    assert "<dt>Not in the file</dt>\n        <dd>6 " in text


@pytest.mark.parametrize(
    ("address", "says"),
    [({}, "Choose one application"), ({"where": "a="}, "a value is needed")],
)
def test_what_is_no_fleet_is_not_exported(
    place: Place, charlie: Client, address: dict[str, str], says: str
) -> None:
    page = charlie.get("/fleet/export.csv", address, follow=True)
    assert says in page.content.decode()
    assert charlie.get("/fleet/export.xls").status_code == 404


# -- edits -----------------------------------------------------------------------------


def test_an_edit_that_was_seen_is_made(place: Place, alice: Client) -> None:
    data = {
        **place_of(place),
        "where": "name=t0 | name=t1",
        "labels": "zone=eu, role = web",
        "disable": "its disk",
    }
    text = preview(alice, "edit", data)
    assert "<b>2</b> would be changed" in text
    answer = apply(alice, "edit", data, seen(text))
    assert answer.status_code == 302
    row = Target.objects.get(name="t1")
    assert row.labels == {"zone": "eu", "role": "web"}
    page = alice.get(answer["Location"]).content.decode()
    assert "2 targets are changed." in page
    assert page.count("its disk") == 2
    assert "its disk" in alice.get(f"/targets/{row.pk}/").content.decode()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Say what is to be changed"),
        ({"labels": "zone"}, "zone is no label"),
        ({"labels": "a b=c"}, "a label's name has"),
        ({"where": "zone=us", "enable": "yes"}, "is like that"),
        ({"where": "zone=", "enable": "yes"}, "a value is needed here"),
        ({"where": "", "enable": "yes"}, "This field is required"),
        ({"disable": "x", "enable": "yes"}, "not both"),
        ({"disable": "\0"}, "Null characters are not allowed"),
    ],
)
def test_what_is_no_edit_is_said(
    place: Place, alice: Client, given: dict[str, str], says: str
) -> None:
    data = {**place_of(place), "where": "name=t*", **given}
    assert says in preview(alice, "edit", data)
    answer = apply(alice, "edit", data, "0" * 64)
    assert answer.status_code == 422
    assert says in html.unescape(answer.content.decode())
    assert Target.objects.filter(labels={}, disabled_at=None).count() == 8


def test_the_fleet_leads_to_both_with_its_filter(place: Place, alice: Client) -> None:
    address = (
        f"application={place.application.name}&environment={place.environment.name}"
    )
    text = html.unescape(alice.get(f"/fleet/?{address}&where=a").content.decode())
    assert f"/fleet/edit/?{address}&where=a" in text
    assert f"/fleet/export.csv?{address}&where=a" in text
    page = alice.get(f"/fleet/edit/?{address}&where=a").content.decode()
    assert 'name="where" value="a"' in page
    assert f'value="{place.application.name}" selected' in page
