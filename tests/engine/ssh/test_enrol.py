"""`manage.py enrol` against a real host: it shows, asks, and pins what was accepted."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from deployctl.engine.ssh import fingerprint
from deployctl.models import Target
from deployctl.services import fleet
from deployctl.services.fleet import NewTarget
from tests.support.fleet import Place
from tests.support.sshd import KEY, Sshd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]


@pytest.fixture
def place(sshd: Sshd) -> Place:
    return Place([NewTarget("web-1", sshd.address, "ssh", {"key": KEY})])


def pinned(place: Place) -> str | None:
    found = Target.objects.get(pk=place.targets[0].pk).settings.get("host_key")
    return None if found is None else str(found)


def enrol(*words: str) -> str:
    said = io.StringIO()
    call_command("enrol", "web-1", "--by", "ana", *words, stdout=said)
    return said.getvalue()


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_it_shows_asks_and_pins(
    place: Place, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, "y\n")
    said = enrol()
    assert f"web-1 has ssh-ed25519 {fingerprint(sshd.host_key)}" in said
    assert "is pinned for web-1" in said
    assert pinned(place) == sshd.host_key


@pytest.mark.parametrize("text", ["\n", "n\n", "maybe\n", ""])
def test_no_is_the_answer_of_who_says_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    answer(monkeypatch, text)
    with pytest.raises(CommandError, match="Nothing was changed"):
        enrol()
    assert pinned(place) is None


def test_an_expected_fingerprint_is_not_asked_about(place: Place, sshd: Sshd) -> None:
    enrol("--yes", fingerprint(sshd.host_key))
    assert pinned(place) == sshd.host_key


def test_another_than_the_expected_one_is_not_pinned(place: Place) -> None:
    with pytest.raises(CommandError, match="somebody else is answering"):
        enrol("--yes", "SHA256:other")
    assert pinned(place) is None


def test_an_environment_that_may_not_asks_nobody(place: Place, sshd: Sshd) -> None:
    fleet.allow_addresses(place.environment, ["10.0.0.0/8"], by=place.by)
    with pytest.raises(CommandError, match="no network that this environment allows"):
        enrol("--yes", fingerprint(sshd.host_key))


def test_a_list_that_nobody_reads_allows_nothing(place: Place, sshd: Sshd) -> None:
    place.environment.allowed_addresses = {}
    place.environment.save()
    with pytest.raises(
        CommandError, match=r"no list of networks\. Nothing was changed"
    ):
        enrol("--yes", fingerprint(sshd.host_key))


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--env", "nowhere"], "There is no target"), ([], "more than one target")],
)
def test_a_name_that_is_not_one_target(
    place: Place, sshd: Sshd, words: list[str], said: str
) -> None:
    Place([NewTarget("web-1", sshd.address, "ssh", {"key": KEY})])
    with pytest.raises(CommandError, match=said):
        enrol(*words)


def test_a_target_that_is_not_reached_by_ssh() -> None:
    Place([NewTarget("web-1", "", "simulated")])
    with pytest.raises(CommandError, match="is of kind simulated, not over SSH"):
        enrol()
