"""What a worker keeps of secrets: whose they are, how fresh, and that it shows none."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from deployctl.engine.aside import Aside
from deployctl.engine.drivers.base import TargetRef
from deployctl.engine.reach import Reach, Refused
from deployctl.engine.reaches import Reaches, Unread
from deployctl.models import Audit, Environment, Secret
from deployctl.services import fleet, secrets
from deployctl.services.people import Actor
from tests.support.fleet import person, until
from tests.support.keys import new_key

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("keys"),
]


class World:
    """Two environments, and what each would find under a name."""

    def __init__(self) -> None:
        self.by: Actor = person()
        self.here = fleet.add_environment("here", by=self.by)
        self.there = fleet.add_environment("there", by=self.by)

    def set(self, name: str, value: str, where: Environment | None = None) -> None:
        secrets.set_secret(name, value, where, by=self.by)

    def found(self, name: str) -> tuple[str | None, str | None]:
        """Return what a new worker finds here and there."""

        async def both(reaches: Reaches) -> tuple[str | None, str | None]:
            here = await reaches.of(self.here.pk)
            there = await reaches.of(self.there.pk)
            return here.secret(name), there.secret(name)

        return within(both)


def within(work: Callable[[Reaches], Any]) -> Any:
    """Run something with the reaches of a worker."""

    async def running() -> Any:
        aside = Aside("reach")
        try:
            return await work(Reaches(aside.asked))
        finally:
            await aside.done(lambda: connection.close())  # that thread's own

    return asyncio.run(running())


@pytest.fixture
def world() -> World:
    """Two environments without secrets."""
    return World()


def test_its_own_before_that_of_all_before_the_surroundings(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.found("token") == (None, None)
    monkeypatch.setenv("DEPLOYCTL_SECRET_TOKEN", "surroundings")
    assert world.found("token") == ("surroundings", "surroundings")
    world.set("token", "all")
    assert world.found("token") == ("all", "all")
    world.set("token", "mine", world.here)
    assert world.found("token") == ("mine", "all")


def test_what_is_anothers_is_not_there(world: World) -> None:
    world.set("token", "mine", world.here)
    assert world.found("token") == ("mine", None)


def test_one_that_does_not_open_is_not_replaced(
    world: World,
    keys: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DEPLOYCTL_SECRET_TOKEN", "surroundings")
    world.set("token", "mine", world.here)
    mine = Secret.objects.get()
    keys.write_text(new_key())
    assert world.found("token") == (None, "surroundings")
    assert mine.key_id in caplog.text
    keys.unlink()
    assert world.found("token") == (None, "surroundings")


def test_it_is_read_when_the_bell_rings_and_not_before(world: World) -> None:
    world.set("token", "one", world.here)

    async def work(reaches: Reaches) -> list[str | None]:
        reach = await reaches.of(world.here.pk)
        said = [reach.secret("token")]
        await asyncio.to_thread(beside, lambda: world.set("token", "two", world.here))
        await reaches.of(world.here.pk)
        said.append(reach.secret("token"))
        reaches.changed()
        await reaches.of(world.here.pk)
        said.append(reach.secret("token"))
        return said

    assert within(work) == ["one", "one", "two"]


def test_without_a_bell_it_is_read_now_and_then(world: World) -> None:
    async def work(reaches: Reaches) -> None:
        running = asyncio.create_task(reaches.run(0.05))
        reach = await reaches.of(world.here.pk)
        await asyncio.to_thread(beside, lambda: world.set("token", "new", world.here))
        is_new = lambda: reach.secret("token") == "new"  # noqa: E731
        await asyncio.to_thread(until, is_new, 10)
        running.cancel()

    within(work)


def test_an_environment_that_is_new_is_read_at_once(world: World) -> None:
    world.set("token", "all")

    async def work(reaches: Reaches) -> str | None:
        await reaches.of(world.here.pk)
        made = await asyncio.to_thread(
            beside, lambda: fleet.add_environment("new", by=world.by)
        )
        return (await reaches.of(made.pk)).secret("token")

    assert within(work) == "all"


def test_what_changes_while_it_is_read_is_read_again(world: World) -> None:
    async def work(_: Reaches) -> tuple[int, str | None]:
        readings = 0

        async def asked(query: Callable[[], Any]) -> Any:
            nonlocal readings
            readings += 1
            found = await asyncio.to_thread(beside, query)
            if readings == 1:
                await asyncio.to_thread(beside, lambda: world.set("token", "late"))
                reaches.changed()
            return found

        reaches = Reaches(asked)
        await reaches.of(world.here.pk)
        reach = await reaches.of(world.here.pk)
        return readings, reach.secret("token")

    assert within(work) == (2, "late")


def test_while_the_database_is_away_it_keeps_what_it_has(world: World) -> None:
    world.set("token", "kept", world.here)
    away = False

    def guarded(query: Callable[[], Any]) -> Any:
        if away:
            raise OperationalError("away")
        return beside(query)

    async def asked(query: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(guarded, query)
        except OperationalError:
            return None

    async def work(_: Reaches) -> list[str | None]:
        nonlocal away
        reaches = Reaches(asked)
        reach = await reaches.of(world.here.pk)
        said = [reach.secret("token")]
        away = True
        reaches.changed()
        said.append((await reaches.of(world.here.pk)).secret("token"))
        await asyncio.to_thread(beside, lambda: world.set("token", "new", world.here))
        away = False
        said.append((await reaches.of(world.here.pk)).secret("token"))
        return said

    assert within(work) == ["kept", "kept", "new"]


def test_only_what_one_was_told_is_looked_for_in_what_it_says(world: World) -> None:
    """Else a fleet with a secret for each target is searched for all, each time."""
    world.set("mine", "canary-1", world.here)
    world.set("theirs", "canary-2", world.here)

    async def work(reaches: Reaches) -> list[str]:
        both = [await reaches.of(world.here.pk) for _ in range(2)]
        for reach, name in zip(both, ("mine", "theirs"), strict=True):
            reach.secret(name)
        return [reach.masked("canary-1 canary-2") for reach in both]

    assert within(work) == ["[secret] canary-2", "canary-1 [secret]"]


def test_what_was_never_read_is_not_guessed(world: World) -> None:
    """Nothing known would be nothing forbidden: the metadata service apart."""
    fleet.allow_addresses(world.here, ["10.0.0.0/8"], by=world.by)

    async def away(query: Callable[[], Any]) -> Any:
        return None

    async def work(_: Reaches) -> None:
        with pytest.raises(Unread, match="never read"):
            await Reaches(away).of(world.here.pk)

    within(work)


def test_it_does_not_show_values() -> None:
    reach = Reach({"token": "canary"})
    target = TargetRef("1", "one", "", {"token": "token"}, reach)
    assert "canary" not in repr(target) + str(reach.__dict__.keys())


def beside(query: Callable[[], Any]) -> Any:
    """Run on another thread, whose connection is closed afterwards."""
    try:
        return query()
    finally:
        connection.close()


def test_networks_are_allowed_where_they_were_allowed(world: World) -> None:
    def checked(address: str) -> list[str]:
        async def both(reaches: Reaches) -> list[str]:
            said = []
            for place in (world.here, world.there):
                try:
                    (await reaches.of(place.pk)).check(address)
                    said.append("")
                except Refused as error:
                    said.append(str(error))
            return said

        return list(within(both))

    assert checked("10.1.2.3") == ["", ""]
    fleet.allow_addresses(world.here, ["192.0.2.0/24", "fd00::/8"], by=world.by)
    refused, elsewhere = checked("10.1.2.3")
    assert "10.1.2.3 is in no network that this environment allows" in refused
    assert elsewhere == ""
    assert checked("192.0.2.7") == checked("::ffff:192.0.2.7") == ["", ""]
    # Allowed or not, a metadata service is no target.
    fleet.allow_addresses(world.here, ["0.0.0.0/0", "::/0"], by=world.by)
    for metadata in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"):
        assert all("never a target" in said for said in checked(metadata))
    fleet.allow_addresses(world.here, [], by=world.by)
    assert checked("10.1.2.3") == ["", ""]


@pytest.mark.parametrize("written", [5, {}, "", "10.0.0.0/8", [5], ["x"]])
def test_what_was_written_past_the_services_allows_nothing(
    world: World, written: Any
) -> None:
    world.here.allowed_addresses = written
    world.here.save()

    async def work(reaches: Reaches) -> None:
        with pytest.raises(Refused, match="in no network"):
            (await reaches.of(world.here.pk)).check("10.1.2.3")
        (await reaches.of(world.there.pk)).check("10.1.2.3")

    within(work)


def test_what_is_no_network_changes_nothing(world: World) -> None:
    fleet.allow_addresses(world.here, ["10.0.0.0/8"], by=world.by)
    for wrong in ("10.0.0.1/8", "example.org", "", "2130706433/33"):
        with pytest.raises(ValueError, match=r".+"):
            fleet.allow_addresses(world.here, ["192.0.2.0/24", wrong], by=world.by)
    world.here.refresh_from_db()
    assert world.here.allowed_addresses == ["10.0.0.0/8"]


def test_who_allowed_what_is_kept(world: World) -> None:
    fleet.allow_addresses(world.here, ["10.0.0.0/8"], by=world.by)
    fleet.allow_addresses(world.here, ["10.0.0.0/8"], by=world.by)
    entry = Audit.objects.get(action="environment.addresses")
    assert (entry.before, entry.after) == ({"allowed": []}, {"allowed": ["10.0.0.0/8"]})


def test_the_command_says_sets_and_refuses(world: World) -> None:
    def run(*words: str) -> str:
        out = io.StringIO()
        call_command("addresses", "here", *words, stdout=out)
        return out.getvalue()

    by = ("--by", world.by.label)
    assert "any but those of metadata" in run()
    assert "10.0.0.0/8 fd00::/8" in run("--allow", "10.0.0.0/8", "fd00::/8", *by)
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("--allow", "nonsense", *by)
    assert "10.0.0.0/8" in run()
    assert "any but" in run("--any", *by)
