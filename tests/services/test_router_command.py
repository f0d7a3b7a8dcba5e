"""`manage.py router`: what leads traffic, said and set at a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deployctl.models import Audit, Router
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)

#: What HAProxy's weights need.
WEIGHTS = {"address": "/run/haproxy/admin.sock", "backend": "storefront"}


@pytest.fixture
def place() -> Place:
    return Place(simulated(2))


def router(place: Place, folder: Path, kind: str, settings: Any, *more: str) -> str:
    """Set the place's router; return what was printed."""
    file = folder / "settings.json"
    file.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    where = [place.application.name, "--env", place.environment.name]
    said = io.StringIO()
    call_command(
        *("router", "set", *where, "--kind", kind, "--settings", str(file)),
        *("--by", "ana", *more),
        stdout=said,
    )
    return said.getvalue()


def test_it_is_set_and_said(place: Place, tmp_path: Path) -> None:
    text = router(place, tmp_path, "haproxy-weights", WEIGHTS)
    assert "is set. A worker reads it within seconds." in text
    row = Router.objects.get()
    assert (row.kind, row.slots, row.settings) == ("haproxy-weights", [], WEIGHTS)
    said = io.StringIO()
    call_command("router", "list", stdout=said)
    assert said.getvalue() == f"{row}: haproxy-weights, by weights; now not read yet.\n"
    entry = Audit.objects.latest("pk")
    assert (entry.action, entry.actor) == ("router.added", "ana")


def test_what_was_read_of_another_one_is_forgotten(
    place: Place, tmp_path: Path
) -> None:
    simulated_one = {"file": str(tmp_path / "router.json"), "serving": "blue"}
    router(place, tmp_path, "simulated", simulated_one, "--slots", "blue, green")
    Router.objects.update(serving="blue", observed_at="2026-01-01T00:00:00Z")
    router(place, tmp_path, "haproxy-weights", WEIGHTS)
    row = Router.objects.get()
    assert (row.serving, row.observed_at, row.slots) == (None, None, [])


@pytest.mark.parametrize(
    ("kind", "settings", "more", "says"),
    [
        ("haproxy-weights", {}, [], "address: is needed"),
        ("haproxy-weights", {**WEIGHTS, "colour": 1}, [], "colour: is not a setting"),
        ("haproxy-weights", {**WEIGHTS, "backend": "a b"}, [], "backend: must be"),
        (
            "haproxy-weights",
            WEIGHTS,
            ["--slots", "a,b"],
            "slots: haproxy-weights shares",
        ),
        ("command", {"read": ["/x"], "switch": ["/x"]}, [], "slots: command leads"),
        ("simulated", {"file": "/x", "serving": "a"}, ["--slots", "a"], "two slots"),
        ("simulated", {"file": "/x", "serving": "a"}, ["--slots", "a,a"], "two slots"),
        ("simulated", "{", [], r"settings\.json is no JSON"),
        ("simulated", "[" * 100_000, [], r"settings\.json is no JSON"),
        ("simulated", "[]", [], "must be a JSON object"),
        ("simulated", '{"file": "\\u0000"}', [], "have a NUL"),
        ("haproxy-weights", WEIGHTS, ["--by", "nobody"], "no account nobody"),
        ("simulated", WEIGHTS, ["--settings", "/nowhere"], "/nowhere could not be"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(
    place: Place,
    tmp_path: Path,
    kind: str,
    settings: Any,
    more: list[str],
    says: str,
) -> None:
    with pytest.raises(CommandError, match=says) as refused:
        router(place, tmp_path, kind, settings, *more)
    assert "Nothing was changed." in str(refused.value)
    assert not Router.objects.exists()


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("nowhere", "staging"), "There is no application nowhere"),
        ((None, "nowhere"), "There is no environment nowhere"),
    ],
)
def test_a_place_that_is_not_there(
    place: Place, names: tuple[str | None, str], says: str
) -> None:
    application, environment = names
    where = [application or place.application.name, "--env", environment]
    with pytest.raises(CommandError, match=says):
        call_command("router", "set", *where, "--kind", "simulated")


def test_programs_get_what_is_set(place: Place, tmp_path: Path) -> None:
    router(place, tmp_path, "haproxy-weights", WEIGHTS)
    (record,) = typed("router", "list", "--json").records
    where = place.application.name, place.environment.name
    assert (record["application"], record["environment"]) == where
    assert (record["kind"], record["settings"]) == ("haproxy-weights", WEIGHTS)


def test_under_a_live_deployment_it_stays(place: Place, tmp_path: Path) -> None:
    """Its next switch would be another router's."""
    place.deploy()
    with pytest.raises(CommandError, match=r"deployment \d+ is live there"):
        router(place, tmp_path, "haproxy-weights", WEIGHTS)
    assert not Router.objects.exists()
