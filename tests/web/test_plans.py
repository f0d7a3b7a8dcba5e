"""A frozen plan by its hash: its page, its file, another one beside it, one like it."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from deployctl.models import Deployment, Plan, Version
from strategies import wire
from tests.services.slotted import prepare, started
from tests.support.fleet import Place
from tests.support.rooms import Hand
from tests.web.pages import page


def shown(client: Client, made: Deployment, query: str = "") -> str:
    """Return the page of a deployment's plan."""
    answer = client.get(f"/plans/{made.plan_id}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_plan_has_an_address_that_its_room_links_to(
    place: Place, alice: Client
) -> None:
    made = place.deploy("2.0", batch_size=4, max_failures=1)
    assert f'href="/plans/{made.plan_id}/"' in page(alice, made)
    text = shown(alice, made)
    assert made.plan_id in text
    assert "frozen" in text
    assert "by ana" in text
    assert f"#{made.pk}</a>" in text
    assert "<dt>max failures</dt>" in text
    assert "<dt>min healthy seconds</dt>" in text


def test_no_option_is_left_out_for_being_nothing(place: Place, alice: Client) -> None:
    text = shown(alice, place.deploy("2.0", max_failures=0, window=False))
    for name, value in (("max failures", "0"), ("retries", "0"), ("window", "no")):
        said = text.split(f"<dt>{name}</dt>")[1].split("<dd>")[1]
        assert said.split("</dd>")[0] == value, name


def test_it_is_shown_as_it_was_whatever_has_become_of_the_fleet(
    place: Place, alice: Client
) -> None:
    made = place.deploy("2.0", batch_size=8)
    before = shown(alice, made).split('id="plan"')[1].split("</table>")[0]
    Hand(made).finish()
    after = shown(alice, made).split('id="plan"')[1].split("</table>")[0]
    assert before == after
    assert "completed" in shown(alice, made).lower()


def test_the_file_is_the_plan_and_gives_its_hash(place: Place, alice: Client) -> None:
    made = place.prepare("2.0")
    answer = alice.get(f"/plans/{made.plan_id}.json")
    assert answer["Content-Disposition"].startswith("attachment")
    plan = wire.load_plan(json.loads(answer.content))
    assert plan.hash == made.plan_id


def test_two_plans_beside_each_other(place: Place, alice: Client) -> None:
    one = place.prepare("2.0", batch_size=4)
    options = {"batch_size": 2, "window": True, "max_failure_percent": "10"}
    other = place.prepare("2.1", only=[t.pk for t in place.targets[:6]], **options)
    text = shown(alice, other, f"?against={one.plan_id[:12]}")
    assert "Version 2.1: was 2.0." in text
    assert "Batch size: 4, now 2." in text
    assert "Window: no, now yes." in text
    assert "Max failure percent: left out, now 10." in text
    assert "no longer there" in text
    same = shown(alice, one, f"?against={one.plan_id}")
    assert "Nothing differs" in same


@pytest.mark.parametrize(
    "other", ["x", "0" * 64, "abcdef", "%00", "' OR 1=1", "A" * 64, "%", "é"]
)
def test_a_plan_that_is_none(place: Place, alice: Client, other: str) -> None:
    made = place.prepare("2.0")
    text = alice.get(f"/plans/{made.plan_id}/", {"against": other}).content.decode()
    assert "No plan" in text
    assert "plan-differences" not in text


def test_more_of_an_ambiguous_hash_is_asked_for(place: Place, alice: Client) -> None:
    made = place.prepare("2.0")
    row = Plan.objects.get(pk=made.plan_id)
    near = made.plan_id[:-1] + ("0" if made.plan_id[-1] != "0" else "1")
    Plan.objects.create(
        hash=near, content=row.content, course=row.course, created_by=row.created_by
    )
    assert "give more of it" in shown(alice, made, f"?against={near[:20]}")


@pytest.mark.parametrize("path", ["0" * 64 + "/", "0" * 64 + ".json", "0" * 63 + "/"])
def test_an_address_that_no_plan_has(alice: Client, path: str) -> None:
    assert alice.get(f"/plans/{path}").status_code == 404


def test_who_is_not_signed_in_sees_no_plan(place: Place) -> None:
    made = place.prepare("2.0")
    for path in (f"/plans/{made.plan_id}/", f"/plans/{made.plan_id}.json"):
        assert Client().get(path).status_code == 302


def test_one_like_it_begins_with_what_was_typed(place: Place, alice: Client) -> None:
    options = {"stages": "25, 100", "gates": True, "success_threshold": "90%"}
    made = started(place, "canary", stage_duration_seconds=7, **options)
    text = alice.get(f"/deployments/new/?like={made.pk}").content.decode()
    for said in ('value="25, 100"', 'value="7"', 'value="90%"'):
        assert said in text
    assert 'name="strategy" value="canary" checked' in text
    assert f'<option value="{made.version_id}" selected' in text


def test_what_was_left_out_stays_empty(place: Place, alice: Client) -> None:
    made = prepare(place, "rolling", parallelism=None, window=True)
    text = alice.get(f"/deployments/new/?like={made.pk}").content.decode()
    field = text.split('name="parallelism"')[0].rsplit("<input", 1)[1]
    assert "value=" not in field
    assert 'name="window" value="yes" checked' in text


def test_a_withdrawn_version_is_not_proposed_again(place: Place, alice: Client) -> None:
    made = place.prepare("2.0")
    Version.objects.filter(pk=made.version_id).update(withdrawn_at="2026-01-01T00:00Z")
    text = alice.get(f"/deployments/new/?like={made.pk}").content.decode()
    offered = text.partition('<select class="form-select" id="id_version"')[2]
    offered, end, _ = offered.partition("</select>")
    assert end, "there is a field for it"
    assert f'<option value="{made.version_id}"' not in offered


@pytest.mark.parametrize("like", ["0", "999999999", "x", "", "-1"])
def test_like_nothing_is_an_empty_builder(
    place: Place, alice: Client, like: str
) -> None:
    assert alice.get(f"/deployments/new/?like={like}").status_code == 200
