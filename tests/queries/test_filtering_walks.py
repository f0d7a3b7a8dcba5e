"""What words of any frequency cost: one walk by an index at most, and no row read."""

from __future__ import annotations

import re
import time
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployctl.launch import Addresses
from deployctl.models import Deployment
from deployctl.queries import filtering
from deployctl.queries.filtering import Filters, Found
from deployctl.queries.history import PAGE
from tests.services.hands import Hands
from tests.support.fleet import Place, simulated

MANY = 20_000
OLDEST = 1000
#: A place of the table for each two: so a walk that reads rows is seen.
WIDE = 3000

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place() -> Place:
    return Place(simulated(1))


def filled(place: Place, database: Addresses) -> None:
    """Fill the table with wide rows, and reasons with words of every frequency."""
    first = place.prepare("2.0")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO deployctl_deployment
                (application_id, environment_id, version_id, plan_id, strategy, why,
                 created_by_id, created_at, started_at, format, seq, control_version,
                 progress, state, intent, open_count, reason, outcome)
            SELECT application_id, environment_id, version_id, plan_id, 'rolling',
                   'weekly release ' || substr(md5(n::text), 1, 6)
                   || CASE WHEN n %% 4 = 1 THEN ' quarter' ELSE '' END
                   || CASE WHEN n %% 16 = 1 THEN ' sixteenth' ELSE '' END
                   || CASE WHEN n %% 64 = 1 THEN ' seldom' ELSE '' END
                   || CASE WHEN n %% 256 = 1 THEN ' unusual' ELSE '' END
                   || CASE WHEN n <= %s THEN ' ancient' ELSE '' END,
                   created_by_id, now() + n * interval '1 min', now(), 1, 0, 0,
                   to_jsonb((SELECT string_agg(md5((n * i)::text), '')
                               FROM generate_series(1, %s) i)),
                   CASE WHEN n %% 1000 = 5 THEN 'failed' ELSE 'completed' END,
                   0, 0, '', ''
              FROM deployctl_deployment, generate_series(1, %s) n WHERE id = %s
            """,
            [OLDEST, WIDE // 32 // 2, MANY, first.pk],
        )
    # As autovacuum does, which comes when it will. Commits are on disk first: what is
    # not, VACUUM leaves for later.
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SET synchronous_commit = on")
        owner.execute("ANALYZE deployctl_deployment")
        vacuum(owner)


def vacuum(owner: psycopg.Connection) -> None:
    """Vacuum the table, again if something else that reads it hindered that."""
    for _ in range(100):
        owner.execute("VACUUM (INDEX_CLEANUP ON) deployctl_deployment")
        pages = owner.execute(
            "SELECT relallvisible = relpages FROM pg_class"
            " WHERE relname = 'deployctl_deployment'"
        )
        if pages.fetchone() == (True,):
            return
        time.sleep(0.1)
    raise AssertionError("not all of the table can be read by its indexes alone")


ASKED: tuple[tuple[dict[str, str], int | None], ...] = (
    *(({"q": word}, None) for word in ("weekly", "quarter", "sixteenth", "seldom")),
    *(({"q": word}, None) for word in ("unusual", "nowhere", "ancient", "a", "w f")),
    *(({"q": words}, None) for words in ("weekly nowhere", "quarter ancient")),
    ({"q": "quarter"}, OLDEST),
    ({"q": "seldom"}, OLDEST),
    ({"q": "ancient"}, OLDEST),
    ({"q": "quarter", "state": "failed"}, None),
    ({"q": "weekly", "state": "rollback_failed"}, None),
    ({"q": "sixteenth", "application": "A", "environment": "E"}, None),
    ({"q": "weekly", "strategy": "canary"}, None),
    ({"q": "ancient", "since": "2020-01-01"}, None),
    ({"q": "weekly", "until": "2020-01-01"}, None),
    ({"strategy": "canary"}, None),
)


def test_no_word_costs_more_than_one_walk_by_an_index(
    place: Place, database: Addresses
) -> None:
    filled(place, database)
    names = {"A": place.application.name, "E": place.environment.name}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('deployment_history') / 8192")
        (walk,) = cursor.fetchone()
        cursor.execute("SELECT pg_relation_size('deployctl_deployment') / 8192")
        (table,) = cursor.fetchone()
    # What is named and what is shown is read, besides the walk.
    most = walk + 8 * (filtering.MOST_NAMED + PAGE)
    assert table > 2 * most, "no table in which it would be seen"
    for asked, before in ASKED:
        named = {key: names.get(value, value) for key, value in asked.items()}
        with CaptureQueriesContext(connection) as seen:
            Found(Filters(**named)).older(before, PAGE + 1)
        plans = [explained(query["sql"]) for query in seen]
        told = "\n".join((str((asked, before)), *plans))
        assert sum(pages_read(plan) for plan in plans) < most, told
        assert sum(walked(plan) for plan in plans) < MANY + 2 * OLDEST, told
        assert sum(gathered(plan) for plan in plans) < MANY // 10, told


def explained(statement: str) -> str:
    """Return what PostgreSQL did for a statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}")
        return "\n".join(line for (line,) in cursor.fetchall())


