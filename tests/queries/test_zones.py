"""Zones: as they were at the start, counted as the rows say, and as many as fit."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from random import Random

import pytest
from django.db import connection

from deployctl.models import Target, Zones
from deployctl.queries import looks, room, zones
from deployctl.services.zones import MOST_ZONES, OTHERS
from tests.support.fleet import Place, simulated
from tests.support.rooms import Hand

TABLE = "deployctl_zones"

pytestmark = pytest.mark.django_db


def place_in(names: list[str]) -> Place:
    """Return a fleet with a target in each of these zones; "" is none."""
    place = Place(simulated(len(names)))
    for target, name in zip(place.targets, names, strict=True):
        Target.objects.filter(pk=target.pk).update(
            labels={"zone": name} if name else {}
        )
    return place


def test_a_zone_stays_what_it_was_at_the_start() -> None:
    place = place_in(["eu", "us", "", "eu"])
    deployment = place.prepare(batch_size=4)
    assert zones.counted(deployment, "pppp") == {}
    place.start(deployment)
    Target.objects.update(labels={"zone": "moved"})
    Hand(deployment).finish()
    context = room.page(room.deployment(deployment.pk))
    told = [(zone["name"], zone["ok"], zone["total"]) for zone in context["zones"]]
    assert told == [("no zone", 1, 1), ("eu", 2, 2), ("us", 1, 1)]
    cells = {cell["name"]: cell["zone"] for cell in context["grid"]["cells"]}
    assert cells == {"t0": "eu", "t1": "us", "t2": "", "t3": "eu"}


@pytest.mark.parametrize("letters", ["p", "s", "ps", "pppprsf", "sSfFgxXuUrvRVkKPp"])
def test_letters_are_counted_by_zone_as_one_by_one(letters: str) -> None:
    chance = Random(letters)
    deployment = place_in([f"z{n % 5}" for n in range(40)]).deploy(batch_size=10)
    states = "".join(chance.choices(letters, k=40))
    names = zones.at_start(deployment)
    found = zones.counted(deployment, states)
    assert {
        (zone, letter): n
        for zone, counts in found.items()
        for letter, n in counts.items()
    } == Counter(zip(names, states, strict=True))
    spans = [(0, 40), (3, 3), (3, 17)]
    slices = [Counter(states[slice(*span)]) for span in spans]
    assert looks.counted(states, spans) == slices


def test_more_zones_than_anybody_reads_are_one() -> None:
    names = [f"z{n:03}" for n in range(MOST_ZONES)] * 2 + ["rare-1", "rare-2", "a"]
    deployment = place_in(names).deploy(batch_size=10)
    found = zones.counted(deployment, "p" * len(names))
    assert found.pop(OTHERS) == {"p": 3}
    assert set(found) == set(names[:MOST_ZONES])


def test_what_was_started_before_gets_the_zones_that_a_start_would_write() -> None:
    many = [f"z{n:03}" for n in range(MOST_ZONES)] * 2 + ["rare-1", "rare-2"]
    for names in (many, ["eu", "", "us", "eu"], ["", ""]):
        place_in(names).deploy(batch_size=2)
    kept = written(import_module("deployctl.migrations.0015_zones").KEEP)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{kept} EXCEPT SELECT deployment_id, names, places FROM {TABLE}"
        )
        assert cursor.fetchall() == []
        cursor.execute(
            f"SELECT deployment_id, names, places FROM {TABLE} EXCEPT ({kept})"
        )
        assert cursor.fetchall() == []
    assert Zones.objects.count() == 3


def written(keep: str) -> str:
    """Return what is inserted, as a query."""
    before, insert, after = keep.partition(f"INSERT INTO {TABLE}")
    assert insert
    return before + after.partition("\n")[2]
