"""Canaries, switches, retries and ways back, as pages have them."""

from __future__ import annotations

import pytest
from django.test import Client

from deployctl.models import Deployment
from deployctl.queries import grid, room
from deployctl.queries.batches import batches
from deployctl.queries.plans import course_of, progress_of
from deployctl.queries.staged import RARE, staged
from deployctl.services import versions
from strategies import Candidate, create_strategy
from strategies.outlook import outlook
from strategies.preview import preview
from strategies.sensitivity import Chance, one_in
from strategies.states import OperationState
from tests.services.slotted import started
from tests.strategies.plans import SIGHT
from tests.support.fleet import Place
from tests.support.rooms import Hand
from tests.web.pages import page

S = OperationState


def typed(place: Place, strategy: str, **more: str) -> dict[str, object]:
    """Return what a person typed into the builder."""
    version = versions.register_version(place.application, "2.0", by=place.by)
    return {
        "application": place.application.pk,
        "environment": place.environment.pk,
        "version": version.pk,
        "strategy": strategy,
        **more,
    }


def test_the_preview_of_a_canary_says_what_each_stage_finds(
    place: Place, alice: Client
) -> None:
    data = typed(place, "canary", stages="25, 100", success_threshold="95%")
    text = alice.post("/deployments/preview/", data).content.decode()
    assert 'id="plan-stages"' in text
    assert "<circle" in text
    assert "25 %" in text
    assert "style=" not in text, "the page's policy allows no inline style"


