"""Behind a TLS proxy: whose pages may post here, as ALLOWED_HOSTS says it."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from deployctl import environment


def posts(settings: Settings, allowed: list[str], host: str, origin: str) -> int:
    """Post the sign-in form from a page of this origin; return the status."""
    settings.ALLOWED_HOSTS = allowed
    settings.CSRF_TRUSTED_ORIGINS = environment.origins(allowed)
    client = Client(enforce_csrf_checks=True, headers={"host": host})
    token = client.get("/sign-in/").cookies["csrftoken"].value
    data = {"csrfmiddlewaretoken": token, "username": "nobody", "password": "x"}
    return client.post("/sign-in/", data, headers={"origin": origin}).status_code


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("allowed", "host", "origin"),
    [
        ("deploy.example.com", "deploy.example.com", "https://deploy.example.com"),
        (".example.com", "deploy.example.com", "https://deploy.example.com"),
        (".example.com", "example.com", "https://example.com"),
        (".example.com", "a.b.example.com", "https://a.b.example.com"),
    ],
)
def test_our_own_pages_may_post(
    settings: Settings, allowed: str, host: str, origin: str
) -> None:
    assert (
        posts(settings, [allowed], host, origin) == 422
    )  # Let in, and no such person.


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("allowed", "host", "origin"),
    [
        (".example.com", "deploy.example.com", "https://evil.test"),
        (".example.com", "deploy.example.com", "https://evilexample.com"),
        ("deploy.example.com", "deploy.example.com", "https://other.example.com"),
        ("*", "deploy.example.com", "https://evil.test"),
    ],
)
def test_pages_of_others_may_not(
    settings: Settings, allowed: str, host: str, origin: str
) -> None:
    assert posts(settings, [allowed], host, origin) == 403