def pages_read(plan: str) -> int:
    """Return how many pages were looked into, in the cache or not."""
    top = re.search(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?", plan)
    return sum(int(count or 0) for count in top.groups()) if top else 0


def walked(plan: str) -> int:
    """Return how many rows were looked at and left."""
    return sum(int(left) for left in re.findall(r"Removed by Filter: (\d+)", plan))


def gathered(plan: str) -> int:
    """Return how many rows an index gave that were then put into order."""
    gave = re.findall(r"Bitmap Index Scan.*actual time=\S+ rows=(\d+)", plan)
    return sum(int(count) for count in gave)


def test_a_walk_finds_what_the_index_of_words_finds(
    place: Place, database: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(place, database)
    for asked in ({"q": "unusual"}, {"q": "unus", "state": "completed"}, {"q": "2.0"}):
        monkeypatch.setattr(filtering, "MOST_NAMED", MANY)
        monkeypatch.setattr(filtering, "_USUAL", MANY)
        by_index = [row.pk for row in filtering.listed(Filters(**asked))]
        monkeypatch.setattr(filtering, "MOST_NAMED", 0)
        assert [row.pk for row in filtering.listed(Filters(**asked))] == by_index
        assert len(by_index) >= MANY // 256


@pytest.mark.parametrize("known", [1, 2, 5, 7, 12, 13, 40])
def test_pages_are_the_same_wherever_what_is_known_ends(
    place: Place, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    monkeypatch.setattr(filtering, "MOST_COUNTED", known)
    for number in range(12):
        place.prepare("2.0" if number % 3 else "3.0")
    for asked in ({}, {"q": "3.0"}, {"q": "nowhere"}):
        pks = [row.pk for row in filtering.listed(Filters(**asked))]
        found = Found(Filters(**asked))
        assert found.total == min(known, len(pks))
        assert numbers(found.older(None, 5)) == pks[:5]
        for at in (0, *pks, 10**12):
            for most in (1, 3, 50):
                behind = [pk for pk in pks if pk < at][:most]
                assert numbers(found.older(at, most)) == behind
                newer = [pk for pk in pks[::-1] if pk > at][:most]
                assert numbers(found.newer(at, most)) == newer


def numbers(rows: list[Deployment]) -> list[int]:
    return [row.pk for row in rows]


LETTERS = "abcdefghijklmnopqrstuvwxyz"
PAIRS = [a + b for a in LETTERS for b in LETTERS]
#: PostgreSQL leaves out a word of more bytes.
MOST_OF_A_WORD = 2047
#: Letters of four bytes each.
SIGNS = [chr(0x20000 + number) for number in range(1000)]


@pytest.mark.parametrize(
    "why",
    [
        *(" ".join(PAIRS[:many]) for many in (300, 358, 359, 360, 361, 362, 676)),
        *(" ".join(SIGNS[:many]) for many in (200, 257, 258, 500, 1000)),
        "".join(SIGNS),
        " ".join(f"{a}.{b}/{c}" for a, b, c in zip(*[iter(PAIRS)] * 3, strict=False)),
        " ".join(f"{a}-{b}" for a in PAIRS[:26] for b in PAIRS),
        "-".join(PAIRS),
        "-".join(SIGNS[:50]),
        "/".join(PAIRS),
        " ".join(f"http://{a}.com/{b}?{b}={a}" for a in PAIRS[:99] for b in LETTERS),
        " ".join(f"{a}@{a}.de" for a in PAIRS),
        " ".join(f"1{a}{b}" for a in PAIRS for b in PAIRS[:20]),
        "'" * 5000 + "\\" * 5000,
        "",
    ],
    ids=lambda why: f"{why[:9]}, {len(why)}",
)
def test_no_reason_is_too_long_for_the_index(place: Place, why: str) -> None:
    """And by the words with which it begins it is found, however long it is."""
    made = place.prepare("2.0")
    longest: dict[str, Any] = {
        "strategy": "\U00020000" * 64,
        "state": "rollback_failed",
    }
    row = Deployment.objects.filter(pk=made.pk)
    row.update(why=why, **longest)
    asked = [word for word in why.split()[:5] if word[0].isalnum()]
    is_kept = all(len(word.encode()) < MOST_OF_A_WORD for word in asked)
    assert filtering.listed(Filters(q=" ".join(asked))).exists() is is_kept
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pg_column_size(words)) FROM deployctl_deployment")
        (size,) = cursor.fetchone()
    assert size <= 2260


def test_a_long_reason_is_found_by_its_last_word(place: Place) -> None:
    made = place.prepare("2.0")
    text = " ".join(f"word{number}" for number in range(110))[:990]
    for why in (f"{text} last", f"{text} last " + " ".join(PAIRS)):
        Deployment.objects.filter(pk=made.pk).update(why=why)
        assert filtering.listed(Filters(q="last")).get().pk == made.pk


def test_a_flush_changes_nothing_that_an_index_has(place: Place) -> None:
    """Or each would write to all of them; only where the state changes they do."""
    hands = Hands(Place(simulated(20)).deploy(batch_size=2))
    claims = hands.claims()
    changed: set[str] = set()
    for _ in range(5):
        before = columns(hands.deployment.pk)
        claims = hands.finish(claims).claims
        after = columns(hands.deployment.pk)
        changed |= {name for name in after if after[name] != before[name]}
    assert {"progress", "seq"} <= changed
    assert {"state", "words", "id"} <= indexed()
    assert not changed & indexed()


def columns(pk: int) -> dict[str, Any]:
    """Return a deployment's row as it is stored."""
    return {**Deployment.objects.filter(pk=pk).values().get()}


def indexed() -> set[str]:
    """Return the columns of all indexes that an update in place must not change.

    Also those of a condition or an expression. One of kind BRIN hinders nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT a.attname FROM pg_index i
              JOIN pg_class c ON c.oid = i.indexrelid
              JOIN pg_am m ON m.oid = c.relam AND m.amname <> 'brin'
              JOIN pg_attribute a ON a.attrelid = i.indrelid AND (
                   a.attnum = ANY (i.indkey) OR a.attnum IN (
                    SELECT refobjsubid FROM pg_depend
                     WHERE objid = i.indexrelid AND refobjid = i.indrelid))
             WHERE i.indrelid = 'deployctl_deployment'::regclass AND a.attnum > 0
            """
        )
        return {name for (name,) in cursor.fetchall()}
