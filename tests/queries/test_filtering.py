"""What lists of deployments find, among how many, and by which index."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployctl.launch import Addresses
from deployctl.models import Deployment
from deployctl.queries import filtering
from deployctl.queries.filtering import Filters
from deployctl.queries.history import newest_of_each_place
from tests.support.fleet import Place, simulated

#: So many of the newest have a word that nobody used before.
NEW = 60

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place() -> Place:
    return Place(simulated(2))


def found(**asked: str) -> list[int]:
    """Return the numbers of what is found, in order."""
    return [row.pk for row in filtering.listed(Filters(**asked))]


def many(place: Place, count: int) -> None:
    """Fill the table: every tenth has a state, a reason or a version of its own."""
    first = place.prepare("2.0", only=[place.targets[0].pk])
    other = place.prepare("rare-3.1", only=[place.targets[1].pk])
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_deployment
                (application_id, environment_id, version_id, plan_id, strategy, why,
                 created_by_id, created_at, started_at, format, seq, control_version,
                 state, intent, open_count, reason, outcome)
            SELECT application_id, environment_id,
                   CASE WHEN n %% 1000 = 7 THEN %s ELSE version_id END, plan_id,
                   'rolling', CASE WHEN n %% 1000 = 3 THEN 'hotfix for 4.18.0, CHG-'||n
                                   WHEN n > %s THEN 'rush, weekly release'
                                   ELSE 'weekly release' END,
                   created_by_id, now() - n * interval '1 hour', now(), 1, 0, 0,
                   CASE WHEN n %% 1000 = 5 THEN 'failed' ELSE 'completed' END,
                   0, 0, '', ''
              FROM deployctl_deployment, generate_series(1, %s) n WHERE id = %s
            """,
            [other.version_id, count - NEW, count, first.pk],
        )


#: What is asked for, with A and E for the place's own names.
ASKED: tuple[dict[str, str], ...] = (
    {},
    {"state": "failed"},
    {"state": "rollback_failed"},
    {"application": "A"},
    {"application": "nobody's"},
    {"environment": "E"},
    {"application": "A", "environment": "E", "state": "failed"},
    {"q": "rare"},
    {"q": "hotfix"},
    {"q": "CHG-3003"},
    {"q": "no such word"},
    {"q": "weekly"},
    {"q": "weekly release"},
    {"q": "rush"},
    {"since": "2020-01-01", "until": "2020-01-02"},
    {"since": "2999-01-01"},
)


def test_no_filter_reads_the_whole_table(place: Place, database: Addresses) -> None:
    resting = Place(simulated(1)).deploy()
    many(place, 20_000)
    # As autovacuum does, which comes when it will.
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE")
    names = {"A": place.application.name, "E": place.environment.name}
    for asked in ASKED:
        named = {key: names.get(value, value) for key, value in asked.items()}
        rows = filtering.listed(Filters(**named))
        for part in (rows[:51], rows.values("pk")[: filtering.MOST_COUNTED]):
            plan = part.explain(analyze=True)
            assert "Seq Scan on deployctl_deployment" not in plan, (asked, plan)
            assert most_read(plan) < 2000, (asked, plan)
    with CaptureQueriesContext(connection) as seen:
        assert resting.pk in newest_of_each_place()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ANALYZE {seen[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert most_read(plan) < 10, plan


def most_read(plan: str) -> int:
    """Return how many rows PostgreSQL found, or left, in one place of its plan."""
    counts = re.findall(r"actual time=\S+ rows=(\d+)|by Filter: (\d+)", plan)
    return max((int(found or left) for found, left in counts), default=0)


def test_each_filter_finds_what_it_says(place: Place) -> None:
    many(place, 3000)
    rows = Deployment.objects.order_by("-pk")
    assert found() == [row.pk for row in rows]
    failed = [row.pk for row in rows if row.state == "failed"]
    assert found(state="failed") == failed
    assert len(failed) == 3
    assert found(application=place.application.name, state="failed") == failed
    assert found(application="somebody else's") == []
    assert found(environment=place.environment.name, state="failed") == failed
    assert len(found(q="rare")) == 4
    assert found(q="3.1") == found(q="rare")
    assert len(found(q="ana")) == 3002
    assert len(found(strategy="rolling")) == 3002
    assert found(strategy="canary") == []


@pytest.mark.parametrize(
    ("q", "count"),
    [
        ("hotfix", 3),
        ("hot", 3),
        ("HOTFIX", 3),
        ("hotfix 4.18", 3),
        ("CHG-2003", 1),
        ("fix", 0),
        ("hotfix weekly", 0),
    ],
)
def test_reasons_are_found_by_how_their_words_begin(
    place: Place, q: str, count: int
) -> None:
    many(place, 3000)
    assert len(found(q=q)) == count


@pytest.mark.parametrize(
    "q",
    [
        *("'", "''", "\\", "\\'", "a'b\\", ":*", "&", "|", "!", "( )", "<->", "%", "_"),
        *("'); DROP TABLE deployctl_event; --", "é" * 200, "a " * 100, "\u202e", "&&&"),
    ],
)
def test_what_people_type_is_never_a_query(place: Place, q: str) -> None:
    place.prepare("2.0")
    assert found(q=q) == []


def test_days_are_whole_and_both_included(place: Place) -> None:
    made = place.prepare("2.0")
    Deployment.objects.filter(pk=made.pk).update(created_at="2026-02-03T23:59:59Z")
    for since, until, is_found in (
        ("2026-02-03", "2026-02-03", True),
        ("2026-02-04", "", False),
        ("", "2026-02-02", False),
        ("2026-02-01", "2026-02-28", True),
        # No days: nothing is asked for.
        ("2026-02-30", "", True),
        ("0000-00-00", "9999-99-99", True),
        ("yesterday", "", True),
        ("", "9999-12-31", True),
    ):
        assert bool(found(since=since, until=until)) is is_found, (since, until)


def test_counting_ends_somewhere(place: Place, monkeypatch: Any) -> None:
    many(place, 30)
    assert filtering.Found(Filters()).total == 32
    monkeypatch.setattr(filtering, "MOST_COUNTED", 10)
    assert filtering.Found(Filters()).total == 10
