"""`manage.py doctor`: it finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from deployctl import __version__
from deployctl.launch import Addresses
from deployctl.management.commands import doctor
from deployctl.models import Deployment, Router, Secret, Worker
from deployctl.services import secrets, workers
from tests.services.hands import Hands
from tests.services.slotted import slotted
from tests.services.test_truth import LIES
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)

#: What only the history of each target, or the targets themselves, would tell.
BEYOND = (
    "two rows exchanged, so that every count still holds",
    "a target that fell ill without a fact",
)


def works(kinds: list[str] | None = None) -> None:
    """Let a worker of this version beat."""
    workers.arrive("a host", 7, __version__, kinds)


def execute(statement: str) -> None:
    """Change the tables past the door."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_all_is_well() -> None:
    works(["simulated"])
    place = Place(simulated(3))
    Hands(place.deploy(batch_size=1)).run()
    Worker.objects.exclude(pid=7).delete()
    live = place.deploy("3.0")
    place.prepare("4.0")
    before = live.seq
    said = typed("doctor")
    assert said.code == 0, said.out
    assert f"Worker a host:7, {__version__}: simulated.\n" in said.out
    assert said.out.endswith("Looked into 3 deployments: nothing wrong.\n")
    live.refresh_from_db()
    assert live.seq == before


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie not in BEYOND])
def test_a_lie_in_the_tables_is_found(lie: str) -> None:
    deployment = Place(simulated(6)).deploy(batch_size=2)
    Hands(deployment).claims()
    execute(LIES[lie])
    said = typed("doctor", "--json")
    assert said.code == 1
    (*_, last) = said.records
    found = [each for each in said.records if "finding" in each]
    name = f"Deployment {deployment.pk}: "
    ours = [each for each in found if name in each["finding"]]
    assert ours
    assert "Change nothing by hand." in ours[0]["do"]
    assert last == {"deployments": 1, "findings": len(found), "exit_code": 1}


def test_a_plan_that_is_not_its_hash(superuser_url: str) -> None:
    deployment = Place(simulated(2)).deploy()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
    url = psycopg.conninfo.make_conninfo(superuser_url, dbname=name)
    with psycopg.connect(url) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute(
            "UPDATE deployctl_plan SET content = jsonb_set(content, '{plan,version}',"
            " '\"6.6\"')"
        )
    said = typed("doctor")
    assert said.code == 1
    assert f"WRONG Deployment {deployment.pk}: " in said.out
    assert "its plan does not match the hash under which it is stored." in said.out


def test_that_nobody_works_and_that_a_worker_is_old() -> None:
    assert "WRONG No worker beats." in typed("doctor").out
    works()
    Worker.objects.update(version="0.0.9")
    said = typed("doctor")
    assert said.code == 1
    assert "WRONG Worker a host:7 is of version 0.0.9, this program of" in said.out


def test_a_kind_that_nobody_has() -> None:
    works(["agent"])
    Place(simulated(3))
    said = typed("doctor")
    assert "3 targets of kind simulated, and no worker that beats" in said.out
    assert said.code == 1


def test_a_timer_that_is_overdue_and_what_is_held_at_rest() -> None:
    works()
    deployment = Place(simulated(3)).deploy(batch_size=3)
    Hands(deployment).claims()
    execute("UPDATE deployctl_deployment SET due_at = now() - interval '1 hour'")
    late = f"A timer of deployment {deployment.pk} is due for 3,6"
    assert late in typed("doctor").out
    execute("UPDATE deployctl_deployment SET state = 'failed', open_count = 0")
    said = typed("doctor")
    assert f"Deployment {deployment.pk} is over, and 3 operations" in said.out


def test_what_waits_for_a_person() -> None:
    deployment = Place(simulated(3)).deploy(batch_size=3)
    Hands(deployment).claims()
    execute("UPDATE deployctl_operation SET state = 'unresolved', claimed_by_id = NULL")
    said = typed("doctor")
    waits = f"WRONG Deployment {deployment.pk} waits for a person: 3 operations whose"
    assert waits in said.out
    assert f"what became of them: /deployments/{deployment.pk}/" in said.out


def test_a_router_that_nobody_has_read(tmp_path) -> None:
    place = slotted(1, tmp_path)
    Router.objects.update(serving=None)
    said = typed("doctor")
    assert f"The router of {place.application} in {place.environment} was" in said.out


@pytest.mark.usefixtures("keys")
def test_secrets_that_do_not_open_are_counted() -> None:
    place = Place(simulated(1))
    for name in ("one", "two"):
        secrets.set_secret(name, "swordfish", None, by=place.by)
    Secret.objects.update(sealed=b"0" * 40)
    said = typed("doctor")
    assert "2 secrets cannot be opened: the secret one does not open" in said.out
    assert "swordfish" not in said.out + said.err


def test_it_looks_into_the_newest_unless_all_are_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(doctor, "NEWEST", 1)
    place = Place(simulated(1))
    for version in ("2.0", "3.0", "4.0"):
        Hands(place.deploy(version)).run()
    assert typed("doctor", "--json").records[-1]["deployments"] == 1
    assert typed("doctor", "--json", "--all").records[-1]["deployments"] == 3


def test_it_waits_for_no_lock_and_holds_none(database: Addresses) -> None:
    deployment = Place(simulated(2)).deploy()
    with psycopg.connect(database.app) as other:
        other.execute(
            "SELECT 1 FROM deployctl_deployment WHERE id = %s FOR UPDATE",
            [deployment.pk],
        )
        said = typed("doctor", "--json")
    assert said.records[-1]["deployments"] == 1


def test_tables_that_are_older_than_the_program(superuser_url: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        (name,) = cursor.fetchone()
    url = psycopg.conninfo.make_conninfo(superuser_url, dbname=name)
    newest = "app = 'deployctl' AND name = (SELECT max(name) FROM django_migrations"
    with psycopg.connect(url, autocommit=True) as superuser:
        kept = superuser.execute(
            f"DELETE FROM django_migrations WHERE {newest} WHERE app = 'deployctl')"
            " RETURNING id, app, name, applied"
        ).fetchone()
        assert kept is not None
        try:
            said = typed("doctor")
        finally:
            superuser.execute(
                "INSERT INTO django_migrations VALUES (%s, %s, %s, %s)", kept
            )
    assert said.code == 1
    assert f"WRONG 1 migration not applied: deployctl {kept[2]}." in said.out
    assert "Looked into 0 deployments" in said.out
    assert not Deployment.objects.exists()
