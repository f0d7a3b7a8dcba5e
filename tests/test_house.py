"""The database that tests get: the application's rights on a migrated copy."""

from __future__ import annotations

import os

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, transaction
from django.test import Client


@pytest.mark.django_db
def test_tests_connect_as_the_application() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolcreatedb, rolcreaterole"
            " FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == ("deployctl_app", False, False, False)


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["plan", "zones", "event", "audit"])
@pytest.mark.parametrize(
    "statement", ["TRUNCATE {}", "DELETE FROM {}", "UPDATE {} SET {} = DEFAULT"]
)
def test_the_application_cannot_rewrite_what_happened(
    table: str, statement: str
) -> None:
    column = {"plan": "hash", "zones": "names", "event": "seq", "audit": "id"}[table]
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement.format(f"deployctl_{table}", column))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_each_transactional_test_finds_an_empty_database(turn: int) -> None:
    """Runs twice: the second finds what the first left, if anything is left."""
    users = get_user_model().objects
    assert not users.exists()
    assert ContentType.objects.exists()
    users.create(username="ada")


@pytest.mark.django_db
def test_no_table_changes_without_a_migration() -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
        cursor.execute("CREATE TABLE extra (id int)")


def test_healthz_answers_without_a_sign_in() -> None:
    answer = Client().get("/healthz")
    assert answer.status_code == 200
    assert answer.content == b"ok\n"


def test_pages_carry_the_policy_against_foreign_scripts() -> None:
    policy = Client().get("/healthz").headers["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in policy


@pytest.mark.serial
def test_serial_tests_are_in_a_group(request: pytest.FixtureRequest) -> None:
    """Else they run beside each other, and only a failure now and then says so."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@others")
