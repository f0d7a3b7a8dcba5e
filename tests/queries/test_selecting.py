"""What a query chooses on a real PostgreSQL is what its words say of each target."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deployctl.models import Target
from deployctl.queries.expression import (
    All,
    Either,
    Expression,
    Negation,
    Term,
    parse,
)
from deployctl.queries.selecting import selected
from deployctl.services.fleet import NewTarget
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db

#: Few enough that a query meets them, and strange enough to be misread.
VALUES = ["", "eu", "eu-west", "EU", "e%", "e_", "\\", '"', "a b", "*", "ü", "null"]
NAMES = ["zone", "role", "canary", "name", "version"]


def holds(asked: Expression, target: Target) -> bool:
    """Say what a query means, without a database."""
    match asked:
        case Negation(of):
            return not holds(of, target)
        case All(of):
            return all(holds(each, target) for each in of)
        case Either(of):
            return any(holds(each, target) for each in of)
        case Term(name, True, parts):
            value = target.labels.get(name)
            if parts is None or value is None:
                return value is not None
        case Term(name, _, parts):
            value = has(target)[name] or ""
            if parts is None:
                return value != ""
    pattern = ".*".join(map(re.escape, parts))
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def has(target: Target) -> dict[str, str | None]:
    """Return the fields of a target as queries call them."""
    return {
        "name": target.name,
        "slot": target.slot,
        "version": target.recorded_version,
        "kind": target.driver,
        "health": target.health,
        "disabled": target.disabled_reason,
    }


def made() -> Place:
    """Return a fleet with every pair of strange labels, and some with none."""
    pairs = [{"zone": a, "role": b} for a, b in itertools.product(VALUES, VALUES)]
    alone = [{name: value} for name in NAMES for value in VALUES]
    labels = [{}, *pairs, *alone]
    slots = itertools.cycle([None, "", "blue", "green"])
    return Place(
        NewTarget(
            f"web-{number}",
            "",
            "simulated",
            labels=each,
            slot=next(slots),
            recorded_version=[None, "1.0", "1.0.1", "2_0"][number % 4],
        )
        for number, each in enumerate(labels)
    )


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


VALUE = st.lists(
    st.sampled_from([*map(quoted, VALUES), "*", "eu", "e", "1.0", "web-1", "blue"]),
    min_size=1,
    max_size=3,
).map("".join)
LABELS = st.sampled_from([*NAMES[:3], "label.name", "label.version", "none"])
FIELDS = st.sampled_from(["name", "slot", "version", "kind", "health", "disabled"])
TERMS = st.one_of(
    LABELS,
    st.sampled_from(["slot", "version", "disabled"]),
    st.tuples(LABELS | FIELDS, st.sampled_from(["=", "!=", " != "]), VALUE).map(
        "".join
    ),
)
QUERIES = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        inner.map(lambda each: f"!{each}"),
        inner.map(lambda each: f"({each})"),
        st.tuples(inner, st.sampled_from(["&", " | ", "|"]), inner).map("".join),
    ),
    max_leaves=6,
)


def test_the_database_says_what_the_words_say() -> None:
    place = made()
    targets = list(Target.objects.order_by("name"))

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @example('zone="e_"* | version="1_0"')
    @example('zone="e%"*')
    @example("!(zone=e* | slot=blue)")
    @given(QUERIES)
    def check(text: str) -> None:
        asked = parse(text)
        expected = [target.pk for target in targets if holds(asked, target)]
        assert selected(place.application, place.environment, text) == expected

    check()


def test_only_this_fleet_is_chosen_from_and_only_what_is_there() -> None:
    here, there = Place(simulated(3)), Place(simulated(3))
    Target.objects.filter(pk=here.targets[0].pk).update(removed_at="2026-01-01T00:00Z")
    found = selected(here.application, here.environment, "name=t*")
    assert found == [target.pk for target in here.targets[1:]]
    mixed = selected(here.application, there.environment, "name=t*")
    assert mixed == []


def test_what_looks_like_sql_is_text() -> None:
    place = Place(simulated(1))
    text = """name="'; DROP TABLE deployctl_target; --" | a="%s" | b="%(x)s" """
    assert selected(place.application, place.environment, text) == []
    assert Target.objects.exists()


def test_a_hundred_thousand_targets_are_chosen_from_in_well_under_a_second() -> None:
    place = Place([])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_target (application_id, environment_id, name, address,
                driver, settings, driver_digest, labels, health, fence, looks)
            SELECT %s, %s, 'web-' || n, '', 'simulated', '{}', '',
                   jsonb_build_object('zone', 'eu-' || n %% 10, 'role', 'web'),
                   'healthy', 0, 0
              FROM generate_series(1, 100000) n
            """,
            [place.application.pk, place.environment.pk],
        )
    text = "zone=eu-1 & role=w* & !canary | name=web-9999*"
    begun = time.perf_counter()
    found = selected(place.application, place.environment, text)
    took_seconds = time.perf_counter() - begun
    assert len(found) == 10_000 + 10  # web-9999, web-99990 .. 99999, one in the zone
    assert took_seconds < 1
