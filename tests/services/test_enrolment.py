"""Host keys are pinned by people, with an entry, and never under a live deployment."""

from __future__ import annotations

import pytest

from deployctl.models import Audit, Target
from deployctl.services import enrolment, fleet
from deployctl.services.enrolment import Refused, Seen
from deployctl.services.fleet import InUse, NewTarget
from deployctl.services.people import NotAllowed
from tests.support.fleet import Place, person

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "ssh://me@web-1"
FIRST = Seen("ssh-ed25519 AAAA", "SHA256:one", ADDRESS)
OTHER = Seen("ssh-ed25519 BBBB", "SHA256:two", ADDRESS)


@pytest.fixture
def place() -> Place:
    settings = {"key": "k"}
    return Place([NewTarget("web-1", ADDRESS, "ssh", settings, recorded_version="1.0")])


def settings(place: Place) -> object:
    return Target.objects.get(pk=place.targets[0].pk).settings


def test_a_key_is_pinned_beside_the_other_settings_and_entered(place: Place) -> None:
    (target,) = place.targets
    assert enrolment.pin_host_key(target, FIRST, by=place.by)
    assert settings(place) == {"key": "k", "host_key": FIRST.line}
    assert Target.objects.get(pk=target.pk).driver_digest != target.driver_digest
    entry = Audit.objects.get(action="target.enrolled")
    assert (entry.actor, entry.before) == (place.by.label, {"host_key": None})
    assert entry.after == {"host_key": FIRST.line, "fingerprint": "SHA256:one"}


def test_the_same_key_again_changes_nothing(place: Place) -> None:
    (target,) = place.targets
    enrolment.pin_host_key(target, FIRST, by=place.by)
    assert not enrolment.pin_host_key(target, FIRST, by=place.by)
    assert Audit.objects.filter(action="target.enrolled").count() == 1


def test_another_key_needs_a_word_more(place: Place) -> None:
    (target,) = place.targets
    enrolment.pin_host_key(target, FIRST, by=place.by)
    with pytest.raises(Refused, match="say --replace"):
        enrolment.pin_host_key(target, OTHER, by=place.by)
    assert settings(place) == {"key": "k", "host_key": FIRST.line}
    assert enrolment.pin_host_key(target, OTHER, by=place.by, replace=True)
    assert settings(place) == {"key": "k", "host_key": OTHER.line}


def test_a_key_seen_elsewhere_is_not_pinned(place: Place) -> None:
    """The target was moved while the person compared fingerprints."""
    where = place.application, place.environment
    fleet.move_targets(*where, {"web-1": "ssh://me@web-9"}, by=place.by)
    with pytest.raises(Refused, match="is at ssh://me@web-9 by now"):
        enrolment.pin_host_key(place.targets[0], FIRST, by=place.by)
    assert settings(place) == {"key": "k"}


def test_not_under_a_live_deployment(place: Place) -> None:
    place.deploy()
    with pytest.raises(InUse):
        enrolment.pin_host_key(place.targets[0], FIRST, by=place.by)
    assert settings(place) == {"key": "k"}


def test_who_may_only_look_pins_nothing(place: Place) -> None:
    with pytest.raises(NotAllowed):
        enrolment.pin_host_key(
            place.targets[0], FIRST, by=person("charlie", staff=False)
        )
    assert settings(place) == {"key": "k"}
