"""What a flush reads and writes: rows by their ids, and into no index without need.

All this holds of a fleet that is new, of which PostgreSQL has no statistics yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import sub
from typing import NamedTuple

import pytest
from django.conf import settings
from django.db import connection

from deployctl import environment
from tests.services.hands import Hands, said
from tests.support import truth
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)

#: So many pages that to read all of them costs more than to find a few rows.
TARGETS, AT_ONCE, ROUNDS = 2000, 40, 8
TABLES = ("deployctl_target", "deployctl_operation")


@pytest.fixture
def as_a_worker(transactional_db: None) -> Iterator[None]:
    """Connect as a worker does."""
    given, timing = connection.settings_dict["OPTIONS"], settings.ENGINE
    lock_seconds = timing.lock_timeout_seconds
    connection.close()
    connection.settings_dict["OPTIONS"] = environment.of_worker(
        given, lock_seconds=lock_seconds
    )
    yield
    connection.close()
    connection.settings_dict["OPTIONS"] = given


class Counts(NamedTuple):
    """What a table took: rows read one after the other, updates, those in place."""

    read: int
    updated: int
    in_place: int


def counted(table: str) -> Counts:
    """Return what a table took until now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            """SELECT seq_tup_read, n_tup_upd, n_tup_hot_upd
                 FROM pg_stat_user_tables WHERE relname = %s""",
            [table],
        )
        return Counts(*cursor.fetchone())


@pytest.fixture
def took(as_a_worker: None) -> dict[str, Counts]:
    """Flush some full windows of a new fleet; return what each table took."""
    hands = Hands(Place(simulated(TARGETS)).deploy(batch_size=AT_ONCE, window=True))
    claims = hands.flush(places=AT_ONCE, check=False).claims
    before = {table: counted(table) for table in TABLES}
    for _ in range(ROUNDS):
        reports = [said(claim) for claim in claims]
        claims = hands.flush(*reports, places=AT_ONCE, check=False).claims
        assert len(claims) == AT_ONCE
    after = {table: counted(table) for table in TABLES}
    truth.check(hands.deployment.pk)
    return {table: Counts(*map(sub, after[table], before[table])) for table in TABLES}


def test_no_flush_reads_a_whole_table(took: dict[str, Counts]) -> None:
    assert [took[table].read for table in TABLES] == [0, 0]


def test_a_target_is_claimed_and_settled_in_its_place(
    took: dict[str, Counts],
) -> None:
    targets = took["deployctl_target"]
    assert targets.updated == 2 * ROUNDS * AT_ONCE
    assert targets.in_place == targets.updated
