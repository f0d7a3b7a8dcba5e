"""The checks themselves: each kind of lie in the tables must be found out."""

from __future__ import annotations

import psycopg
import pytest
from django.db import InternalError, ProgrammingError, connection, transaction

from deployctl.launch import Addresses
from deployctl.models import Deployment
from deployctl.queries import invariants
from tests.services.hands import Beside, Hands
from tests.support import truth
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)

LIES = {
    "a row moved without a fact": """UPDATE deployctl_operation SET state = 'succeeded'
        WHERE id = (SELECT max(id) FROM deployctl_operation)""",
    "two rows exchanged, so that every count still holds": """UPDATE deployctl_operation
        SET state = CASE state WHEN 'pending' THEN 'running' ELSE 'pending' END,
            claimed_by_id = NULL WHERE position IN (0, 5)""",
    "a tally moved without a row": """UPDATE deployctl_deployment SET progress =
        jsonb_set(progress, '{whole,pending}', '3')""",
    "a budget that no event tells of": """UPDATE deployctl_deployment SET progress =
        jsonb_set(progress, '{claims}', '7')""",
    "a target that fell ill without a fact": """UPDATE deployctl_target
        SET health = 'unhealthy' WHERE name = 't5'""",
    "a column that is not the progress": """UPDATE deployctl_deployment
        SET open_count = 1""",
    "a number without an event": "UPDATE deployctl_deployment SET seq = seq + 1",
    "an event that nobody folded": """INSERT INTO deployctl_event
        (deployment_id, seq, kind, payload, at)
        SELECT deployment_id, seq + 1, kind, payload, at FROM deployctl_event
         ORDER BY seq DESC LIMIT 1""",
}


@pytest.mark.parametrize("lie", LIES)
def test_control_a_lie_is_found(lie: str) -> None:
    deployment = Place(simulated(6)).deploy(batch_size=2)
    Hands(deployment).claims()
    with connection.cursor() as cursor:
        cursor.execute(LIES[lie])
    with pytest.raises((AssertionError, KeyError)):
        truth.check(deployment.pk)


def test_a_snapshot_sees_one_moment_and_writes_nothing() -> None:
    place = Place(simulated(2))
    deployment = place.deploy()
    with (
        pytest.raises(InternalError, match="read-only transaction"),
        invariants.snapshot(),
    ):
        Deployment.objects.update(why="looked at")
    with invariants.snapshot():
        before = Deployment.objects.get(pk=deployment.pk).seq
        Beside(lambda: place.press(deployment, "pause")).get()
        assert Deployment.objects.get(pk=deployment.pk).seq == before


@pytest.mark.parametrize("table", ["plan", "event", "audit"])
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"],
)
def test_what_happened_cannot_be_changed(
    table: str, statement: str, database: Addresses
) -> None:
    Hands(Place(simulated(2)).deploy()).run()
    name = f"deployctl_{table}"
    column = {"plan": "hash", "event": "kind", "audit": "actor"}[table]
    words = statement.format(name, column, column)
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(words)
    with (
        psycopg.connect(database.owner) as owner,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="is insert only"),
    ):
        owner.execute(words)


def test_nothing_rests_while_something_is_open() -> None:
    deployment = Place(simulated(2)).deploy()
    Hands(deployment).claims()
    with (
        pytest.raises(Exception, match="no_rest_while_open"),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE deployctl_deployment SET state = 'failed'")
