"""Guessing passwords: slowed down for a name, an address, both; never for good."""

from __future__ import annotations

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from deployctl.models import Attempts
from deployctl.services import attempts
from deployctl.web.throttle import MOST_FOR_A_NAME, MOST_FROM_AN_ADDRESS, MOST_HERE
from tests.services.hands import Beside

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def alice() -> User:
    """Somebody with a password."""
    return User.objects.create_user("alice", password=PASSWORD)


def guess(name: str = "alice", address: str = "192.0.2.1", word: str = "x") -> int:
    """Try to sign in as a new visitor; return the status."""
    data = {"username": name, "password": word}
    return Client(REMOTE_ADDR=address).post("/sign-in/", data).status_code


def pass_by(seconds: float) -> None:
    """Make all that was counted so much older."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deployctl_attempts SET since = since - make_interval(secs => %s)",
            [seconds],
        )


def test_guesses_from_one_place_are_eight() -> None:
    said = Counter(guess() for _ in range(100))
    assert said == {422: MOST_HERE, 429: 100 - MOST_HERE}
    assert guess(word=PASSWORD) == 429
    assert guess(address="192.0.2.2", word=PASSWORD) == 302, (
        "one place locks nobody out"
    )


def test_guesses_for_one_name_from_everywhere_are_few() -> None:
    said = Counter(guess(address=f"10.0.{n // 250}.{n % 250}") for n in range(200))
    assert said == {422: MOST_FOR_A_NAME, 429: 200 - MOST_FOR_A_NAME}
    assert guess("bob") == 422


def test_guesses_from_one_address_at_all_names_are_few() -> None:
    said = Counter(guess(f"user{n}") for n in range(200))
    assert said == {422: MOST_FROM_AN_ADDRESS, 429: 200 - MOST_FROM_AN_ADDRESS}
    assert guess(address="192.0.2.2", word=PASSWORD) == 302


@pytest.mark.parametrize("name", ["ALICE", " alice ", "\uff41lice"])
def test_another_spelling_is_no_other_name(name: str) -> None:
    for _ in range(MOST_HERE):
        guess()
    assert guess(name) == 429


def test_a_neighbour_in_the_same_network_is_no_other_address() -> None:
    said = [guess(address=f"2001:db8::{n:x}") for n in range(1, MOST_HERE + 2)]
    assert said == [422] * MOST_HERE + [429]
    assert guess(address="2001:db8:0:1::1") == 422


def test_it_says_when_to_come_back_and_then_lets_in() -> None:
    for _ in range(MOST_HERE):
        guess()
    pass_by(200)
    answer = Client(REMOTE_ADDR="192.0.2.1").post("/sign-in/", {"username": "alice"})
    assert answer.status_code == 429
    assert 90 <= int(answer["Retry-After"]) <= 100
    assert "Wait 2 minutes" in answer.content.decode()
    for _ in range(20):
        guess()  # Asking on and on makes no wait longer.
    pass_by(101)
    assert guess(word=PASSWORD) == 302


def test_who_knows_the_password_is_not_counted() -> None:
    assert {guess(word=PASSWORD) for _ in range(MOST_HERE * 3)} == {302}


def test_many_at_once_are_not_more() -> None:
    guessing = [Beside(guess) for _ in range(40)]
    said = Counter(each.get(30) for each in guessing)
    assert said == {422: MOST_HERE, 429: 40 - MOST_HERE}


def test_what_is_old_is_deleted_and_no_name_is_kept() -> None:
    guess("my password by mistake")
    assert not Attempts.objects.filter(key__contains="password").exists()
    assert Attempts.objects.count() == 3
    pass_by(attempts.WINDOW_SECONDS + 1)
    guess("bob", "192.0.2.9")
    assert Attempts.objects.count() == 3
