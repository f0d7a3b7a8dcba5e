"""What cannot be done as things are: refused alike in a browser and at a terminal.

Each row makes the world so that it is refused, and names the sentence that says what to
do; a row is what both are asked for, and what each must say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployctl.models import Deployment, Router, Target
from deployctl.services import versions
from tests.badinput.answers import refusals
from tests.badinput.forms import building
from tests.badinput.watching import fingerprint, listening, undone
from tests.badinput.world import World
from tests.terminal.typing import typed


@dataclass(frozen=True)
class Refusal:
    """What makes it refused, what is asked for, and what both must say."""

    says: str
    makes: Callable[[World], None] = lambda _: None
    options: dict[str, str] = field(default_factory=dict)
    where: str = ""
    strategy: str = "rolling"
    #: Where the browser does not even offer it, its own sentence.
    browser_says: str = ""
    #: Whether it comes about between the look and the start.
    is_late: bool = False


def withdrawn(world: World) -> None:
    versions.withdraw_version(world.version.pk, by=world.free.by, reason="it burns")


def keep_idle(world: World) -> None:
    until = timezone.now() + timedelta(hours=1)
    Router.objects.update(retained_slot="green", retain_until=until)


def move_router(world: World) -> None:
    Router.objects.update(serving="green")


def no_targets(world: World) -> None:
    now = timezone.now()
    Target.objects.filter(application=world.free.application).update(removed_at=now)


REFUSALS = {
    "an impossible floor": Refusal(
        "100% of 4 targets leaves none to change; 3 at most",
        options={"min_healthy": "100%"},
    ),
    "a floor above the fleet": Refusal(
        "only 4 targets are selected, so 9 cannot stay available; 3 at most",
        options={"min_healthy": "9"},
    ),
    "an unknown version": Refusal(
        "has no version 9.9; there are 2.0. `manage.py version register` adds one.",
        browser_says="There is no such version to deploy: it was withdrawn, or belongs"
        " to another application. Choose one of the list, or register it.",
    ),
    "a withdrawn version": Refusal(
        "Version 2.0 was withdrawn: it burns. Choose another version.",
        withdrawn,
        browser_says="it was withdrawn, or belongs to another application. Choose one",
    ),
    "an empty selection": Refusal(
        "like that, so there is nothing to plan. Change the query, or leave it empty",
        where="name=nobody",
    ),
    "an empty fleet": Refusal("no target is selected", no_targets),
    "an idle slot that is kept": Refusal(
        "kept as it is so that traffic can return to it; end its retention to change",
        keep_idle,
        strategy="blue_green",
    ),
    "a router that moved": Refusal(
        "Look at it with --plan.",
        move_router,
        strategy="blue_green",
        browser_says="Traffic goes to green: was blue.",
        is_late=True,
    ),
}


def asked(world: World, row: str, refusal: Refusal) -> tuple[dict[str, Any], list[str]]:
    """Return what a person sends from the builder, and what they type."""
    unknown = row == "an unknown version"
    data = {
        **building(world, world.alice),
        **refusal.options,
        "where": refusal.where,
        "strategy": refusal.strategy,
        "start": "1",
        **({"version": 10**9} if unknown else {}),
    }
    place = world.free.application.name, world.free.environment.name
    words = ["deploy", place[0], "9.9" if unknown else "2.0", "--env", place[1]]
    words += ["--by", "alice", "--strategy", refusal.strategy]
    words += [w for name, v in refusal.options.items() for w in ("-o", f"{name}={v}")]
    words += ["--where", refusal.where] if refusal.where else []
    return data, words


@pytest.mark.parametrize("row", REFUSALS)
def test_what_cannot_be_is_refused_alike(row: str, world: World) -> None:
    refusal = REFUSALS[row]
    with undone(), listening() as watch:
        data, words = asked(world, row, refusal)
        if refusal.is_late:
            seen = look(world, data)
            words += ["--hash", seen["plan_hash"]]
            data.update(seen)
        refusal.makes(world)
        before = fingerprint()
        answer = world.alice.post("/deployments/new/", data)
        said = " ".join(refusals(answer))
        assert answer.status_code in (409, 422)
        assert (refusal.browser_says or refusal.says) in said
        typed_says = typed(*words)
        assert (typed_says.code, typed_says.out) == (1, "")
        assert refusal.says in typed_says.err
        assert "Nothing was" in typed_says.err
        assert fingerprint() == before
    assert watch.wrong == []


def look(world: World, data: dict[str, Any]) -> dict[str, str]:
    """Look at the plan, and return what its page sends back."""
    plan = world.alice.post("/deployments/preview/", data).context["plan"]
    return {"plan_hash": plan["hash"], "plan_sketch": plan["sketch"]}


def test_one_that_is_live_is_named_and_led_to(world: World) -> None:
    """Who, since when, and a way there, for the builder, a return and a terminal."""
    with undone():
        row = world.free.deploy("2.0")
        row.refresh_from_db()
        data, words = asked(world, "", Refusal(""))
        answer = world.alice.post("/deployments/new/", {**data, **look(world, data)})
        who = f"Deployment {row.pk} by ana is live in {row.environment} since"
        assert f"{who} {row.started_at:%Y-%m-%d %H:%M} UTC" in refusals(answer)[0]
        assert (
            f'<a class="link" href="/deployments/{row.pk}/">' in answer.content.decode()
        )
        said = typed(*words)
        assert who in said.err
        assert f"/deployments/{row.pk}/" in said.err
        assert Deployment.objects.filter(application=row.application).count() == 1
