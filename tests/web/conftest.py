"""Alice may deploy, Charlie may only look; eight simulated targets in two zones."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deployctl.models import Deployment
from tests.support.fleet import Place, simulated


@pytest.fixture
def place(db: None) -> Place:
    """A fleet of eight at 1.0."""
    return Place(simulated(8))


@pytest.fixture
def alice(db: None) -> Client:
    """The browser of somebody who may deploy."""
    return browser("alice", staff=True)


@pytest.fixture
def charlie(db: None) -> Client:
    """The browser of somebody who may look, and no more."""
    return browser("charlie", staff=False)


def browser(name: str, *, staff: bool) -> Client:
    """Sign a new person in; forms need their token, as in a real browser."""
    client = Client()
    client.force_login(User.objects.create_user(name, is_staff=staff))
    return client


@pytest.fixture
def running(place: Place) -> Deployment:
    """A deployment to 2.0 that has just started: batches of four, one may fail."""
    return place.deploy(batch_size=4, max_failures=1)
