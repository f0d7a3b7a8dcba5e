"""Secrets: whose they are, who names them, what is told of them, and their rotation."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deployctl.models import Audit, Secret
from deployctl.queries.secrets import listed
from deployctl.services import fleet, routers, sealing, secrets
from deployctl.services.people import NotAllowed
from deployctl.services.secrets import Refused
from tests.support.fleet import Place, person, simulated
from tests.support.keys import new_key
from tests.terminal.typing import typed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("keys")]

CANARY = "canary-4711"


@pytest.fixture
def place() -> Place:
    """One target that names the secret `token`."""
    return Place(simulated(1, token="token"))


def values() -> dict[tuple[int | None, str], str | None]:
    """Return what a worker would know."""
    return {(each.environment_id, each.name): each.value for each in secrets.opened()}


def command(*words: str) -> str:
    """Run `manage.py secret`, and return what it prints."""
    said = io.StringIO()
    call_command("secret", *words, stdout=said)
    return said.getvalue()


class TestSet:
    def test_one_of_an_environment_and_one_of_all(self, place: Place) -> None:
        here = place.environment
        secrets.set_secret("token", f" {CANARY}\n", here, by=place.by)
        secrets.set_secret("token", "for all", None, by=place.by)
        assert values() == {(here.pk, "token"): CANARY, (None, "token"): "for all"}

    def test_again_is_another_value_in_the_same_row(self, place: Place) -> None:
        first = secrets.set_secret("token", "one", None, by=place.by)
        second = secrets.set_secret("token", "two", None, by=place.by)
        assert first.pk == second.pk
        assert values() == {(None, "token"): "two"}
        done = Audit.objects.order_by("pk").filter(object_type="secret")
        assert [each.action for each in done] == ["secret.added", "secret.changed"]

    def test_nobody_who_may_only_look(self, place: Place) -> None:
        charlie = person("charlie", staff=False)
        for work in (
            lambda: secrets.set_secret("token", CANARY, None, by=charlie),
            lambda: secrets.remove_secret("token", None, by=charlie),
            lambda: secrets.rotate(by=charlie),
        ):
            with pytest.raises(NotAllowed):
                work()
        assert not Secret.objects.exists()

    @pytest.mark.parametrize("name", ["", "../x", "A", "a b", "x" * 65, "a\n", '"'])
    def test_names_that_are_none(self, place: Place, name: str) -> None:
        with pytest.raises(Refused, match="name"):
            secrets.set_secret(name, CANARY, None, by=place.by)

    @pytest.mark.parametrize(
        "value", ["", "  \n", "canary\0", "canary\udcff", "canary" * 20_000]
    )
    def test_values_that_are_none(self, place: Place, value: str) -> None:
        with pytest.raises(Refused) as said:
            secrets.set_secret("token", value, None, by=place.by)
        assert "canary" not in str(said.value)
        assert not Secret.objects.exists()

    def test_without_a_key_nothing_is_stored(self, place: Place, keys: Path) -> None:
        keys.unlink()
        with pytest.raises(sealing.NoKey, match="Nothing was changed"):
            secrets.set_secret("token", CANARY, None, by=place.by)
        assert not Secret.objects.exists()


class TestSealed:
    def test_copied_to_another_row_it_does_not_open(self, place: Place) -> None:
        here = place.environment
        mine = secrets.set_secret("token", CANARY, here, by=place.by)
        for other in (
            secrets.set_secret("token", "x", None, by=place.by),
            secrets.set_secret("other", "x", here, by=place.by),
        ):
            Secret.objects.filter(pk=other.pk).update(sealed=mine.sealed)
            found = {each.name: each for each in secrets.opened() if each.value is None}
            assert "does not open in its row" in found[other.name].problem

    def test_moved_to_another_environment_it_does_not_open(self, place: Place) -> None:
        there = fleet.add_environment("elsewhere", by=place.by)
        row = secrets.set_secret("token", CANARY, place.environment, by=place.by)
        for environment in (there, None):
            Secret.objects.filter(pk=row.pk).update(environment=environment)
            assert set(values().values()) == {None}

    def test_a_list_does_not_even_read_what_is_sealed(self, place: Place) -> None:
        secrets.set_secret("token", CANARY, None, by=place.by)
        (row,) = listed()
        assert "sealed" in row.get_deferred_fields()


class TestRemoval:
    def test_not_while_a_target_names_it(self, place: Place) -> None:
        here, by = place.environment, place.by
        secrets.set_secret("token", CANARY, here, by=by)
        with pytest.raises(Refused, match=f"target t0 in {here.name}"):
            secrets.remove_secret("token", here, by=by)
        place.targets[0].settings = {"checks": [{"deep": ["token"]}]}
        place.targets[0].save()
        with pytest.raises(Refused, match="Nothing was changed"):
            secrets.remove_secret("token", here, by=by)
        place.targets[0].settings = {"token": "tokens", "x": 5}
        place.targets[0].save()
        assert secrets.remove_secret("token", here, by=by)
        assert not secrets.remove_secret("token", here, by=by)
        assert Audit.objects.filter(action="secret.removed").count() == 1

    def test_not_while_a_router_names_it(self, place: Place) -> None:
        where = place.application, place.environment
        given = {"password": "door"}
        router = routers.add_router(*where, "simulated", ("a", "b"), given, by=place.by)
        secrets.set_secret("door", CANARY, place.environment, by=place.by)
        with pytest.raises(Refused, match=str(router)):
            secrets.remove_secret("door", place.environment, by=place.by)

    def test_the_one_for_all_while_an_environment_has_no_own(
        self, place: Place
    ) -> None:
        secrets.set_secret("token", CANARY, None, by=place.by)
        with pytest.raises(Refused, match="target t0"):
            secrets.remove_secret("token", None, by=place.by)
        secrets.set_secret("token", CANARY, place.environment, by=place.by)
        assert secrets.remove_secret("token", None, by=place.by)

    def test_who_names_it_elsewhere_does_not_hold_it(self, place: Place) -> None:
        there = fleet.add_environment("elsewhere", by=place.by)
        secrets.set_secret("token", CANARY, there, by=place.by)
        assert secrets.remove_secret("token", there, by=place.by)


class TestRotation:
    def test_all_under_the_newest_key_in_batches(
        self, place: Place, keys: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(secrets, "BATCH", 2)
        for number in range(5):
            secrets.set_secret(f"s{number}", f"v{number}", None, by=place.by)
        before = values()
        keys.write_text(f"{new_key()}\n{keys.read_text()}")
        done = secrets.rotate(by=place.by)
        assert (done.count, done.left) == (5, [])
        newest = sealing.keys().newest.id
        assert set(Secret.objects.values_list("key_id", flat=True)) == {newest}
        entries = Audit.objects.filter(action="secrets.rotated")
        assert [each.after for each in entries.order_by("pk")] == [
            {"secrets": count, "key": newest} for count in (2, 2, 1)
        ]
        keys.write_text(keys.read_text().split()[0])
        assert values() == before
        assert secrets.rotate(by=place.by).count == 0

    def test_killed_in_between_it_goes_on(
        self, place: Place, keys: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(secrets, "BATCH", 2)
        for number in range(5):
            secrets.set_secret(f"s{number}", f"v{number}", None, by=place.by)
        keys.write_text(f"{new_key()}\n{keys.read_text()}")
        real = secrets.audit.record

        def dies_at_the_third(*given: object, after: dict[str, int], **more: object):
            if after["secrets"] == 1:
                raise KeyboardInterrupt
            real(*given, after=after, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(secrets.audit, "record", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            secrets.rotate(by=place.by)
        monkeypatch.undo()
        assert secrets.rotate(by=place.by).count == 1
        assert None not in values().values()

    def test_what_does_not_open_is_left_and_said(
        self, place: Place, keys: Path
    ) -> None:
        lost = secrets.set_secret("lost", CANARY, None, by=place.by)
        keys.write_text(new_key())
        secrets.set_secret("kept", CANARY, None, by=place.by)
        keys.write_text(f"{new_key()} {keys.read_text()}")
        done = secrets.rotate(by=place.by)
        assert done.count == 1
        assert [lost.key_id in why and "lost" in why for why in done.left] == [True]


class TestCommand:
    @pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
    def test_bytes_that_are_no_text_are_refused(
        self, place: Place, monkeypatch: pytest.MonkeyPatch, errors: str
    ) -> None:
        """As from a key file that is not PEM; how Python reads them is the locale's."""
        given = io.TextIOWrapper(io.BytesIO(b"canary\xff"), "utf-8", errors)
        monkeypatch.setattr(sys, "stdin", given)
        with pytest.raises(CommandError, match="Nothing was changed") as said:
            command("set", "token")
        assert "canary" not in str(said.value)
        assert not Secret.objects.exists()

    def test_a_value_from_stdin(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{CANARY}\n"))
        here = place.environment.name
        said = command("set", "token", "--env", here)
        assert said == f"token is set for {here}.\n"
        assert values() == {(place.environment.pk, "token"): CANARY}
        said = command("list")
        row = Secret.objects.get()
        assert said.split("\t")[:2] == ["token", here]
        assert said.rstrip().split("\t")[3:] == ["ana", row.key_id]
        assert CANARY not in said

    def test_programs_get_no_value(self, place: Place) -> None:
        secrets.set_secret("token", CANARY, None, by=place.by)
        told = typed("secret", "list", "--json")
        (record,) = told.records
        assert (record["name"], record["environment"]) == ("token", None)
        assert CANARY not in told.out

    def test_a_value_is_no_argument(self, place: Place) -> None:
        with pytest.raises(CommandError, match="unrecognized"):
            command("set", "token", CANARY)
        assert not Secret.objects.exists()

    def test_removing_says_who_names_it(self, place: Place) -> None:
        secrets.set_secret("token", CANARY, None, by=place.by)
        with pytest.raises(CommandError, match="target t0"):
            command("remove", "token")
        assert command("remove", "none") == "none was not set for every environment.\n"

    def test_an_environment_that_is_none(self, place: Place) -> None:
        with pytest.raises(CommandError, match="no environment nowhere"):
            command("remove", "token", "--env", "nowhere")

    def test_somebody_has_to_be_there(self, place: Place) -> None:
        person("bo")
        with pytest.raises(CommandError, match="--by"):
            command("rotate")
        person("charlie", staff=False)
        with pytest.raises(CommandError, match="may look but not rotate"):
            command("rotate", "--by", "charlie")
        assert command("rotate", "--by", "bo") == "0 sealed with the newest key.\n"

    def test_rotating_fails_when_something_is_left(
        self, place: Place, keys: Path
    ) -> None:
        secrets.set_secret("lost", CANARY, None, by=place.by)
        keys.write_text(new_key())
        with pytest.raises(CommandError, match="lost needs the key"):
            command("rotate")