@pytest.mark.parametrize(
    ("strategy", "field", "value", "said"),
    [
        ("canary", "stages", "50, 10", "grow from stage to stage"),
        ("canary", "success_threshold", "2", "must be a part as 0.95"),
        ("blue_green", "retain_seconds", "soon", "must be a number of seconds"),
        ("blue_green", "bake_seconds", "0", "has no router"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    strategy: str, field: str, value: str, said: str, place: Place, alice: Client
) -> None:
    data = typed(place, strategy, **{field: value})
    assert said in alice.post("/deployments/preview/", data).content.decode()


def test_a_bake_counts_the_batches_that_have_begun(place: Place, alice: Client) -> None:
    options = {"stages": "25, 50, 100", "stage_duration_seconds": 600}
    deployment = started(place, "canary", **options)
    hand = Hand(deployment)
    claims = hand.claim()
    assert next_lines(deployment)[:2] == ["Batch 1 of 3.", "It bakes for 600 s."]
    hand.report(claims, S.SUCCEEDED)
    assert counted(deployment) == "1 of 3 done, 2 to come"
    assert next_lines(deployment)[1] == "The next stage begins."
    assert "Cut the wait short" not in page(alice, deployment), "no gate follows"


def next_lines(deployment: Deployment) -> list[str]:
    """Return what the room says that will happen."""
    return [line["what"] for line in room.summary(deployment.pk)["next"]]


def counted(deployment: Deployment) -> str:
    """Return what stands over the table of batches."""
    row = room.deployment(deployment.pk)
    states = grid.letters(row, course_of(row.plan_id))
    return str(batches(row, progress_of(row), states)["says"])


def test_batches_are_counted_as_they_open_and_close(place: Place) -> None:
    deployment = started(place, "rolling", batch_size=3, delay_seconds=600)
    hand = Hand(deployment)
    claims = hand.claim()
    assert counted(deployment) == "0 of 3 done, batch 1 under way, 2 to come"
    hand.report(claims, S.SUCCEEDED)
    assert counted(deployment) == "1 of 3 done, 2 to come", "it waits before the next"
    waits = ["It waits: no target is claimed.", "Batch 2 of 3."]
    assert next_lines(deployment)[:2] == waits
    place.press(deployment, "abort")
    assert counted(deployment) == "1 of 3 done, 2 not finished"


def test_a_long_stage_stops_in_any_of_its_parts(db: None) -> None:
    """The chances of the table's rows and of getting through make a whole."""
    green = [Candidate(str(n), "1.0", slot="green") for n in range(100)]
    done = [Candidate(str(n), "2.0", slot="green") for n in range(100, 110)]
    made = create_strategy("blue_green", batch_size=10, max_failures=3)
    plan = made.plan([*green, *done], "2.0", router=SIGHT)
    told, expected = staged(plan, preview(plan)), outlook(plan, one_in(RARE))
    assert len([s for s in expected.stops if s.stage == 1]) == 10, "it has parts"
    for number, row in enumerate(told["rows"][: len(told["circles"])], 1):
        own = [s.chance for s in expected.stops if s.stage == number]
        summed = sum(chance.numerator for chance in own)
        assert row["stops"] == Chance(summed, own[0].denominator).written()
        assert told["circles"][number - 1]["chance"] == row["stops"]


def test_the_outlook_has_axes_and_says_the_same_in_words(
    place: Place, alice: Client
) -> None:
    data = typed(place, "canary", stages="25, 100", stage_duration_seconds="60")
    text = alice.post("/deployments/preview/", data).content.decode()
    svg = text.split('<svg class="outlook"')[1].split("</svg>")[0]
    assert ">targets</text>" in svg
    assert [f">{n}</text>" in svg for n in (0, 2, 4, 6, 8)] == [True] * 5
    assert "0\u00a0s</text>" in svg
    assert "8 targets in 1\u00a0min" in svg
    assert "Stage 1: stops" in svg


def test_what_failed_is_retried_in_a_linked_deployment(
    place: Place, alice: Client, charlie: Client
) -> None:
    deployment = started(place, "rolling", batch_size=8, delay_seconds=0)
    hand = Hand(deployment)
    claims = hand.claim(8)
    hand.report(claims[:7], S.SUCCEEDED)
    hand.report(claims[7:], S.FAILED)
    deployment.refresh_from_db()
    assert deployment.state == "failed"
    assert "Retry 1 target" in page(alice, deployment)

    path = f"/deployments/{deployment.pk}/follow/"
    data = {"command": "retry", "idempotency_key": "again", "reason": "try"}
    refused = charlie.post(path, data)
    assert refused["Location"] == f"/deployments/{deployment.pk}/"
    answer = alice.post(path, data)
    linked = Deployment.objects.get(parent=deployment)
    assert answer["Location"] == f"/deployments/{linked.pk}/"
    assert alice.post(path, data)["Location"] == answer["Location"], (
        "pressed twice, started once"
    )
    assert linked.operations.count() == 1
    stale = alice.post(path, {**data, "idempotency_key": "stale"}, follow=True)
    said = stale.content.decode()
    assert f"Deployment {linked.pk} by " in said
    assert said.count("Nothing was started") == 1
    here, there = f"/deployments/{deployment.pk}/", f"/deployments/{linked.pk}/"
    assert f'retry of <a class="link" href="{here}"' in page(alice, linked)
    assert f'retry in <a class="link" href="{there}"' in page(alice, deployment)
    listed = alice.get("/deployments/").content.decode()
    assert f'retry of <a class="link" href="{here}"' in listed
    assert f'retry in <a class="link" href="{there}"' in listed
    Hand(linked).finish()
    assert alice.post(path, data)["Location"] == answer["Location"], "also when done"
    assert alice.post(path, {"command": "explode"}).status_code == 404


def test_a_way_back_is_told_from_a_retry(place: Place, alice: Client) -> None:
    versions.register_version(place.application, "1.0", by=place.by)
    deployment = started(place, "rolling", batch_size=8)
    Hand(deployment).finish()
    path = f"/deployments/{deployment.pk}/follow/"
    data = {"command": "take_back", "idempotency_key": "back", "reason": "try"}
    alice.post(path, data)
    linked = Deployment.objects.get(parent=deployment)
    assert "way back of" in page(alice, linked)
    assert "way back in" in page(alice, deployment)
