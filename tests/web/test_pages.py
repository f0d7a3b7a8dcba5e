"""Every page answers, whoever looks, whatever the address says, and changes nothing."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deployctl.models import Audit, Command, Deployment, Event
from deployctl.services import fleet, versions
from strategies.states import OperationState
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand
from tests.web.conftest import browser

PAGES = [
    "/",
    "/?part=running",
    "/fleet/",
    "/fleet/import/",
    "/fleet/edit/",
    "/versions/",
    "/deployments/",
    "/deployments/new/",
    "/targets/{target}/",
    "/deployments/{id}/",
    "/deployments/{id}/live",
    "/deployments/{id}/live?since=1",
    "/deployments/{id}/actions/",
    "/fleet/?deployment={id}",
    "/fleet/?deployment={id}&batch=1&state=failed",
]
FAILED = OperationState.FAILED
HUGE = "9" * 40
EVIL = '"><script>alert(1)</script>'


def filled(page: str, deployment: Deployment) -> str:
    """Return an address with real ids in it."""
    target = deployment.operations.first()
    assert target is not None
    return page.format(id=deployment.pk, target=target.target_id)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_answers_whoever_may_look(
    page: str, running: Deployment, charlie: Client
) -> None:
    assert charlie.get(filled(page, running)).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_anything_before_signing_in(
    page: str, running: Deployment, client: Client
) -> None:
    answer = client.get(filled(page, running))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("page", PAGES)
def test_looking_changes_nothing(page: str, running: Deployment, alice: Client) -> None:
    tables = Audit, Command, Event, Deployment
    before = [model.objects.count() for model in tables]
    alice.get(filled(page, running))
    assert [model.objects.count() for model in tables] == before
    seq = running.seq
    running.refresh_from_db()
    assert running.seq == seq


@pytest.mark.parametrize("number", ["999999", "999999999999999", HUGE])
@pytest.mark.parametrize(
    "page", ["/targets/{}/", "/deployments/{}/", "/deployments/{}/live"]
)
def test_an_unknown_number_is_not_found(page: str, number: str, alice: Client) -> None:
    assert alice.get(page.format(number)).status_code == 404


@pytest.mark.parametrize(
    "page", ["/fleet/", "/deployments/", "/versions/", "/deployments/new/"]
)
@pytest.mark.parametrize("value", ["\0", HUGE, "-1", "%", EVIL])
def test_no_filter_breaks_a_page(
    page: str, value: str, place: Place, alice: Client
) -> None:
    words = ("q", "application", "environment", "version", "state", "deployment")
    more = ("batch", "position", "page", "before", "part")
    answer = alice.get(page, dict.fromkeys((*words, *more), value))
    assert answer.status_code == 200
    assert EVIL not in answer.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_what_others_wrote_is_shown_as_text(page: str, db: None, alice: Client) -> None:
    targets = simulated(2)
    evil = Place(
        [
            target.__class__(**{**vars(target), "name": f"{EVIL}{n}"})
            for n, target in enumerate(targets)
        ]
    )
    made = versions.register_version(
        evil.application, "2.0", by=evil.by, notes=EVIL, ticket=EVIL
    )
    deployment = evil.deploy(made.version, batch_size=1)
    Deployment.objects.filter(pk=deployment.pk).update(why=EVIL)
    hand = Hand(deployment)
    from_agent = hand.claim()
    evil.press(deployment, "pause", reason=EVIL)
    hand.report(from_agent, FAILED, EVIL)
    answer = alice.get(filled(page, deployment))
    assert "<script>alert(1)" not in answer.content.decode()


def test_the_strip_says_that_no_worker_beats(place: Place, alice: Client) -> None:
    page = alice.get("/fleet/").content.decode()
    assert "No worker beats, none ever has." in page
    assert alice.get("/readyz").status_code == 503


def test_the_strip_is_quiet_while_one_beats(running: Deployment, alice: Client) -> None:
    Hand(running)
    assert "No worker beats" not in alice.get("/fleet/").content.decode()
    assert alice.get("/readyz").status_code == 200


def test_next_stays_on_this_site(db: None) -> None:
    client = browser("dora", staff=False)
    answer = client.get("/sign-in/?next=https://evil.example/")
    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_signing_out_is_a_post(alice: Client) -> None:
    assert alice.get("/sign-out/").status_code == 405
    assert alice.post("/sign-out/").status_code == 302
    assert alice.get("/").status_code == 302


def test_history_pages_back(place: Place, alice: Client) -> None:
    for _ in range(2):
        place.prepare()
    page = alice.get("/deployments/").content.decode()
    assert "2\u00a0deployments" in page


def test_a_deployment_with_nothing_to_do_says_so(place: Place, alice: Client) -> None:
    deployment = place.deploy("1.0")
    page = alice.get(f"/deployments/{deployment.pk}/").content.decode()
    assert "Nothing to do" in page
    page = alice.get(f"/fleet/?deployment={deployment.pk}").content.decode()
    assert "No target here" in page


def test_withdrawing_is_offered_to_those_who_may(
    place: Place, alice: Client, charlie: Client
) -> None:
    made = versions.register_version(place.application, "2.0", by=place.by)
    path = f"/versions/{made.pk}/withdraw/"
    assert path in alice.get("/versions/").content.decode()
    assert path not in charlie.get("/versions/").content.decode()


def test_the_first_steps_follow_each_other(alice: Client) -> None:
    """Each is ticked when it is done, and only what can be done now has a button."""

    def steps() -> tuple[int, list[str]]:
        page = alice.get("/").content.decode()
        part = page.partition("The first steps")[2].partition("</ul>")[0]
        urls = ("/fleet/places/", "/fleet/import/", "/versions/", "/deployments/new/")
        return part.count("is-ok"), [u for u in urls if f'href="{u}"' in part]

    assert steps() == (0, ["/fleet/places/"])
    bring = alice.get("/fleet/import/").content.decode()
    assert "There is no place for them yet" in bring
    place = Place([])
    bring = alice.get("/fleet/import/").content.decode()
    assert "What would be done appears here" in bring
    assert steps() == (1, ["/fleet/import/", "/versions/"])
    where = place.application, place.environment
    fleet.add_targets(*where, simulated(1), by=place.by)
    assert steps() == (2, ["/versions/"])
    versions.register_version(place.application, "2.0", by=place.by)
    assert steps() == (3, ["/deployments/new/"])
    place.deploy()
    assert "The first steps" not in alice.get("/").content.decode()


@pytest.mark.parametrize(
    ("page", "times"), [("/", 1), ("/versions/", 1), ("/?part=running", 0)]
)
def test_what_needs_somebody_is_asked_once(
    page: str, times: int, place: Place, alice: Client
) -> None:
    place.press(place.deploy(), "pause")
    with CaptureQueriesContext(connection) as asked:
        text = alice.get(page).content.decode()
    found = [each for each in asked if "CROSS JOIN LATERAL" in each["sql"]]
    assert len(found) == times
    assert text.count("paused in") == (2 if page == "/" else times)
